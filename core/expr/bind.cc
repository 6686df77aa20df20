#include "core/expr/bind.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "core/expr/paths.h"
#include "core/expr/reserved_words.h"
#include "core/model/item_json.h"

namespace millrace {
namespace {

constexpr int kOperatorsMax = 300;
constexpr size_t kInOperandsMax = 100;
constexpr uint32_t kListIndexMax = 2147483647;

constexpr std::string_view kUpdateKind = "UpdateExpression";
constexpr std::string_view kIncorrectType = "Incorrect operand type for operator or function; ";

Function function_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Function> kFunctions[] = {
      {"attribute_exists", Function::kAttributeExists},
      {"attribute_not_exists", Function::kAttributeNotExists},
      {"attribute_type", Function::kAttributeType},
      {"begins_with", Function::kBeginsWith},
      {"contains", Function::kContains},
      {"size", Function::kSize},
      {"if_not_exists", Function::kIfNotExists},
      {"list_append", Function::kListAppend},
  };
  for (const auto& [text, function] : kFunctions) {
    if (name == text) return function;
  }
  return Function::kUnknown;
}

size_t arity(Function function) {
  return function == Function::kAttributeExists || function == Function::kAttributeNotExists ||
                 function == Function::kSize
             ? 1
             : 2;
}

bool needs_path(Function function) {
  return function == Function::kAttributeExists || function == Function::kAttributeNotExists ||
         function == Function::kIfNotExists;
}

// The type that an operand has whatever the item holds; empty for paths.
std::string_view static_type(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kValue:
      return wire_name(operand.value_view().type());
    case Operand::Kind::kCall:
      if (operand.function == Function::kSize) return "N";
      return {};
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      return "N";
    case Operand::Kind::kPath:
      return {};
  }
  return {};
}

bool is_ordered_type(std::string_view type) { return type == "S" || type == "N" || type == "B"; }

std::string type_name_in_words(std::string_view type) {
  if (type == "S") return "STRING";
  if (type == "N") return "NUMBER";
  if (type == "B") return "BINARY";
  if (type == "BOOL") return "BOOLEAN";
  if (type == "L") return "LIST";
  if (type == "M") return "MAP";
  if (type == "SS") return "STRING_SET";
  if (type == "NS") return "NUMBER_SET";
  if (type == "BS") return "BINARY_SET";
  return std::string(type);
}

class Binder {
 public:
  Binder(std::string_view kind, Bindings& bindings)
      : kind_(kind), in_update_(kind == kUpdateKind), bindings_(bindings) {}

  // Pass 1: what can be judged without names and values.
  enum class Place : uint8_t { kCondition, kOperand, kSetValue, kArgument };
  Status check(ConditionNode& node);
  Status check(Operand& operand, Place place);

  // Pass 2: names, values and types.
  Status bind(ConditionNode& node);
  Status bind(Operand& operand);
  Status bind_names(Operand& operand);
  Status bind_path(Operand& operand);

  Error error(std::string message) const { return expression_error(kind_, std::move(message)); }

 private:
  Status count_operator();
  Status check_path(const Operand& operand) const;
  Status check_call(Operand& operand, Place place);
  Status check_arity(const Operand& call) const;
  Status check_call_types(const Operand& call) const;
  Status check_attribute_type(const Operand& call) const;
  Status check_bounds(const ConditionNode& between) const;
  Status check_distinct(std::string_view op, const std::vector<Operand>& operands) const;
  Status check_ordered(std::string_view op, const std::vector<Operand>& operands) const;
  Error incorrect_type(std::string_view op, std::string_view type) const;

  std::string_view kind_;
  bool in_update_;
  Bindings& bindings_;
  // One copy of each value, however often the expression names it: values hold two megabytes.
  std::map<std::string, std::shared_ptr<const std::string>> values_;
  int operators_ = 0;
};

Status Binder::count_operator() {
  if (++operators_ <= kOperatorsMax) return {};
  return error("The expression contains too many operators; operator count: " +
               std::to_string(operators_));
}

