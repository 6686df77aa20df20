#include "core/ops/write_request.h"

#include "core/model/refusals.h"
#include "core/ops/index_changes.h"
#include "core/ops/read_request.h"

namespace millrace {

namespace {

Status read_bindings(std::string_view name, JsonValue value, ValueWords words,
                     WriteMembers& members) {
  if (name == "ExpressionAttributeNames") {
    members.has_names = true;
    ASSIGN_OR_RETURN(JsonObject object, read_map(value, kStringType));
    return hold_refusal(members.bindings.parse_names(object), members.names_status);
  }
  members.has_values = true;
  ASSIGN_OR_RETURN(JsonObject object, read_map(value, kAttributeValueType));
  return hold_refusal(members.bindings.parse_values(object, words), members.values_status);
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::vector<std::string_view> value_expressions_of(WriteKind kind) {
  if (kind == WriteKind::kUpdate) return {"UpdateExpression", "ConditionExpression"};
  return {"ConditionExpression"};
}

Status check_expression_use(const WriteMembers& members, WriteKind kind) {
  std::vector<std::string_view> expressions;
  if (members.update_expression) expressions.push_back("UpdateExpression");
  if (members.condition_expression) expressions.push_back("ConditionExpression");
  RETURN_IF_ERROR(check_legacy(members.legacy.present(), expressions));
  return check_bindings_have_use(members.has_names, members.has_values, expressions,
                                 value_expressions_of(kind));
}

Status parse_expressions(const WriteMembers& members, ItemWrite& write) {
  RETURN_IF_ERROR(members.names_status);
  RETURN_IF_ERROR(members.values_status);
  if (members.update_expression) {
    ASSIGN_OR_RETURN(write.update, Update::parse(*members.update_expression, write.bindings));
  }
  if (members.condition_expression) {
    ASSIGN_OR_RETURN(write.condition, Condition::parse(*members.condition_expression,
                                                       "ConditionExpression", write.bindings));
  }
  return write.bindings.check_all_used();
}

bool is_key_attribute(const KeySchema& schema, std::string_view name) {
  return schema.partition.name == name || (schema.sort && schema.sort->name == name);
}

}  // namespace

Status WriteMembers::read(std::string_view name, JsonValue value, std::string_view image_member,
                          ValueWords words) {
  if (name == image_member) {
    std::string encoded;
    image_status = Status{};
    RETURN_IF_ERROR(hold_refusal(read_item(value, encoded, words), image_status));
    image = std::move(encoded);
    return {};
  }
  if (name == "TableName") return read_string(value, table_name);
  if (name == "ConditionExpression") return read_string(value, condition_expression);
  if (name == "UpdateExpression" && image_member == "Key")
    return read_string(value, update_expression);
  if (name == "ExpressionAttributeNames" || name == "ExpressionAttributeValues")
    return read_bindings(name, value, words, *this);
  if (name == "ReturnValues") return read_string(value, return_values);
  if (name == "ReturnConsumedCapacity") return read_string(value, return_consumed_capacity);
  if (name == "ReturnItemCollectionMetrics")
    return read_string(value, return_item_collection_metrics);
  if (name == "ReturnValuesOnConditionCheckFailure")
    return read_string(value, return_values_on_failure);
  return {};
}

Status WriteMembers::read_single(std::string_view name, JsonValue value,
                                 std::string_view image_member) {
  if (LegacyWriteMembers::has(name)) return legacy.read(name, value);
  return read(name, value, image_member, ValueWords::kWrite);
}

std::string_view image_path(WriteKind kind) { return kind == WriteKind::kPut ? "item" : "key"; }

void check_enumerations(const WriteMembers& members, Violations& violations) {
  violations.one_of(members.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  check_other_enumerations(members, violations);
}

void check_other_enumerations(const WriteMembers& members, Violations& violations) {
  violations.one_of(members.return_values, "returnValues", kReturnValuesSet);
  violations.one_of(members.return_item_collection_metrics, "returnItemCollectionMetrics",
                    kReturnItemCollectionMetricsSet);
  violations.one_of(members.return_values_on_failure, "returnValuesOnConditionCheckFailure",
                    kReturnOnFailureSet);
  members.legacy.check_constraints(violations);
}

Status check_legacy(const std::vector<std::string_view>& legacy,
                    const std::vector<std::string_view>& expressions) {
  if (legacy.empty() || expressions.empty()) return {};
  return validation_error(
      "Can not use both expression and non-expression parameters in the same request: "
      "Non-expression parameters: {" +
      joined(legacy) + "} Expression parameters: {" + joined(expressions) + "}");
}

Status check_bindings_have_use(bool has_names, bool has_values,
                               const std::vector<std::string_view>& expressions,
                               const std::vector<std::string_view>& value_expressions) {
  if (has_names && expressions.empty()) {
    return validation_error(
        "ExpressionAttributeNames can only be specified when using expressions");
  }
  if (!has_values) return {};
  for (std::string_view expression : expressions) {
    for (std::string_view with_values : value_expressions) {
      if (expression == with_values) return {};
    }
  }
  std::string names;
  for (std::string_view name : value_expressions) {
    if (!names.empty()) names += " and ";
    names += name;
  }
  return validation_error(
      "ExpressionAttributeValues can only be specified when using expressions: " + names +
      (value_expressions.size() > 1 ? " are null" : " is null"));
}

Result<ItemWrite> parse_write(WriteMembers&& members, WriteKind kind) {
  RETURN_IF_ERROR(check_expression_use(members, kind));
  RETURN_IF_ERROR(members.image_status);
  if ((kind == WriteKind::kPut || kind == WriteKind::kDelete) && members.return_values &&
      *members.return_values != "ALL_OLD" && *members.return_values != "NONE") {
    return validation_error("ReturnValues can only be ALL_OLD or NONE");
  }
  if (kind == WriteKind::kPut && is_too_large(*members.image))
    return validation_error("Item size has exceeded the maximum allowed size");
  ItemWrite write;
  write.kind = kind;
  write.bindings = std::move(members.bindings);
  ASSIGN_OR_RETURN(write.update, members.legacy.compile_updates());
  ASSIGN_OR_RETURN(write.condition, members.legacy.compile_expected());
  write.legacy_bytes = members.legacy.bytes();
  RETURN_IF_ERROR(parse_expressions(members, write));
  write.image = std::move(*members.image);
  write.return_old_on_failure = members.return_values_on_failure == "ALL_OLD";
  return write;
}

Status bind_table(ItemWrite& write, TablePtr table) {
  ASSIGN_OR_RETURN(write.key, store_key(table->key, table->generation, MapView(write.image),
                                        write.kind != WriteKind::kPut));
  if (write.update) {
    for (const std::string& name : write.update->attribute_names()) {
      if (!is_key_attribute(table->key, name)) continue;
      return invalid_parameter("Cannot update attribute " + name +
                               ". This attribute is part of the key");
    }
    RETURN_IF_ERROR(check_update_index_keys(*table, *write.update));
    RETURN_IF_ERROR(check_scalar_keys(*table, write.update->operand_paths()));
  }
  if (write.kind == WriteKind::kPut) {
    RETURN_IF_ERROR(check_put_index_keys(*table, MapView(write.image)));
  }
  if (write.condition) RETURN_IF_ERROR(check_scalar_keys(*table, write.condition->paths()));
  write.table = std::move(table);
  return {};
}

}  // namespace millrace
