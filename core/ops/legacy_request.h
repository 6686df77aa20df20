#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expr/legacy.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

// Members of requests from before expressions, as they are read and checked.

namespace millrace {

/// What Expected, QueryFilter, ScanFilter or KeyConditions says of one attribute.
struct LegacyConditionMembers {
  std::optional<std::string_view> comparison_operator;
  std::optional<std::vector<std::string>> values;  // AttributeValueList: encoded
  std::optional<std::string> value;                // of Expected: encoded
  std::optional<bool> exists;                      // of Expected
  Status value_status;                             // what the model refuses of a value
};
using LegacyConditionMap = std::map<std::string_view, LegacyConditionMembers>;

/// What AttributeUpdates says of one attribute.
struct LegacyUpdateMembers {
  std::optional<std::string_view> action;
  std::optional<std::string> value;  // encoded
  Status value_status;
};
using LegacyUpdateMap = std::map<std::string_view, LegacyUpdateMembers>;

/// `structure`: "Condition" or, for Expected, "ExpectedAttributeValue".
Status read_conditions(JsonValue value, std::string_view structure, ValueWords words,
                       LegacyConditionMap& conditions);

/// The model's constraints on the conditions at `path`, such as "queryFilter".
void check_condition_constraints(const LegacyConditionMap& conditions, std::string_view path,
                                 Violations& violations);
void check_conditional_operator_constraint(std::optional<std::string_view> conditional_operator,
                                           Violations& violations);
void check_attributes_to_get_constraints(
    const std::optional<std::vector<std::string_view>>& attributes, std::string_view path,
    Violations& violations);

/// The conditions of a filter or of KeyConditions, checked.
Result<std::vector<LegacyCondition>> filter_conditions(const LegacyConditionMap& conditions);

/// The condition that is all or any of a filter's; none if it has none. Also checks the use of
/// ConditionalOperator.
Result<std::optional<Condition>> compile_filter(
    const std::optional<LegacyConditionMap>& filter,
    std::optional<std::string_view> conditional_operator);

/// The rule that AttributesToGet names none twice.
Status check_attributes_to_get(const std::vector<std::string_view>& attributes);
Projection project(const std::vector<std::string_view>& attributes);

/// Expected, AttributeUpdates and ConditionalOperator of a single write.
struct LegacyWriteMembers {
  std::optional<LegacyConditionMap> expected;
  std::optional<LegacyUpdateMap> updates;
  std::optional<std::string_view> conditional_operator;

  static bool has(std::string_view name) {
    return name == "Expected" || name == "AttributeUpdates" || name == "ConditionalOperator";
  }
  /// Reads one member that it has.
  Status read(std::string_view name, JsonValue value);
  void check_constraints(Violations& violations) const;
  /// The members that are there, in the service's order.
  std::vector<std::string_view> present() const;
  /// None if AttributeUpdates is empty or not there.
  Result<std::optional<Update>> compile_updates() const;
  /// None if Expected is empty or not there. Also checks the use of ConditionalOperator.
  Result<std::optional<Condition>> compile_expected() const;
  /// Of what was compiled, for bounds.
  size_t bytes() const;
};

}  // namespace millrace
