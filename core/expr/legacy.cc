#include "core/expr/legacy.h"

#include <algorithm>
#include <utility>

#include "core/expr/ast.h"
#include "core/model/refusals.h"

namespace millrace {
namespace {

constexpr std::pair<std::string_view, LegacyOperator> kOperators[] = {
    {"EQ", LegacyOperator::kEqual},
    {"NE", LegacyOperator::kNotEqual},
    {"LT", LegacyOperator::kLess},
    {"LE", LegacyOperator::kLessOrEqual},
    {"GT", LegacyOperator::kGreater},
    {"GE", LegacyOperator::kGreaterOrEqual},
    {"NOT_NULL", LegacyOperator::kNotNull},
    {"NULL", LegacyOperator::kNull},
    {"CONTAINS", LegacyOperator::kContains},
    {"NOT_CONTAINS", LegacyOperator::kNotContains},
    {"BEGINS_WITH", LegacyOperator::kBeginsWith},
    {"IN", LegacyOperator::kIn},
    {"BETWEEN", LegacyOperator::kBetween},
};

bool takes_count(LegacyOperator op, size_t count) {
  switch (op) {
    case LegacyOperator::kNotNull:
    case LegacyOperator::kNull:
      return count == 0;
    case LegacyOperator::kIn:
      return count > 0;
    case LegacyOperator::kBetween:
      return count == 2;
    default:
      return count == 1;
  }
}

bool takes_type(LegacyOperator op, std::string_view type) {
  const bool ordered = type == "S" || type == "N" || type == "B";
  switch (op) {
    case LegacyOperator::kEqual:
    case LegacyOperator::kNotEqual:
      return true;
    case LegacyOperator::kContains:
    case LegacyOperator::kNotContains:
      return ordered || type == "BOOL" || type == "NULL";
    case LegacyOperator::kBeginsWith:
      return type == "S" || type == "B";
    default:
      return ordered;
  }
}

Operand path_operand(const std::string& attribute) {
  Operand operand;
  operand.kind = Operand::Kind::kPath;
  operand.path.push_back({attribute, std::nullopt});
  return operand;
}

Operand value_operand(std::string value) {
  Operand operand;
  operand.kind = Operand::Kind::kValue;
  operand.value = std::make_shared<const std::string>(std::move(value));
  return operand;
}

ConditionNode call_node(Function function, const LegacyCondition& condition) {
  ConditionNode node;
  node.kind = ConditionNode::Kind::kCall;
  Operand& call = node.operands.emplace_back();
  call.kind = Operand::Kind::kCall;
  call.function = function;
  call.arguments.push_back(path_operand(condition.attribute));
  const bool has_value =
      function != Function::kAttributeExists && function != Function::kAttributeNotExists;
  if (has_value) call.arguments.push_back(value_operand(condition.values[0]));
  return node;
}

ConditionNode values_node(ConditionNode::Kind kind, const LegacyCondition& condition,
                          Comparator comparator = Comparator::kEqual) {
  ConditionNode node;
  node.kind = kind;
  node.comparator = comparator;
  node.operands.push_back(path_operand(condition.attribute));
  for (const std::string& value : condition.values) node.operands.push_back(value_operand(value));
  return node;
}

// What is not there does not contain anything, and yet NOT_CONTAINS is false of it.
ConditionNode not_contains_node(const LegacyCondition& condition) {
  ConditionNode negation;
  negation.kind = ConditionNode::Kind::kNot;
  negation.children.push_back(call_node(Function::kContains, condition));
  ConditionNode both;
  both.kind = ConditionNode::Kind::kAnd;
  both.children.push_back(call_node(Function::kAttributeExists, condition));
  both.children.push_back(std::move(negation));
  return both;
}

ConditionNode node_of(const LegacyCondition& condition) {
  using Kind = ConditionNode::Kind;
  switch (condition.op) {
    case LegacyOperator::kEqual:
      return values_node(Kind::kCompare, condition, Comparator::kEqual);
    case LegacyOperator::kNotEqual:
      return values_node(Kind::kCompare, condition, Comparator::kNotEqual);
    case LegacyOperator::kLess:
      return values_node(Kind::kCompare, condition, Comparator::kLess);
    case LegacyOperator::kLessOrEqual:
      return values_node(Kind::kCompare, condition, Comparator::kLessOrEqual);
    case LegacyOperator::kGreater:
      return values_node(Kind::kCompare, condition, Comparator::kGreater);
    case LegacyOperator::kGreaterOrEqual:
      return values_node(Kind::kCompare, condition, Comparator::kGreaterOrEqual);
    case LegacyOperator::kNotNull:
      return call_node(Function::kAttributeExists, condition);
    case LegacyOperator::kNull:
      return call_node(Function::kAttributeNotExists, condition);
    case LegacyOperator::kContains:
      return call_node(Function::kContains, condition);
    case LegacyOperator::kNotContains:
      return not_contains_node(condition);
    case LegacyOperator::kBeginsWith:
      return call_node(Function::kBeginsWith, condition);
    case LegacyOperator::kIn:
      return values_node(Kind::kIn, condition);
    case LegacyOperator::kBetween:
      break;
  }
  return values_node(Kind::kBetween, condition);
}

KeyTerm::Operator term_operator(LegacyOperator op) {
  using Operator = KeyTerm::Operator;
  switch (op) {
    case LegacyOperator::kEqual:
      return Operator::kEqual;
    case LegacyOperator::kLess:
      return Operator::kLess;
    case LegacyOperator::kLessOrEqual:
      return Operator::kLessOrEqual;
    case LegacyOperator::kGreater:
      return Operator::kGreater;
    case LegacyOperator::kGreaterOrEqual:
      return Operator::kGreaterOrEqual;
    case LegacyOperator::kBetween:
      return Operator::kBetween;
    case LegacyOperator::kBeginsWith:
      return Operator::kBeginsWith;
    default:
      return Operator::kNotIndexable;
  }
}

}  // namespace

std::optional<LegacyOperator> legacy_operator_of(std::string_view name) {
  for (const auto& [text, op] : kOperators) {
    if (text == name) return op;
  }
  return std::nullopt;
}

std::string_view legacy_operator_name(LegacyOperator op) {
  for (const auto& [text, listed] : kOperators) {
    if (listed == op) return text;
  }
  return {};
}

Status check_legacy_condition(const LegacyCondition& condition) {
  const std::string name(legacy_operator_name(condition.op));
  const std::vector<std::string>& values = condition.values;
  if (!takes_count(condition.op, values.size())) {
    return invalid_parameter("Invalid number of argument(s) for the " + name +
                             " ComparisonOperator");
  }
  if (values.empty()) return {};
  const std::string_view type = wire_name(ValueView(values[0]).type());
  for (const std::string& value : values) {
    if (wire_name(ValueView(value).type()) != type) {
      return invalid_parameter("AttributeValues inside AttributeValueList must be of same type");
    }
  }
  if (!takes_type(condition.op, type)) {
    return invalid_parameter("ComparisonOperator " + name + " is not valid for " +
                             std::string(type) + " AttributeValue type");
  }
  if (condition.op == LegacyOperator::kBetween &&
      ValueView(values[0]).scalar() > ValueView(values[1]).scalar()) {
    return validation_error(
        "The BETWEEN condition was provided a range where the lower bound is greater than the "
        "upper bound");
  }
  return {};
}

Condition compile_conditions(const std::vector<LegacyCondition>& conditions, bool any) {
  if (conditions.size() == 1) return Condition::of(node_of(conditions[0]));
  ConditionNode root;
  root.kind = any ? ConditionNode::Kind::kOr : ConditionNode::Kind::kAnd;
  for (const LegacyCondition& condition : conditions) root.children.push_back(node_of(condition));
  return Condition::of(std::move(root));
}

std::vector<KeyTerm> compile_key_terms(const std::vector<LegacyCondition>& conditions) {
  std::vector<KeyTerm> terms;
  terms.reserve(conditions.size());
  for (const LegacyCondition& condition : conditions)
    terms.push_back({condition.attribute, term_operator(condition.op), condition.values});
  return terms;
}

Status check_legacy_update(const LegacyUpdate& update) {
  if (!update.value) {
    if (update.action == LegacyUpdate::Action::kDelete) return {};
    return invalid_parameter("Only DELETE action is allowed when no attribute value is specified");
  }
  const std::string_view type = wire_name(ValueView(*update.value).type());
  const bool set = type == "SS" || type == "NS" || type == "BS";
  if (update.action == LegacyUpdate::Action::kDelete && !set) {
    return invalid_parameter("DELETE action with value is not supported for the type " +
                             std::string(type));
  }
  if (update.action == LegacyUpdate::Action::kAdd && !set && type != "N" && type != "L") {
    return invalid_parameter("ADD action is not supported for the type " + std::string(type));
  }
  return {};
}

Update compile_updates(const std::vector<LegacyUpdate>& updates) {
  using Section = UpdateAction::Section;
  std::vector<UpdateAction> actions;
  actions.reserve(updates.size());
  for (const LegacyUpdate& update : updates) {
    UpdateAction& action = actions.emplace_back();
    action.target = path_operand(update.attribute);
    if (update.value) action.value = value_operand(*update.value);
    switch (update.action) {
      case LegacyUpdate::Action::kPut:
        action.section = Section::kSet;
        break;
      case LegacyUpdate::Action::kAdd:
        action.section = Section::kAdd;
        break;
      case LegacyUpdate::Action::kDelete:
        action.section = update.value ? Section::kDelete : Section::kRemove;
        break;
    }
  }
  return Update::of_legacy(std::move(actions));
}

}  // namespace millrace
