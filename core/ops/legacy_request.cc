#include "core/ops/legacy_request.h"

#include <set>
#include <utility>

#include "core/model/item_json.h"
#include "core/model/refusals.h"

namespace millrace {

namespace {

constexpr size_t kAttributesToGetMax = 255;

std::string class_of(std::string_view structure) {
  return "com.amazonaws.dynamodb.v20120810." + std::string(structure);
}

// A value that is a member of a structure, which is told of a wrong shape in words of its own.
Status read_value(JsonValue value, ValueWords words, std::string& out) {
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) return malformed_json();
  if (type != simdjson::ondemand::json_type::object)
    return read_structure(value, "AttributeValue").error();
  return parse_value(value, out, words);
}

// Keeps the first refusal.
Status hold_first(Status status, Status& held) {
  Status refused;
  RETURN_IF_ERROR(hold_refusal(std::move(status), refused));
  if (held && !refused) held = std::move(refused);
  return {};
}

Status read_value_list(JsonValue value, ValueWords words, LegacyConditionMembers& condition) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  condition.values.emplace();
  return each_element(array, [&](size_t, JsonValue element) {
    return hold_first(parse_value(element, condition.values->emplace_back(), words),
                      condition.value_status);
  });
}

Status read_condition(JsonObject& object, ValueWords words, LegacyConditionMembers& condition) {
  return each_member(object, [&](std::string_view name, JsonValue value) -> Status {
    if (name == "ComparisonOperator") return read_string(value, condition.comparison_operator);
    if (name == "AttributeValueList") return read_value_list(value, words, condition);
    if (name == "Exists") return read_bool(value, condition.exists);
    if (name != "Value") return {};
    return hold_first(read_value(value, words, condition.value.emplace()), condition.value_status);
  });
}

Status read_updates(JsonValue value, LegacyUpdateMap& updates) {
  constexpr std::string_view kStructure = "AttributeValueUpdate";
  ASSIGN_OR_RETURN(JsonObject map, read_map(value, class_of(kStructure)));
  return each_member(map, [&](std::string_view attribute, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(JsonObject object, read_structure_element(element, kStructure));
    LegacyUpdateMembers& update = updates[attribute] = {};
    return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
      if (name == "Action") return read_string(inner, update.action);
      if (name != "Value") return {};
      return hold_first(read_value(inner, ValueWords::kWrite, update.value.emplace()),
                        update.value_status);
    });
  });
}

Status check_name(std::string_view attribute) {
  if (attribute.empty()) return validation_error("Empty attribute name");
  if (attribute.size() > kAttributeNameBytesMax) return attribute_name_too_large();
  return {};
}

// The rules between the members of one of Expected's conditions.
Status check_expected(const std::string& attribute, const LegacyConditionMembers& members) {
  const std::string for_attribute = " for Attribute: " + attribute;
  if (members.values && members.value)
    return invalid_parameter("Value and AttributeValueList cannot be used together" +
                             for_attribute);
  if (!members.comparison_operator) {
    if (members.values)
      return invalid_parameter("AttributeValueList can only be used with a ComparisonOperator" +
                               for_attribute);
    const bool exists = members.exists.value_or(true);
    if (exists && !members.value) {
      return invalid_parameter(std::string("Value must be provided when Exists is ") +
                               (members.exists ? "true" : "null") + for_attribute);
    }
    if (!exists && members.value)
      return invalid_parameter("Value cannot be used when Exists is false" + for_attribute);
    return {};
  }
  if (members.exists)
    return invalid_parameter("Exists and ComparisonOperator cannot be used together" +
                             for_attribute);
  const std::string_view op = *members.comparison_operator;
  if (op != "NULL" && op != "NOT_NULL" && !members.values && !members.value) {
    return invalid_parameter("Value or AttributeValueList must be used with ComparisonOperator: " +
                             std::string(op) + for_attribute);
  }
  return {};
}

// `members` satisfy the model: an operator, if any, is one.
LegacyCondition condition_of(std::string_view attribute, const LegacyConditionMembers& members) {
  LegacyCondition condition;
  condition.attribute = attribute;
  if (members.comparison_operator) {
    condition.op = *legacy_operator_of(*members.comparison_operator);
  } else if (members.exists && !*members.exists) {
    condition.op = LegacyOperator::kNull;
  }
  if (members.values) condition.values = *members.values;
  if (members.value) condition.values.push_back(*members.value);
  return condition;
}

Result<std::optional<Condition>> combine(const std::vector<LegacyCondition>& conditions,
                                         std::optional<std::string_view> conditional_operator) {
  if (conditional_operator && conditions.empty()) {
    return validation_error("ConditionalOperator cannot be used without Filter or Expected");
  }
  if (conditional_operator && conditions.size() == 1) {
    return validation_error(
        "ConditionalOperator can only be used when Filter or Expected has two or more elements");
  }
  std::optional<Condition> condition;
  if (!conditions.empty())
    condition = compile_conditions(conditions, conditional_operator == std::string_view("OR"));
  return condition;
}

}  // namespace

Status read_conditions(JsonValue value, std::string_view structure, ValueWords words,
                       LegacyConditionMap& conditions) {
  ASSIGN_OR_RETURN(JsonObject map, read_map(value, class_of(structure)));
  return each_member(map, [&](std::string_view attribute, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(JsonObject object, read_structure_element(element, structure));
    return read_condition(object, words, conditions[attribute] = {});
  });
}

