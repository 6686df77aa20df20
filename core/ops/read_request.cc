#include "core/ops/read_request.h"

#include <algorithm>

#include "core/model/item_json.h"
#include "core/ops/legacy_request.h"
#include "core/ops/write_request.h"

namespace millrace {

Status ReadMembers::read(std::string_view name, JsonValue value) {
  if (name == "TableName") return read_string(value, table_name);
  if (name == "ConsistentRead") return read_bool(value, consistent_read);
  if (name == "ProjectionExpression") return read_string(value, projection_expression);
  if (name == "ReturnConsumedCapacity") return read_string(value, return_consumed_capacity);
  if (name == "ExpressionAttributeNames") {
    has_names = true;
    ASSIGN_OR_RETURN(JsonObject object, read_map(value, kStringType));
    bool empty = false;
    if (object.raw_json().get(raw_names) || object.reset().get(empty)) return malformed_json();
    return hold_refusal(used_bindings().parse_names(object), names_status);
  }
  if (name == "AttributesToGet") return read_string_list(value, attributes_to_get.emplace());
  return {};
}

Status ReadMembers::read_values(JsonValue value, ValueWords words) {
  has_values = true;
  ASSIGN_OR_RETURN(JsonObject object, read_map(value, kAttributeValueType));
  return hold_refusal(used_bindings().parse_values(object, words), values_status);
}

Status ReadMembers::check_projection_use() const {
  std::vector<std::string_view> legacy, expressions;
  if (attributes_to_get) legacy.push_back("AttributesToGet");
  if (projection_expression) expressions.push_back("ProjectionExpression");
  RETURN_IF_ERROR(check_legacy(legacy, expressions));
  return check_bindings_have_use(has_names, false, expressions, {});
}

Result<std::optional<Projection>> ReadMembers::parse_projection_only() {
  RETURN_IF_ERROR(check_projection_use());
  std::optional<Projection> projection;
  if (attributes_to_get) {
    RETURN_IF_ERROR(check_attributes_to_get(*attributes_to_get));
    projection = project(*attributes_to_get);
  }
  RETURN_IF_ERROR(names_status);
  if (projection_expression) {
    ASSIGN_OR_RETURN(projection, Projection::parse(*projection_expression, used_bindings()));
    RETURN_IF_ERROR(used_bindings().check_all_used());
  }
  return projection;
}

Status check_scalar_keys(const Table& table, const std::vector<Path>& paths) {
  auto leads_into = [&](const KeyAttribute& attribute) {
    return std::any_of(paths.begin(), paths.end(), [&](const Path& path) {
      return path.size() > 1 && path[0].name == attribute.name;
    });
  };
  auto refusal = [](std::string_view kind, const KeyAttribute& attribute) {
    return validation_error(
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
        "allowed: " +
        std::string(kind) + ": " + attribute.name);
  };
  if (leads_into(table.key.partition)) return refusal("Key", table.key.partition);
  if (table.key.sort && leads_into(*table.key.sort)) return refusal("Key", *table.key.sort);
  for (const Index& index : table.indexes) {
    for (const auto* attributes : {&index.key.partition, &index.key.sort}) {
      for (const KeyAttribute& attribute : *attributes) {
        if (leads_into(attribute)) return refusal("IndexKey", attribute);
      }
    }
  }
  return {};
}

void render_projected(ItemView item, const std::optional<Projection>& projection,
                      std::string& out) {
  if (!projection) return render_item(item, out);
  std::string selected = projection->apply(item);
  render_item(ItemView(selected), out);
}

}  // namespace millrace
