#include <algorithm>

#include "core/base/bytes.h"
#include "core/model/item_json.h"
#include "core/model/refusals.h"
#include "core/ops/index_changes.h"
#include "core/ops/key_range.h"
#include "core/ops/operations.h"
#include "core/ops/page.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct QueryMembers {
  PageMembers page;
  std::optional<std::string_view> key_condition_expression;
  std::optional<LegacyConditionMap> key_conditions;
  std::vector<KeyTerm> key_terms;  // of whichever of the two there is
  std::optional<bool> scan_index_forward;
};

Status read_request(RequestJson& json, QueryMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "KeyConditionExpression")
      return read_string(value, members.key_condition_expression);
    if (name == "ScanIndexForward") return read_bool(value, members.scan_index_forward);
    if (name == "KeyConditions") {
      return read_conditions(value, "Condition", ValueWords::kRead,
                             members.key_conditions.emplace());
    }
    if (name == "ScanFilter") return {};  // not a member of Query
    return members.page.read_member(name, value, ValueWords::kRead);
  });
}

Status check_constraints(const QueryMembers& members) {
  Violations violations;
  if (members.page.legacy_filter)
    check_condition_constraints(*members.page.legacy_filter, "queryFilter", violations);
  check_page_constraints(members.page, violations);
  if (members.key_conditions)
    check_condition_constraints(*members.key_conditions, "keyConditions", violations);
  if (members.page.limit && *members.page.limit < 1)
    violations.add_unvalued("Limit", "Member must have value greater than or equal to 1");
  return violations.status();
}

Status check_key_conditions(QueryMembers& members) {
  if (!members.key_conditions) return {};
  ASSIGN_OR_RETURN(const std::vector<LegacyCondition> conditions,
                   filter_conditions(*members.key_conditions));
  members.key_terms = compile_key_terms(conditions);
  const size_t count = conditions.size();
  // An index may have more key attributes than two.
  if (count == 0 || (count > 2 && !members.page.index_name))
    return validation_error("Conditions can be of length 1 or 2 only");
  return {};
}

Status check_parameters(QueryMembers& members, PageRequest& request) {
  const PageMembers& page = members.page;
  std::vector<std::string_view> expressions;
  if (page.read.projection_expression) expressions.push_back("ProjectionExpression");
  if (page.filter_expression) expressions.push_back("FilterExpression");
  if (members.key_condition_expression) expressions.push_back("KeyConditionExpression");
  std::vector<std::string_view> legacy = page.legacy("QueryFilter");
  // KeyConditions go with the expressions of the other parts of the request.
  if (members.key_conditions && members.key_condition_expression) legacy.push_back("KeyConditions");
  RETURN_IF_ERROR(check_legacy(legacy, expressions));
  RETURN_IF_ERROR(check_bindings_have_use(page.read.has_names, page.read.has_values, expressions,
                                          {"FilterExpression", "KeyConditionExpression"}));
  ASSIGN_OR_RETURN(request.filter, compile_filter(page.legacy_filter, page.conditional_operator));
  RETURN_IF_ERROR(set_attributes_to_get(page, request));
  RETURN_IF_ERROR(check_start_key_value(page));
  if (!members.key_condition_expression && !members.key_conditions) {
    return validation_error(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
        "request.");
  }
  RETURN_IF_ERROR(page.read.names_status);
  RETURN_IF_ERROR(page.read.values_status);
  RETURN_IF_ERROR(check_key_conditions(members));
  // Only Query's answer has it.
  return check_select(page, "1 validation error detected: ");
}

// The filter sees items after the key has chosen them, so it may not name the key. What an index
// does not hold it cannot see.
Status check_filter(const Condition& filter, std::string_view parameter, const IndexKeySchema& key,
                    const PageRequest& page) {
  const std::vector<std::string> names = filter.attribute_names();
  for (const auto* attributes : {&key.partition, &key.sort}) {
    for (const KeyAttribute& attribute : *attributes) {
      if (std::find(names.begin(), names.end(), attribute.name) == names.end()) continue;
      return validation_error(
          std::string(parameter) +
          " can only contain non-primary key attributes: Primary key attribute: " + attribute.name);
    }
  }
  if (page.index == nullptr) return {};
  std::string missing;
  for (const std::string& name : names) {
    if (is_projected(*page.table, *page.index, name)) continue;
    missing.append(missing.empty() ? "" : ", ").append(name);
  }
  if (missing.empty()) return {};
  return invalid_parameter("Secondary index " + page.index->name +
                           " does not project one or more filter attributes: [" + missing + "]");
}

Error no_second_item(MapView start_key, const KeyAttribute& partition) {
  return validation_error("The provided exclusive start key is invalid: ExclusiveStartKey: {" +
                          partition.name + "=" + printed_key_value(*start_key.get(partition.name)) +
                          "}");
}

PageCover cover_of(std::string_view partition_prefix) {
  return {get_big_endian64(partition_prefix.data()), get_big_endian64(partition_prefix.data() + 8)};
}

