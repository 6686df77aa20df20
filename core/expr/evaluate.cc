#include "core/expr/evaluate.h"

#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/expr/paths.h"

namespace millrace {
namespace {

// A string counts in UTF-16 code units: one a character, two for those of four bytes in UTF-8.
size_t utf16_size(std::string_view utf8) {
  size_t size = 0;
  for (char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    size += (byte & 0xC0) != 0x80;
    size += byte >= 0xF0;
  }
  return size;
}

std::optional<size_t> size_of(ValueView value) {
  switch (value.type()) {
    case ValueType::kString:
      return utf16_size(value.scalar());
    case ValueType::kBinary:
      return value.scalar().size();
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet:
      return value.set().size();
    case ValueType::kList:
      return value.list().size();
    case ValueType::kMap:
      return value.map().size();
    default:
      return std::nullopt;
  }
}

// Bytes for the value of size(), which stands in no item.
using Scratch = std::string;

std::optional<ValueView> evaluate(const Operand& operand, ItemView item, Scratch& scratch) {
  switch (operand.kind) {
    case Operand::Kind::kPath:
      return resolve(item, operand.path);
    case Operand::Kind::kValue:
      return operand.value_view();
    case Operand::Kind::kCall: {
      const std::optional<ValueView> argument = evaluate(operand.arguments[0], item, scratch);
      const std::optional<size_t> size = argument ? size_of(*argument) : std::nullopt;
      if (!size) return std::nullopt;
      std::string ordered;
      Number::parse(std::to_string(*size)).value().append_ordered(ordered);
      scratch.assign(1, static_cast<char>(ValueType::kNumber));
      put_length_prefixed(scratch, ordered);
      return ValueView(scratch);
    }
    default:
      return std::nullopt;
  }
}

// The order of two values, if they have one: both strings, both numbers or both binaries.
std::optional<int> order(ValueView a, ValueView b) {
  const ValueType type = a.type();
  if (type != b.type() || type < ValueType::kNumber || type > ValueType::kBinary) {
    return std::nullopt;
  }
  return a.scalar().compare(b.scalar());
}

bool compare(const ConditionNode& node, ItemView item) {
  Scratch left_scratch, right_scratch;
  const auto left = evaluate(node.operands[0], item, left_scratch);
  const auto right = evaluate(node.operands[1], item, right_scratch);
  if (node.comparator == Comparator::kEqual) return left && right && *left == *right;
  if (node.comparator == Comparator::kNotEqual) return !(left && right && *left == *right);
  const std::optional<int> sign = left && right ? order(*left, *right) : std::nullopt;
  if (!sign) return false;
  switch (node.comparator) {
    case Comparator::kLess:
      return *sign < 0;
    case Comparator::kLessOrEqual:
      return *sign <= 0;
    case Comparator::kGreater:
      return *sign > 0;
    default:
      return *sign >= 0;
  }
}

bool between(const ConditionNode& node, ItemView item) {
  Scratch scratches[3];
  std::optional<ValueView> values[3];
  for (size_t i = 0; i < 3; ++i) {
    values[i] = evaluate(node.operands[i], item, scratches[i]);
    if (!values[i]) return false;
  }
  const std::optional<int> low = order(*values[1], *values[0]);
  const std::optional<int> high = order(*values[0], *values[2]);
  return low && high && *low <= 0 && *high <= 0;
}

bool in_list(const ConditionNode& node, ItemView item) {
  Scratch scratch;
  const auto value = evaluate(node.operands[0], item, scratch);
  if (!value) return false;
  for (size_t i = 1; i < node.operands.size(); ++i) {
    Scratch other_scratch;
    const auto other = evaluate(node.operands[i], item, other_scratch);
    if (other && *other == *value) return true;
  }
  return false;
}

bool contains(ValueView whole, ValueView part) {
  const ValueType type = part.type();
  switch (whole.type()) {
    case ValueType::kString:
    case ValueType::kBinary:
      return type == whole.type() && whole.scalar().find(part.scalar()) != std::string_view::npos;
    case ValueType::kStringSet:
      return type == ValueType::kString && whole.set().contains(part.scalar());
    case ValueType::kNumberSet:
      return type == ValueType::kNumber && whole.set().contains(part.scalar());
    case ValueType::kBinarySet:
      return type == ValueType::kBinary && whole.set().contains(part.scalar());
    case ValueType::kList:
      for (ValueView element : whole.list()) {
        if (element == part) return true;
      }
      return false;
    default:
      return false;
  }
}

bool begins_with(ValueView whole, ValueView prefix) {
  return whole.type() == prefix.type() &&
         (whole.type() == ValueType::kString || whole.type() == ValueType::kBinary) &&
         whole.scalar().starts_with(prefix.scalar());
}

bool call(const Operand& function, ItemView item) {
  Scratch scratch;
  const auto first = evaluate(function.arguments[0], item, scratch);
  if (function.function == Function::kAttributeExists) return first.has_value();
  if (function.function == Function::kAttributeNotExists) return !first.has_value();
  if (!first) return false;
  Scratch second_scratch;
  const auto second = evaluate(function.arguments[1], item, second_scratch);
  if (!second) return false;
  switch (function.function) {
    case Function::kAttributeType:
      return wire_name(first->type()) == second->scalar();
    case Function::kBeginsWith:
      return begins_with(*first, *second);
    case Function::kContains:
      return contains(*first, *second);
    default:
      return false;
  }
}

}  // namespace

bool holds(const ConditionNode& node, ItemView item) {
  switch (node.kind) {
    case ConditionNode::Kind::kOr:
      for (const ConditionNode& child : node.children) {
        if (holds(child, item)) return true;
      }
      return false;
    case ConditionNode::Kind::kAnd:
      for (const ConditionNode& child : node.children) {
        if (!holds(child, item)) return false;
      }
      return true;
    case ConditionNode::Kind::kNot:
      return !holds(node.children[0], item);
    case ConditionNode::Kind::kCompare:
      return compare(node, item);
    case ConditionNode::Kind::kBetween:
      return between(node, item);
    case ConditionNode::Kind::kIn:
      return in_list(node, item);
    case ConditionNode::Kind::kCall:
      return call(node.operands[0], item);
  }
  return false;
}

}  // namespace millrace
