#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/expr/expression.h"
#include "core/expr/key_condition.h"

// The parameters from before expressions: Expected, QueryFilter, ScanFilter, KeyConditions and
// AttributeUpdates. They are compiled to the trees and terms that expressions are parsed to, so
// there is one evaluator.

namespace millrace {

enum class LegacyOperator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kNotNull,
  kNull,
  kContains,
  kNotContains,
  kBeginsWith,
  kIn,
  kBetween,
};

/// The ComparisonOperators as the service lists them.
inline constexpr std::string_view kLegacyOperatorSet =
    "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS";

std::optional<LegacyOperator> legacy_operator_of(std::string_view name);
std::string_view legacy_operator_name(LegacyOperator op);

/// A condition on one top-level attribute.
struct LegacyCondition {
  std::string attribute;
  LegacyOperator op = LegacyOperator::kEqual;
  std::vector<std::string> values;  // encoded
};

/// The service's rules between the operator and its values: their number, that they are of one type
/// and of one that the operator takes, the order of BETWEEN's.
Status check_legacy_condition(const LegacyCondition& condition);

/// All of `conditions`, or any of them. There is at least one, and all were checked.
Condition compile_conditions(const std::vector<LegacyCondition>& conditions, bool any);

/// The terms of KeyConditions, which were checked.
std::vector<KeyTerm> compile_key_terms(const std::vector<LegacyCondition>& conditions);

/// One of AttributeUpdates.
struct LegacyUpdate {
  enum class Action : uint8_t { kPut, kAdd, kDelete };
  std::string attribute;
  Action action = Action::kPut;
  std::optional<std::string> value;  // encoded
};

/// The service's rules between the action and its value.
Status check_legacy_update(const LegacyUpdate& update);

/// `updates` were checked, and name each attribute once. Unlike an expression's ADD, this one
/// appends to a list, and what does not fit the item's type is reported in words of its own.
Update compile_updates(const std::vector<LegacyUpdate>& updates);

}  // namespace millrace