Status Binder::check(ConditionNode& node) {
  const bool is_chain =
      node.kind == ConditionNode::Kind::kAnd || node.kind == ConditionNode::Kind::kOr;
  const size_t operators = is_chain                                  ? node.children.size() - 1
                           : node.kind == ConditionNode::Kind::kCall ? 0
                                                                     : 1;
  for (size_t i = 0; i < operators; ++i) RETURN_IF_ERROR(count_operator());
  for (ConditionNode& child : node.children) RETURN_IF_ERROR(check(child));
  const Place place = node.kind == ConditionNode::Kind::kCall ? Place::kCondition : Place::kOperand;
  for (Operand& operand : node.operands) RETURN_IF_ERROR(check(operand, place));
  return {};
}

Status Binder::check(Operand& operand, Place place) {
  switch (operand.kind) {
    case Operand::Kind::kPath:
      return check_path(operand);
    case Operand::Kind::kValue:
      return {};
    case Operand::Kind::kCall:
      return check_call(operand, place);
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      RETURN_IF_ERROR(count_operator());
      for (Operand& side : operand.arguments) RETURN_IF_ERROR(check(side, Place::kArgument));
      return {};
  }
  return {};
}

Status Binder::check_path(const Operand& operand) const {
  for (const PathStep& step : operand.steps) {
    if (step.kind == PathStep::Kind::kName && is_reserved_word(step.text)) {
      return error("Attribute name is a reserved keyword; reserved keyword: " + step.text);
    }
    if (step.kind == PathStep::Kind::kIndex &&
        (step.text.size() > 10 || std::stoull(step.text) > kListIndexMax)) {
      return error("List index is not within the allowable range; index: [" + step.text + "]");
    }
  }
  return {};
}

Status Binder::check_call(Operand& operand, Place place) {
  RETURN_IF_ERROR(count_operator());
  operand.function = function_of(operand.text);
  const Function function = operand.function;
  if (function == Function::kUnknown) {
    return error("Invalid function name; function: " + operand.text);
  }
  const bool for_update = function == Function::kIfNotExists || function == Function::kListAppend;
  if (for_update != in_update_) {
    return error(std::string("The function is not allowed in ") +
                 (in_update_ ? "an update" : "a condition") +
                 " expression; function: " + operand.text);
  }
  const bool misplaced = in_update_ ? place == Place::kArgument && function == Function::kListAppend
                                    : (place == Place::kCondition) == (function == Function::kSize);
  if (misplaced) {
    return error("The function is not allowed to be used this way in an expression; function: " +
                 operand.text);
  }
  for (Operand& argument : operand.arguments) {
    RETURN_IF_ERROR(check(argument, in_update_ ? Place::kArgument : Place::kOperand));
  }
  return {};
}

Status Binder::check_arity(const Operand& call) const {
  if (call.arguments.size() == arity(call.function)) return {};
  return error("Incorrect number of operands for operator or function; operator or function: " +
               call.text + ", number of operands: " + std::to_string(call.arguments.size()));
}

Error Binder::incorrect_type(std::string_view op, std::string_view type) const {
  return error(std::string(kIncorrectType) + "operator or function: " + std::string(op) +
               ", operand type: " + std::string(type));
}

Status Binder::bind(ConditionNode& node) {
  for (ConditionNode& child : node.children) RETURN_IF_ERROR(bind(child));
  for (Operand& operand : node.operands) RETURN_IF_ERROR(bind(operand));
  switch (node.kind) {
    case ConditionNode::Kind::kCompare: {
      const std::string_view op = comparator_text(node.comparator);
      RETURN_IF_ERROR(check_distinct(op, node.operands));
      if (node.comparator != Comparator::kEqual && node.comparator != Comparator::kNotEqual) {
        RETURN_IF_ERROR(check_ordered(op, node.operands));
      }
      return {};
    }
    case ConditionNode::Kind::kBetween:
      RETURN_IF_ERROR(check_distinct("BETWEEN", node.operands));
      RETURN_IF_ERROR(check_ordered("BETWEEN", node.operands));
      return check_bounds(node);
    case ConditionNode::Kind::kIn:
      if (node.operands.size() - 1 > kInOperandsMax) {
        return error("The IN operator is provided with too many operands; number of operands: " +
                     std::to_string(node.operands.size() - 1));
      }
      return check_distinct("IN", node.operands);
    default:
      return {};
  }
}

