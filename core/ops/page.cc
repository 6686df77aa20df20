#include "core/ops/page.h"

#include "core/model/refusals.h"
#include "core/model/set_duplicates.h"
#include "core/ops/index_changes.h"

namespace millrace {

namespace {

constexpr std::string_view kSelectSet =
    "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES";

}  // namespace

Status PageMembers::read_member(std::string_view name, JsonValue value, ValueWords words) {
  if (name == "IndexName") return read_string(value, index_name);
  if (name == "FilterExpression") return read_string(value, filter_expression);
  if (name == "Select") return read_string(value, select);
  if (name == "Limit") return read_integer(value, "Integer", limit);
  if (name == "ExclusiveStartKey") {
    return hold_refusal(read_item(value, start_key.emplace(), words), start_key_status);
  }
  if (name == "QueryFilter" || name == "ScanFilter")
    return read_conditions(value, "Condition", words, legacy_filter.emplace());
  if (name == "ConditionalOperator") return read_string(value, conditional_operator);
  if (name == "ExpressionAttributeValues") return read.read_values(value, words);
  return read.read(name, value);
}

std::vector<std::string_view> PageMembers::legacy(std::string_view filter_name) const {
  std::vector<std::string_view> names;
  if (read.attributes_to_get) names.push_back("AttributesToGet");
  if (legacy_filter) names.push_back(filter_name);
  if (conditional_operator) names.push_back("ConditionalOperator");
  return names;
}

void check_page_constraints(const PageMembers& members, Violations& violations) {
  check_table_name(members.read.table_name, "tableName", violations);
  violations.one_of(members.read.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  violations.one_of(members.select, "select", kSelectSet);
  check_name(members.index_name, "indexName", violations);
  check_conditional_operator_constraint(members.conditional_operator, violations);
  check_attributes_to_get_constraints(members.read.attributes_to_get, "attributesToGet",
                                      violations);
}

Status check_start_key_value(const PageMembers& members) {
  if (members.start_key_status) return {};
  const Error& error = members.start_key_status.error();
  // The service prefixes some of its complaints about values and not others.
  if (is_of_number_or_duplicates(error) || error.message.find("number set") != std::string::npos)
    return error;
  return validation_error("The provided starting key is invalid: " + error.message);
}

Status set_attributes_to_get(const PageMembers& members, PageRequest& page) {
  if (!members.read.attributes_to_get) return {};
  RETURN_IF_ERROR(check_attributes_to_get(*members.read.attributes_to_get));
  page.projection = project(*members.read.attributes_to_get);
  return {};
}

Status check_select(const PageMembers& members, std::string_view prefix) {
  auto refuse = [&](std::string message) {
    return validation_error(std::string(prefix) + std::move(message));
  };
  std::string_view select = members.select.value_or("");
  bool projects = members.read.selects();
  if (select == "SPECIFIC_ATTRIBUTES" && !projects) {
    return refuse(
        "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
        "SPECIFIC_ATTRIBUTES");
  }
  if (projects && !select.empty() && select != "SPECIFIC_ATTRIBUTES") {
    return refuse(std::string("Cannot specify the ") +
                  (members.read.attributes_to_get ? "AttributesToGet" : "ProjectionExpression") +
                  " when choosing to get " +
                  (select == "COUNT" ? "only the Count" : std::string(select)));
  }
  if (select == "ALL_PROJECTED_ATTRIBUTES" && !members.index_name)
    return refuse("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
  return {};
}

Result<const Index*> queried_index(const PageMembers& members, const Table& table) {
  if (!members.index_name) return nullptr;
  const std::string name(*members.index_name);
  const Index* index = table.find_index(name);
  if (index == nullptr)
    return validation_error("The table does not have the specified index: " + name);
  if (index->kind == IndexKind::kGlobal && members.read.consistent_read.value_or(false))
    return validation_error("Consistent reads are not supported on global secondary indexes");
  if (index->status == IndexStatus::kCreating)
    return validation_error("Cannot read from backfilling global secondary index: " + name);
  return index;
}

Status check_select_on_index(const PageMembers& members, const Index* index) {
  if (index == nullptr || index->kind == IndexKind::kLocal || members.select != "ALL_ATTRIBUTES" ||
      index->projection == IndexProjection::kAll) {
    return {};
  }
  return invalid_parameter(
      "Select type ALL_ATTRIBUTES is not supported for global secondary index " + index->name +
      " because its projection type is not ALL");
}

Status set_fetch(const PageMembers& members, PageRequest& page) {
  if (page.index == nullptr || page.count_only) return {};
  const Index& index = *page.index;
  std::string missing;
  if (page.projection) {
    for (const Path& path : page.projection->paths()) {
      if (is_projected(*page.table, index, path[0].name)) continue;
      missing.append(missing.empty() ? "" : ", ").append(path[0].name);
    }
  }
  if (!missing.empty() && index.kind == IndexKind::kGlobal) {
    return invalid_parameter("Global secondary index " + index.name + " does not project [" +
                             missing + "]");
  }
  page.fetch = !missing.empty() ||
               (members.select == "ALL_ATTRIBUTES" && index.projection != IndexProjection::kAll);
  return {};
}

}  // namespace millrace
