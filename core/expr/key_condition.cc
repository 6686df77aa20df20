#include "core/expr/key_condition.h"

#include <algorithm>

#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/parser.h"
#include "core/model/refusals.h"

namespace millrace {
namespace {

constexpr std::string_view kKind = "KeyConditionExpression";

Error bad_operator(std::string_view text) {
  return validation_error("Invalid operator used in KeyConditionExpression: " + std::string(text));
}

Error bad_condition(const std::string& text) {
  return validation_error("Invalid condition in KeyConditionExpression: " + text);
}

Error invalid(const std::string& text) {
  return validation_error("Invalid KeyConditionExpression: " + text);
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
      return invalid("KeyConditionExpressions cannot contain nested operations");
    }
    if (operand.kind != Operand::Kind::kPath) continue;
    if (name) {
      return invalid(
          "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
          "condition");
    }
    if (operand.path.size() > 1) {
      return invalid("KeyConditionExpressions cannot have conditions on nested attributes");
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
  ASSIGN_OR_RETURN(const std::string_view name, key_name(operands, position));
  term.name = name;
  term.op = is_call      ? KeyTerm::Operator::kBeginsWith
            : is_compare ? operator_of(node.comparator, position == 1)
                         : KeyTerm::Operator::kBetween;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (i != position) term.values.push_back(*operands[i].value);
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
      return invalid("KeyConditionExpressions must only contain one condition per key");
    }
  }
  terms.push_back(std::move(term));
  return {};
}

// The scalar bytes that a value has as the key attribute.
Result<std::string> key_scalar(std::string_view encoded, const KeyAttribute& attribute) {
  const ValueView value(encoded);
  if (value.type() != attribute.type) {
    return invalid_parameter("Condition parameter type does not match schema type");
  }
  const std::string_view scalar = value.scalar();
  if (scalar.empty()) {
    return validation_error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty " +
        std::string(attribute.type == ValueType::kString ? "string" : "binary") +
        " value. Key: " + attribute.name);
  }
  return std::string(scalar);
}

Error missed(const std::string& name) {
  return validation_error("Query condition missed key schema element: " + name);
}

// What is said of the partition attributes of a key of many attributes that have no "=".
Error no_partition(const std::string& unequal) {
  return validation_error("HASH key attributes " + unequal +
                          " must have equality conditions specified in the query");
}

Error unsupported() { return validation_error("Query key condition not supported"); }

Error no_prefix(const std::string& unequal, const std::string& conditioned) {
  return validation_error("RANGE key attributes " + unequal +
                          " must have equality conditions specified in the query because a "
                          "condition is present on key attribute " +
                          conditioned);
}

// Takes the terms that the attributes of a key want, one attribute after the other.
class Assembly {
 public:
  Assembly(const std::vector<KeyTerm>& terms, const KeyCondition::AttributeCheck& first_check)
      : terms_(terms), first_check_(first_check) {}

  Status take_partition(const IndexKeySchema& key) {
    const bool many = key.partition.size() > 1 || key.sort.size() > 1;
    std::string unequal;
    for (const KeyAttribute& attribute : key.partition) {
      if (first_check_) RETURN_IF_ERROR(first_check_(attribute));
      const KeyTerm* term = term_on(attribute.name);
      if (term == nullptr && !many) return missed(attribute.name);
      std::vector<std::string> scalars;
      if (term != nullptr) RETURN_IF_ERROR(read_scalars(*term, attribute, true, scalars));
      if (term != nullptr && term->op == KeyTerm::Operator::kEqual) {
        key_.partition.push_back(std::move(scalars[0]));
      } else if (many) {
        unequal.append(unequal.empty() ? "" : ", ").append(attribute.name);
      } else {
        return unsupported();
      }
    }
    return unequal.empty() ? Status{} : no_partition(unequal);
  }

  Status take_sort(const KeyAttribute& attribute) {
    if (first_check_) RETURN_IF_ERROR(first_check_(attribute));
    const KeyTerm* term = term_on(attribute.name);
    if (term != nullptr) {
      std::vector<std::string> scalars;
      RETURN_IF_ERROR(read_scalars(*term, attribute, false, scalars));
      if (!unequal_.empty()) return no_prefix(unequal_, attribute.name);
      bound(term->op, std::move(scalars));
    } else if (missed_.empty()) {
      missed_ = attribute.name;
    }
    if (term == nullptr || term->op != KeyTerm::Operator::kEqual)
      unequal_.append(unequal_.empty() ? "" : ", ").append(attribute.name);
    return {};
  }