Status Binder::bind(Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kPath:
      return bind_path(operand);
    case Operand::Kind::kValue: {
      ASSIGN_OR_RETURN(const ValueView value, bindings_.value(operand.text, kind_));
      std::shared_ptr<const std::string>& copy = values_[operand.text];
      if (copy == nullptr) copy = std::make_shared<const std::string>(value.encoded());
      operand.value = copy;
      return {};
    }
    case Operand::Kind::kCall:
      for (Operand& argument : operand.arguments) RETURN_IF_ERROR(bind(argument));
      RETURN_IF_ERROR(check_arity(operand));
      return check_call_types(operand);
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      for (Operand& side : operand.arguments) RETURN_IF_ERROR(bind(side));
      for (const Operand& side : operand.arguments) {
        const std::string_view type = static_type(side);
        if (!type.empty() && type != "N") {
          return incorrect_type(operand.kind == Operand::Kind::kPlus ? "+" : "-", type);
        }
      }
      return {};
  }
  return {};
}

Status Binder::bind_names(Operand& operand) {
  if (operand.kind == Operand::Kind::kPath) return bind_path(operand);
  for (Operand& argument : operand.arguments) RETURN_IF_ERROR(bind_names(argument));
  return {};
}

Status Binder::bind_path(Operand& operand) {
  operand.path.clear();
  operand.path.reserve(operand.steps.size());
  for (const PathStep& step : operand.steps) {
    PathElement& element = operand.path.emplace_back();
    if (step.kind == PathStep::Kind::kIndex) {
      element.index = static_cast<uint32_t>(std::stoul(step.text));
    } else if (step.kind == PathStep::Kind::kAlias) {
      ASSIGN_OR_RETURN(element.name, bindings_.name(step.text, kind_));
    } else {
      element.name = step.text;
    }
  }
  if (operand.path.size() > kNestingMax) {
    return error("The document path has too many nesting levels; nesting levels: " +
                 std::to_string(operand.path.size()));
  }
  return {};
}

Status Binder::check_call_types(const Operand& call) const {
  const Operand& first = call.arguments[0];
  if (needs_path(call.function) && first.kind != Operand::Kind::kPath) {
    return error("Operator or function requires a document path; operator or function: " +
                 call.text);
  }
  RETURN_IF_ERROR(call.function == Function::kListAppend
                      ? Status()
                      : check_distinct(call.text, call.arguments));
  switch (call.function) {
    case Function::kSize: {
      const std::string_view type = static_type(first);
      if (type == "N" || type == "BOOL" || type == "NULL") return incorrect_type("size", type);
      return {};
    }
    case Function::kBeginsWith:
      for (const Operand& argument : call.arguments) {
        const std::string_view type = static_type(argument);
        if (!type.empty() && type != "S" && type != "B") return incorrect_type(call.text, type);
      }
      return {};
    case Function::kListAppend:
      for (const Operand& argument : call.arguments) {
        const std::string_view type = static_type(argument);
        if (!type.empty() && type != "L") return incorrect_type(call.text, type);
      }
      return {};
    case Function::kAttributeType:
      return check_attribute_type(call);
    default:
      return {};
  }
}