void check_condition_constraints(const LegacyConditionMap& conditions, std::string_view path,
                                 Violations& violations) {
  for (const auto& [attribute, members] : conditions) {
    std::string member(path);
    member.append(".").append(attribute).append(".member.comparisonOperator");
    // Only Expected has conditions without an operator.
    if (path != "expected") violations.require(members.comparison_operator.has_value(), member);
    violations.one_of(members.comparison_operator, member, kLegacyOperatorSet);
  }
}

void check_conditional_operator_constraint(std::optional<std::string_view> conditional_operator,
                                           Violations& violations) {
  violations.one_of(conditional_operator, "conditionalOperator", "OR, AND");
}

void check_attributes_to_get_constraints(
    const std::optional<std::vector<std::string_view>>& attributes, std::string_view path,
    Violations& violations) {
  if (!attributes) return;
  if (attributes->empty()) {
    violations.add("[]", path, "Member must have length greater than or equal to 1");
  } else if (attributes->size() > kAttributesToGetMax) {
    violations.add_unvalued(path, "Member must have length less than or equal to 255");
  }
}

Result<std::vector<LegacyCondition>> filter_conditions(const LegacyConditionMap& conditions) {
  std::vector<LegacyCondition> checked;
  for (const auto& [attribute, members] : conditions) {
    RETURN_IF_ERROR(check_name(attribute));
    RETURN_IF_ERROR(members.value_status);
    checked.push_back(condition_of(attribute, members));
    RETURN_IF_ERROR(check_legacy_condition(checked.back()));
  }
  return checked;
}

Result<std::optional<Condition>> compile_filter(
    const std::optional<LegacyConditionMap>& filter,
    std::optional<std::string_view> conditional_operator) {
  std::vector<LegacyCondition> conditions;
  if (filter) {
    ASSIGN_OR_RETURN(conditions, filter_conditions(*filter));
  }
  return combine(conditions, conditional_operator);
}

Status check_attributes_to_get(const std::vector<std::string_view>& attributes) {
  std::set<std::string_view> seen;
  for (std::string_view attribute : attributes) {
    RETURN_IF_ERROR(check_name(attribute));
    if (seen.insert(attribute).second) continue;
    return invalid_parameter("Duplicate value in attribute name: " + std::string(attribute));
  }
  return {};
}

Projection project(const std::vector<std::string_view>& attributes) {
  return Projection::of_names({attributes.begin(), attributes.end()});
}

Status LegacyWriteMembers::read(std::string_view name, JsonValue value) {
  if (name == "Expected")
    return read_conditions(value, "ExpectedAttributeValue", ValueWords::kWrite, expected.emplace());
  if (name == "AttributeUpdates") return read_updates(value, updates.emplace());
  return read_string(value, conditional_operator);
}

void LegacyWriteMembers::check_constraints(Violations& violations) const {
  check_conditional_operator_constraint(conditional_operator, violations);
  if (expected) check_condition_constraints(*expected, "expected", violations);
  if (!updates) return;
  for (const auto& [attribute, members] : *updates) {
    violations.one_of(members.action,
                      "attributeUpdates." + std::string(attribute) + ".member.action",
                      "ADD, DELETE, PUT");
  }
}

std::vector<std::string_view> LegacyWriteMembers::present() const {
  std::vector<std::string_view> names;
  if (updates) names.push_back("AttributeUpdates");
  if (expected) names.push_back("Expected");
  if (conditional_operator) names.push_back("ConditionalOperator");
  return names;
}

Result<std::optional<Update>> LegacyWriteMembers::compile_updates() const {
  std::optional<Update> update;
  if (!updates || updates->empty()) return update;
  std::vector<LegacyUpdate> checked;
  for (const auto& [attribute, members] : *updates) {
    RETURN_IF_ERROR(check_name(attribute));
    RETURN_IF_ERROR(members.value_status);
    LegacyUpdate& change = checked.emplace_back();
    change.attribute = attribute;
    if (members.action == "ADD") change.action = LegacyUpdate::Action::kAdd;
    if (members.action == "DELETE") change.action = LegacyUpdate::Action::kDelete;
    change.value = members.value;
    RETURN_IF_ERROR(check_legacy_update(change));
  }
  update = millrace::compile_updates(checked);
  return update;
}

Result<std::optional<Condition>> LegacyWriteMembers::compile_expected() const {
  std::vector<LegacyCondition> checked;
  if (expected) {
    for (const auto& [attribute, members] : *expected) {
      RETURN_IF_ERROR(check_name(attribute));
      RETURN_IF_ERROR(check_expected(std::string(attribute), members));
      RETURN_IF_ERROR(members.value_status);
      checked.push_back(condition_of(attribute, members));
      RETURN_IF_ERROR(check_legacy_condition(checked.back()));
    }
  }
  return combine(checked, conditional_operator);
}

size_t LegacyWriteMembers::bytes() const {
  // What a tree holds beside a name and its values.
  constexpr size_t kNodeBytes = sizeof(LegacyCondition) + 512;
  size_t bytes = 0;
  if (expected) {
    for (const auto& [attribute, members] : *expected) {
      bytes += kNodeBytes + attribute.size() + (members.value ? members.value->size() : 0);
      if (!members.values) continue;
      for (const std::string& value : *members.values) bytes += kNodeBytes + value.size();
    }
  }
  if (updates) {
    for (const auto& [attribute, members] : *updates)
      bytes += kNodeBytes + attribute.size() + (members.value ? members.value->size() : 0);
  }
  return bytes;
}

}  // namespace millrace