  Result<KeyCondition> finish() {
    // What is left is on attributes that are none of the key's.
    if (taken_ < terms_.size()) return missed(missed_);
    return std::move(key_);
  }

 private:
  const KeyTerm* term_on(const std::string& name) {
    for (const KeyTerm& term : terms_) {
      if (term.name != name) continue;
      ++taken_;
      return &term;
    }
    return nullptr;
  }

  Status read_scalars(const KeyTerm& term, const KeyAttribute& attribute, bool is_partition,
                      std::vector<std::string>& scalars) {
    if (term.op == KeyTerm::Operator::kNotIndexable) {
      return validation_error("Attempted conditional constraint is not an indexable operation");
    }
    size_t& bytes = is_partition ? partition_bytes_ : sort_bytes_;
    size_t largest = 0;
    for (const std::string& value : term.values) {
      ASSIGN_OR_RETURN(std::string scalar, key_scalar(value, attribute));
      largest = std::max(largest, scalar.size());
      scalars.push_back(std::move(scalar));
    }
    bytes += largest;
    if (bytes > (is_partition ? kPartitionKeyBytesMax : kSortKeyBytesMax)) {
      return key_too_long(is_partition);
    }
    return {};
  }

  void bound(KeyTerm::Operator op, std::vector<std::string> scalars) {
    switch (op) {
      case KeyTerm::Operator::kEqual:
        key_.sort_equal.push_back(std::move(scalars[0]));
        break;
      case KeyTerm::Operator::kLess:
        key_.upper = {std::move(scalars[0]), false};
        break;
      case KeyTerm::Operator::kLessOrEqual:
        key_.upper = {std::move(scalars[0]), true};
        break;
      case KeyTerm::Operator::kGreater:
        key_.lower = {std::move(scalars[0]), false};
        break;
      case KeyTerm::Operator::kGreaterOrEqual:
        key_.lower = {std::move(scalars[0]), true};
        break;
      case KeyTerm::Operator::kBetween:
        key_.lower = {std::move(scalars[0]), true};
        key_.upper = {std::move(scalars[1]), true};
        break;
      case KeyTerm::Operator::kBeginsWith:
        key_.prefix = std::move(scalars[0]);
        break;
      case KeyTerm::Operator::kNotIndexable:
        break;  // refused by read_scalars
    }
  }

  const std::vector<KeyTerm>& terms_;
  const KeyCondition::AttributeCheck& first_check_;
  KeyCondition key_;
  size_t taken_ = 0;
  std::string missed_;   // the first sort attribute without a term
  std::string unequal_;  // the sort attributes without "=", listed
  size_t partition_bytes_ = 0;
  size_t sort_bytes_ = 0;
};

}  // namespace

Result<std::shared_ptr<const ConditionNode>> parse_key_condition(std::string_view text,
                                                                 Bindings& bindings) {
  ASSIGN_OR_RETURN(ConditionNode root, Parser(text, kKind).condition());
  RETURN_IF_ERROR(bind_condition(root, kKind, bindings));
  return std::make_shared<const ConditionNode>(std::move(root));
}

Result<std::vector<KeyTerm>> key_terms(const ConditionNode& condition) {
  std::vector<KeyTerm> terms;
  RETURN_IF_ERROR(collect_terms(condition, terms));
  return terms;
}

Result<KeyCondition> KeyCondition::of(const std::vector<KeyTerm>& terms, const IndexKeySchema& key,
                                      const AttributeCheck& first_check) {
  const size_t attributes = key.partition.size() + key.sort.size();
  if (terms.empty()) return validation_error("Conditions can be of length 1 or 2 only");
  if (terms.size() > attributes) {
    return validation_error("The number of query conditions (" + std::to_string(terms.size()) +
                            ") exceeds the number of key attributes defined in the schema (" +
                            std::to_string(attributes) + ")");
  }
  Assembly assembly(terms, first_check);
  RETURN_IF_ERROR(assembly.take_partition(key));
  for (const KeyAttribute& attribute : key.sort) RETURN_IF_ERROR(assembly.take_sort(attribute));
  return assembly.finish();
}

}  // namespace millrace
