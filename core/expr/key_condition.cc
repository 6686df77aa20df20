#include <optional>

#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"

namespace millrace {
namespace {

constexpr std::string_view kKind = "KeyConditionExpression";

// One comparison of a key attribute with values.
struct KeyTerm {
  enum class Operator : uint8_t {
    kEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kBetween,
    kBeginsWith,
  };
  std::string_view name;
  Operator op;
  std::vector<const Operand*> values;
};

Error bad_operator(std::string_view text) {
  return validation_error("Invalid operator used in KeyConditionExpression: " + std::string(text));
}

Error bad_condition(const std::string& text) {
  return validation_error("Invalid condition in KeyConditionExpression: " + text);
}

KeyTerm::Operator operator_of(Comparator comparator, bool mirrored) {
  using Operator = KeyTerm::Operator;
  switch (comparator) {
    case Comparator::kLess:
      return mirrored ? Operator::kGreater : Operator::kLess;
    case Comparator::kLessOrEqual:
      return mirrored ? Operator::kGreaterOrEqual : Operator::kLessOrEqual;
    case Comparator::kGreater:
      return mirrored ? Operator::kLess : Operator::kGreater;
    case Comparator::kGreaterOrEqual:
      return mirrored ? Operator::kLessOrEqual : Operator::kGreaterOrEqual;
    default:
      return Operator::kEqual;
  }
}

// The one attribute that a term's operands name and, in `position`, which operand it is.
Result<std::string_view> key_name(const std::vector<Operand>& operands, size_t& position) {
  std::optional<std::string_view> name;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Operand& operand = operands[i];
    if (operand.kind == Operand::Kind::kCall) {
      return validation_error("KeyConditionExpressions cannot contain nested operations");
    }
    if (operand.kind != Operand::Kind::kPath) continue;
    if (name) return bad_condition("Multiple attribute names used in one condition");
    if (operand.path.size() > 1) {
      return validation_error(
          "KeyConditionExpressions cannot have conditions on nested attributes");
    }
    name = operand.path[0].name;
    position = i;
  }
  if (!name) return bad_condition("No key attribute specified");
  return *name;
}

Result<KeyTerm> term_of(const ConditionNode& node) {
  if (node.kind == ConditionNode::Kind::kCompare && node.comparator == Comparator::kNotEqual) {
    return bad_operator("<>");
  }
  const bool is_call = node.kind == ConditionNode::Kind::kCall;
  if (is_call && node.operands[0].function != Function::kBeginsWith) {
    return bad_operator(node.operands[0].text);
  }
  const std::vector<Operand>& operands = is_call ? node.operands[0].arguments : node.operands;
  const bool is_compare = node.kind == ConditionNode::Kind::kCompare;
  if (!is_compare && operands[0].kind == Operand::Kind::kValue) {
    return bad_condition(std::string(is_call ? "begins_with" : "BETWEEN") +
                         " operator must have the key attribute as its first operand");
  }
  KeyTerm term;
  size_t position = 0;
  ASSIGN_OR_RETURN(term.name, key_name(operands, position));
  term.op = is_call      ? KeyTerm::Operator::kBeginsWith
            : is_compare ? operator_of(node.comparator, position == 1)
                         : KeyTerm::Operator::kBetween;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (i != position) term.values.push_back(&operands[i]);
  }
  return term;
}

// The terms that are joined by AND.
Status collect_terms(const ConditionNode& node, std::vector<KeyTerm>& terms) {
  switch (node.kind) {
    case ConditionNode::Kind::kAnd:
      for (const ConditionNode& child : node.children) RETURN_IF_ERROR(collect_terms(child, terms));
      return {};
    case ConditionNode::Kind::kOr:
      return bad_operator("OR");
    case ConditionNode::Kind::kNot:
      return bad_operator("NOT");
    case ConditionNode::Kind::kIn:
      return bad_operator("IN");
    default:
      break;
  }
  ASSIGN_OR_RETURN(KeyTerm term, term_of(node));
  for (const KeyTerm& earlier : terms) {
    if (earlier.name == term.name) {
      return validation_error("KeyConditionExpressions must only contain one condition per key");
    }
  }
  terms.push_back(std::move(term));
  return {};
}

