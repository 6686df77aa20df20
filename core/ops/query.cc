#include "core/ops/operations.h"
#include "core/ops/page.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct QueryMembers {
  PageMembers page;
  std::optional<std::string_view> key_condition_expression;
  std::optional<bool> scan_index_forward;
};

Status read_request(RequestJson& json, QueryMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "KeyConditionExpression")
      return read_string(value, members.key_condition_expression);
    if (name == "ScanIndexForward") return read_bool(value, members.scan_index_forward);
    if (name == "ScanFilter") return {};  // not a member of Query
    return members.page.read_member(name, value);
  });
}

Status check_constraints(const QueryMembers& members) {
  Violations violations;
  check_page_constraints(members.page, violations);
  if (members.page.limit && *members.page.limit < 1)
    violations.add_unvalued("Limit", "Member must have value greater than or equal to 1");
  return violations.status();
}

Status check_parameters(const QueryMembers& members) {
  const PageMembers& page = members.page;
  std::vector<std::string_view> expressions;
  if (page.read.projection_expression) expressions.push_back("ProjectionExpression");
  if (page.filter_expression) expressions.push_back("FilterExpression");
  if (members.key_condition_expression) expressions.push_back("KeyConditionExpression");
  RETURN_IF_ERROR(check_legacy(page.read.legacy, expressions));
  RETURN_IF_ERROR(check_bindings_have_use(page.read.has_names, page.read.has_values, expressions,
                                          {"FilterExpression", "KeyConditionExpression"}));
  RETURN_IF_ERROR(check_start_key_value(page));
  if (!members.key_condition_expression) {
    return validation_error(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
        "request.");
  }
  RETURN_IF_ERROR(page.read.names_status);
  RETURN_IF_ERROR(page.read.values_status);
  return check_select(page, "Querying");
}

// The filter sees items after the key has chosen them, so it may not name the key.
Status check_filter(const Condition& filter, const KeySchema& key) {
  for (const std::string& name : filter.attribute_names()) {
    if (name != key.partition.name && !(key.sort && name == key.sort->name)) continue;
    return validation_error(
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: " +
        name);
  }
  return {};
}

// Sets the range of store keys that the key condition and the start key leave.
Status set_range(const KeyCondition& condition, const PageMembers& members, PageRequest& page) {
  std::string prefix;
  append_partition_prefix(page.table->generation, condition.partition_scalar, prefix);
  page.begin = prefix + condition.sort_begin;
  bool unbounded = condition.sort_unbounded || condition.sort_end.empty();
  page.end = unbounded ? prefix_successor(prefix) : prefix + condition.sort_end;
  if (condition.empty) page.end = page.begin;
  if (!members.start_key) return {};
  ASSIGN_OR_RETURN(std::string start, start_store_key(members, *page.table));
  if (start.substr(0, prefix.size()) != prefix) {
    return validation_error(
        "The provided starting key is outside query boundaries based on provided conditions");
  }
  if (!condition.empty && (start < page.begin || start >= page.end))
    return validation_error("The provided starting key does not match the range key predicate");
  if (page.reverse) {
    page.end = start;
  } else {
    page.begin = start + '\0';
  }
  if (condition.empty) page.end = page.begin;
  return {};
}

Result<PageRequest> prepare(const Node& node, QueryMembers& members) {
  RETURN_IF_ERROR(check_constraints(members));
  RETURN_IF_ERROR(check_parameters(members));
  PageMembers& page_members = members.page;
  Bindings& bindings = page_members.read.used_bindings();
  PageRequest page;
  if (page_members.filter_expression) {
    ASSIGN_OR_RETURN(page.filter, Condition::parse(*page_members.filter_expression,
                                                   "FilterExpression", bindings));
  }
  if (page_members.read.projection_expression) {
    ASSIGN_OR_RETURN(page.projection,
                     Projection::parse(*page_members.read.projection_expression, bindings));
  }
  page.table = node.catalog.resolve(*page_members.read.table_name);
  if (page.table == nullptr) return requested_resource_not_found();
  if (page_members.index_name) {
    return validation_error("The table does not have the specified index: " +
                            std::string(*page_members.index_name));
  }
  ASSIGN_OR_RETURN(KeyCondition condition, KeyCondition::parse(*members.key_condition_expression,
                                                               page.table->key, bindings));
  RETURN_IF_ERROR(bindings.check_all_used());
  if (page.filter) RETURN_IF_ERROR(check_filter(*page.filter, page.table->key));
  page.count_only = page_members.select == "COUNT";
  page.reverse = !members.scan_index_forward.value_or(true);
  page.limit = page_members.limit;
  page.consistent = page_members.read.consistent_read.value_or(false);
  page.return_consumed_capacity = page_members.read.return_consumed_capacity.value_or("");
  RETURN_IF_ERROR(set_range(condition, page_members, page));
  return page;
}

}  // namespace

void query(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  QueryMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  Result<PageRequest> page = prepare(node, members);
  if (!page) return reply.error(page.error());
  send_page(node, *page, std::move(reply));
}

}  // namespace millrace
