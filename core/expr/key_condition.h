#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/expr/expression.h"
#include "core/model/index_key.h"

namespace millrace {

/// One comparison of an attribute with values, of a KeyConditionExpression or of KeyConditions.
struct KeyTerm {
  enum class Operator : uint8_t {
    kEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kBetween,
    kBeginsWith,
    kNotIndexable,  // what KeyConditions may say and no key can answer: NE, IN, NULL, ...
  };
  std::string name;
  Operator op = Operator::kEqual;
  std::vector<std::string> values;  // encoded; of kBetween two
};

/// A KeyConditionExpression as a condition of any kind; errors are those of every expression.
Result<std::shared_ptr<const ConditionNode>> parse_key_condition(std::string_view text,
                                                                 Bindings& bindings);

/// The terms of such a condition, in their order. Errors are what needs no key to be seen:
/// operators, two conditions on one attribute. DynamoDB has them after the syntax of all of a
/// request's expressions.
Result<std::vector<KeyTerm>> key_terms(const ConditionNode& condition);

/// What a query asks of a key: one partition, and of its entries those with leading sort attributes
/// that equal given values and a range of the next one. Scalar bytes, of which the caller makes
/// bytes of its keys.
struct KeyCondition {
  struct Bound {
    std::string scalar;
    bool included = true;
  };

  std::vector<std::string> partition;   // of every partition attribute
  std::vector<std::string> sort_equal;  // of the first sort attributes
  // Of the sort attribute after those; a prefix stands alone.
  std::optional<Bound> lower;
  std::optional<Bound> upper;
  std::optional<std::string> prefix;

  bool restricts_sort() const { return !sort_equal.empty() || lower || upper || prefix; }

  using AttributeCheck = std::function<Status(const KeyAttribute&)>;
  /// Holds the terms against a table's or index's key. Partition attributes want "=", each; sort
  /// attributes a left prefix of them, all but the last with "=". `first_check` runs on each key
  /// attribute before the terms on it are looked at, as far as they are right: where the service
  /// looks at the ExclusiveStartKey. Errors are DynamoDB's: "Query condition missed key schema
  /// element: ...", "Query key condition not supported", wrong types, ...
  static Result<KeyCondition> of(const std::vector<KeyTerm>& terms, const IndexKeySchema& key,
                                 const AttributeCheck& first_check = {});
};

}  // namespace millrace