// The scalar bytes that a value has as the key attribute.
Result<std::string> key_scalar(const Operand& operand, const KeyAttribute& attribute,
                               size_t bytes_max, const char* too_long) {
  const ValueView value = operand.value_view();
  if (value.type() != attribute.type) {
    return validation_error(
        "One or more parameter values were invalid: Condition parameter type does not match schema "
        "type");
  }
  const std::string_view scalar = value.scalar();
  if (scalar.empty()) {
    return validation_error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty " +
        std::string(attribute.type == ValueType::kString ? "string" : "binary") +
        " value. Key: " + attribute.name);
  }
  if (scalar.size() > bytes_max) {
    return validation_error(std::string("One or more parameter values were invalid: ") + too_long);
  }
  return std::string(scalar);
}

// The least byte string after `scalar`, so that [scalar, after(scalar)) is that one key.
std::string after(std::string scalar) {
  scalar.push_back('\0');
  return scalar;
}

Status bound_sort_key(const KeyTerm& term, const KeyAttribute& attribute, KeyCondition& key) {
  std::vector<std::string> scalars;
  for (const Operand* operand : term.values) {
    ASSIGN_OR_RETURN(std::string scalar,
                     key_scalar(*operand, attribute, kSortKeyBytesMax,
                                "Aggregated size of all range keys has exceeded the size limit of "
                                "1024 bytes"));
    scalars.push_back(std::move(scalar));
  }
  switch (term.op) {
    case KeyTerm::Operator::kEqual:
      key.sort_begin = scalars[0];
      key.sort_end = after(scalars[0]);
      break;
    case KeyTerm::Operator::kLess:
      key.sort_end = scalars[0];
      break;
    case KeyTerm::Operator::kLessOrEqual:
      key.sort_end = after(scalars[0]);
      break;
    case KeyTerm::Operator::kGreater:
      key.sort_begin = after(scalars[0]);
      break;
    case KeyTerm::Operator::kGreaterOrEqual:
      key.sort_begin = scalars[0];
      break;
    case KeyTerm::Operator::kBetween:
      key.sort_begin = scalars[0];
      key.sort_end = after(scalars[1]);
      break;
    case KeyTerm::Operator::kBeginsWith:
      key.sort_begin = scalars[0];
      key.sort_end = prefix_successor(scalars[0]);
      break;
  }
  key.sort_unbounded = key.sort_end.empty();
  key.empty = !key.sort_unbounded && key.sort_begin >= key.sort_end;
  return {};
}

const KeyTerm* term_on(const std::vector<KeyTerm>& terms, const std::string& name) {
  for (const KeyTerm& term : terms) {
    if (term.name == name) return &term;
  }
  return nullptr;
}

Error missed(const std::string& name) {
  return validation_error("Query condition missed key schema element: " + name);
}

Error unsupported() { return validation_error("Query key condition not supported"); }

}  // namespace

Result<KeyCondition> KeyCondition::parse(std::string_view text, const KeySchema& schema,
                                         Bindings& bindings) {
  ASSIGN_OR_RETURN(ConditionNode root, Parser(text, kKind).condition());
  RETURN_IF_ERROR(bind_condition(root, kKind, bindings));
  std::vector<KeyTerm> terms;
  RETURN_IF_ERROR(collect_terms(root, terms));
  if (terms.size() > 2) return validation_error("Conditions can be of length 1 or 2 only");

  if (!schema.sort && terms.size() > 1) return unsupported();
  const KeyTerm* partition = term_on(terms, schema.partition.name);
  if (partition == nullptr) return missed(schema.partition.name);
  const KeyTerm* sort = schema.sort ? term_on(terms, schema.sort->name) : nullptr;
  if (sort == nullptr && terms.size() > 1) return missed(schema.sort->name);

  KeyCondition key;
  for (const Operand* operand : partition->values) {
    ASSIGN_OR_RETURN(
        key.partition_scalar,
        key_scalar(*operand, schema.partition, kPartitionKeyBytesMax,
                   "Size of hashkey has exceeded the maximum size limit of2048 bytes"));
  }
  if (partition->op != KeyTerm::Operator::kEqual) return unsupported();
  if (sort != nullptr) RETURN_IF_ERROR(bound_sort_key(*sort, *schema.sort, key));
  return key;
}

}  // namespace millrace