Status Binder::check_attribute_type(const Operand& call) const {
  const Operand& wanted = call.arguments[1];
  const std::string_view type = static_type(wanted);
  if (type != "S") {
    return incorrect_type(call.text, type.empty() ? "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}" : type);
  }
  static constexpr std::string_view kTypes[] = {"B",  "NULL", "SS", "BOOL", "L",
                                                "BS", "N",    "NS", "S",    "M"};
  const std::string_view name = wanted.value_view().scalar();
  if (std::find(std::begin(kTypes), std::end(kTypes), name) == std::end(kTypes)) {
    return error("Invalid attribute type name found; type: " + std::string(name) +
                 ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
  }
  return {};
}

Status Binder::check_bounds(const ConditionNode& between) const {
  const Operand& lower = between.operands[1];
  const Operand& upper = between.operands[2];
  if (lower.kind != Operand::Kind::kValue || upper.kind != Operand::Kind::kValue) return {};
  const ValueView low = lower.value_view(), high = upper.value_view();
  const char* problem = low.type() != high.type() ? "same data type for lower and upper bounds"
                        : low.scalar() > high.scalar()
                            ? "upper bound to be greater than or equal to lower bound"
                            : nullptr;
  if (problem == nullptr) return {};
  return error(std::string("The BETWEEN operator requires ") + problem + "; lower bound operand: " +
               printed_key_value(low) + ", upper bound operand: " + printed_key_value(high));
}

// An operand that is compared with itself is refused.
Status Binder::check_distinct(std::string_view op, const std::vector<Operand>& operands) const {
  if (operands[0].kind != Operand::Kind::kPath) return {};
  for (size_t i = 1; i < operands.size(); ++i) {
    if (operands[i].kind == Operand::Kind::kPath && operands[i].path == operands[0].path) {
      return error(
          "The first operand must be distinct from the remaining operands for this operator or "
          "function; operator: " +
          std::string(op) + ", first operand: " + path_text(operands[0].path));
    }
  }
  return {};
}

Status Binder::check_ordered(std::string_view op, const std::vector<Operand>& operands) const {
  for (const Operand& operand : operands) {
    const std::string_view type = static_type(operand);
    if (!type.empty() && !is_ordered_type(type)) return incorrect_type(op, type);
  }
  return {};
}

Status check_added_or_deleted(const UpdateAction& action) {
  const bool adds = action.section == UpdateAction::Section::kAdd;
  if (!adds && action.section != UpdateAction::Section::kDelete) return {};
  const std::string_view type = static_type(*action.value);
  if (type == "SS" || type == "NS" || type == "BS" || (adds && type == "N")) return {};
  const std::string name(section_text(action.section));
  return expression_error(kUpdateKind, std::string(kIncorrectType) + "operator: " + name +
                                           ", operand type: " + type_name_in_words(type) +
                                           ", typeSet: ALLOWED_FOR_" + name + "_OPERAND");
}

}  // namespace

Status bind_condition(ConditionNode& root, std::string_view kind, Bindings& bindings) {
  Binder binder(kind, bindings);
  RETURN_IF_ERROR(binder.check(root));
  return binder.bind(root);
}

Status bind_update(UpdateSyntax& update, Bindings& bindings) {
  Binder binder(kUpdateKind, bindings);
  std::vector<UpdateAction>& actions = update.actions;
  for (UpdateAction& action : actions) {
    RETURN_IF_ERROR(binder.check(action.target, Binder::Place::kOperand));
    if (action.value) RETURN_IF_ERROR(binder.check(*action.value, Binder::Place::kSetValue));
  }
  if (update.repeated) {
    return binder.error("The \"" + std::string(section_text(*update.repeated)) +
                        "\" section can only be used once in an update expression;");
  }
  std::vector<const Path*> targets;
  for (UpdateAction& action : actions) {
    RETURN_IF_ERROR(binder.bind_path(action.target));
    targets.push_back(&action.target.path);
  }
  RETURN_IF_ERROR(check_overlaps(targets, kUpdateKind));
  // DynamoDB looks at the actions from the last to the first: at names, then at values and their
  // types.
  for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
    if (action->value) RETURN_IF_ERROR(binder.bind_names(*action->value));
  }
  for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
    if (action->value) RETURN_IF_ERROR(binder.bind(*action->value));
    RETURN_IF_ERROR(check_added_or_deleted(*action));
  }
  return {};
}

Status bind_projection(std::vector<Operand>& paths, Bindings& bindings) {
  constexpr std::string_view kKind = "ProjectionExpression";
  Binder binder(kKind, bindings);
  for (Operand& path : paths) RETURN_IF_ERROR(binder.check(path, Binder::Place::kOperand));
  std::vector<const Path*> targets;
  for (Operand& path : paths) {
    RETURN_IF_ERROR(binder.bind_path(path));
    targets.push_back(&path.path);
  }
  return check_overlaps(targets, kKind);
}

}  // namespace millrace