// Sets the range of store keys that the key condition and the start key leave. The two are held
// against the key side by side, one key attribute after the other.
Status set_range(const std::vector<KeyTerm>& terms, const IndexKeySchema& key,
                 const PageMembers& members, PageRequest& page) {
  KeyCondition::AttributeCheck check_start;
  MapView start_key;
  if (members.start_key) {
    start_key = MapView(*members.start_key);
    RETURN_IF_ERROR(check_start_key_size(start_key, *page.table, page.index,
                                         "The provided starting key is invalid"));
    check_start = [&](const KeyAttribute& attribute) {
      return check_start_key_attribute(start_key, attribute);
    };
  }
  ASSIGN_OR_RETURN(const KeyCondition condition, KeyCondition::of(terms, key, check_start));
  const KeyRange range = key_range(condition, *page.table, page.index);
  page.begin = range.first_key();
  page.end = range.end_key();
  page.read_cover = cover_of(range.partition);
  page.fetch_cover.generation = page.table->generation;
  if (page.index != nullptr && page.index->kind == IndexKind::kLocal) {
    // The items behind a local index's partition are a partition of the table.
    append_partition_prefix(page.table->generation, condition.partition[0], page.partition);
    page.fetch_cover = cover_of(page.partition);
  } else {
    page.partition = range.partition;
  }
  // Without a sort key a partition is one item: Limit cuts nothing off, and nothing can go on.
  const bool has_one_item = page.index == nullptr && !page.table->key.sort;
  if (has_one_item) page.limit.reset();
  if (!members.start_key) return {};
  ASSIGN_OR_RETURN(const std::string start, start_store_key(start_key, *page.table, page.index));
  RETURN_IF_ERROR(check_start_in_range(start, range, condition.restricts_sort()));
  if (has_one_item) return no_second_item(start_key, page.table->key.partition);
  if (page.reverse) {
    page.end = start;
  } else {
    page.begin = start + '\0';
  }
  return {};
}

// Everything that needs the table.
Status bind_to_table(const std::vector<KeyTerm>& terms, const PageMembers& members,
                     PageRequest& page) {
  ASSIGN_OR_RETURN(page.index, queried_index(members, *page.table));
  const IndexKeySchema key = queried_key(*page.table, page.index);
  RETURN_IF_ERROR(set_range(terms, key, members, page));
  if (page.projection) RETURN_IF_ERROR(check_scalar_keys(*page.table, page.projection->paths()));
  const std::string_view filter_name = members.legacy_filter ? "QueryFilter" : "Filter Expression";
  if (page.filter) RETURN_IF_ERROR(check_filter(*page.filter, filter_name, key, page));
  RETURN_IF_ERROR(check_select_on_index(members, page.index));
  if (page.filter) RETURN_IF_ERROR(check_scalar_keys(*page.table, page.filter->paths()));
  return set_fetch(members, page);
}

Result<PageRequest> prepare(const Node& node, QueryMembers& members) {
  RETURN_IF_ERROR(check_constraints(members));
  PageRequest page;
  RETURN_IF_ERROR(check_parameters(members, page));
  PageMembers& page_members = members.page;
  Bindings& bindings = page_members.read.used_bindings();
  std::shared_ptr<const ConditionNode> key_condition;
  if (members.key_condition_expression) {
    ASSIGN_OR_RETURN(key_condition,
                     parse_key_condition(*members.key_condition_expression, bindings));
  }
  if (page_members.filter_expression) {
    ASSIGN_OR_RETURN(page.filter, Condition::parse(*page_members.filter_expression,
                                                   "FilterExpression", bindings));
  }
  if (page_members.read.projection_expression) {
    ASSIGN_OR_RETURN(page.projection,
                     Projection::parse(*page_members.read.projection_expression, bindings));
  }
  // What a key can answer is asked after the syntax of all expressions.
  if (key_condition != nullptr) {
    ASSIGN_OR_RETURN(members.key_terms, key_terms(*key_condition));
  }
  RETURN_IF_ERROR(bindings.check_all_used());
  ASSIGN_OR_RETURN(page.table, node.catalog.resolve(*page_members.read.table_name,
                                                    requested_resource_not_found));
  page.count_only = page_members.select == "COUNT";
  page.reverse = !members.scan_index_forward.value_or(true);
  page.limit = page_members.limit;
  page.consistent = page_members.read.consistent_read.value_or(false);
  page.capacity = capacity_detail(page_members.read.return_consumed_capacity.value_or(""));
  RETURN_IF_ERROR(bind_to_table(members.key_terms, page_members, page));
  return page;
}

}  // namespace

void query(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  QueryMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  Result<PageRequest> page = prepare(node, members);
  if (!page) return reply.error(page.error());
  if (node.cache != nullptr) node.cache->note_query(page->partition);
  send_page(node, *std::move(page), request.no_cache(), std::move(reply));
}

}  // namespace millrace
