#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expr/expression.h"

// The syntax trees of expressions. The parser fills in what was written; binding (bind.h) checks
// it, resolves names and values, and fills in the rest.

namespace millrace {

/// A step of a document path as written.
struct PathStep {
  enum class Kind : uint8_t { kName, kAlias, kIndex };
  Kind kind;
  std::string text;
};

enum class Function : uint8_t {
  kUnknown,
  kAttributeExists,
  kAttributeNotExists,
  kAttributeType,
  kBeginsWith,
  kContains,
  kSize,
  kIfNotExists,
  kListAppend,
};

/// A path, a value, a function call, or the sum or difference of two operands (in SET only).
struct Operand {
  enum class Kind : uint8_t { kPath, kValue, kCall, kPlus, kMinus };
  Kind kind = Kind::kPath;
  bool parenthesised = false;
  std::vector<PathStep> steps;  // kPath, as written
  std::string text;             // kValue: the alias with its colon; kCall: the function's name
  std::vector<Operand> arguments;

  // After binding:
  Path path;                                 // kPath
  std::shared_ptr<const std::string> value;  // kValue, encoded; an expression may name it often
  Function function = Function::kUnknown;

  ValueView value_view() const { return ValueView(*value); }
};

enum class Comparator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
};

std::string_view comparator_text(Comparator comparator);

struct ConditionNode {
  enum class Kind : uint8_t { kOr, kAnd, kNot, kCompare, kBetween, kIn, kCall };
  Kind kind = Kind::kCall;
  bool parenthesised = false;
  Comparator comparator = Comparator::kEqual;  // kCompare
  std::vector<ConditionNode> children;         // of kOr and kAnd at least two, of kNot one
  /// kCompare: both sides; kBetween: operand, lower and upper bound; kIn: operand and the list;
  /// kCall: the call.
  std::vector<Operand> operands;
};

/// One action of an update expression.
struct UpdateAction {
  enum class Section : uint8_t { kSet, kRemove, kAdd, kDelete };
  Section section;
  Operand target;                // a path
  std::optional<Operand> value;  // absent for kRemove
};

std::string_view section_text(UpdateAction::Section section);

}  // namespace millrace
