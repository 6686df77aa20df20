#include <algorithm>

#include "core/base/bytes.h"
#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/evaluate.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"
#include "core/expr/paths.h"

namespace millrace {
namespace {

void collect_paths(const ConditionNode& node, std::vector<Path>& paths) {
  for (const ConditionNode& child : node.children) collect_paths(child, paths);
  for (const Operand& operand : node.operands) append_paths(operand, paths);
}

// Counts stand before what they count, and every part says its kind: so a key is read in one way.

void append_operand(const Operand& operand, std::string& out) {
  out.push_back(static_cast<char>(operand.kind));
  switch (operand.kind) {
    case Operand::Kind::kPath:
      return append_key(operand.path, out);
    case Operand::Kind::kValue:
      return put_length_prefixed(out, *operand.value);
    case Operand::Kind::kCall:
      out.push_back(static_cast<char>(operand.function));
      break;
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      break;
  }
  put_varint(out, operand.arguments.size());
  for (const Operand& argument : operand.arguments) append_operand(argument, out);
}

void append_node(const ConditionNode& node, std::string& out) {
  out.push_back(static_cast<char>(node.kind));
  out.push_back(static_cast<char>(node.comparator));
  put_varint(out, node.children.size());
  for (const ConditionNode& child : node.children) append_node(child, out);
  put_varint(out, node.operands.size());
  for (const Operand& operand : node.operands) append_operand(operand, out);
}

}  // namespace

void append_key(const Path& path, std::string& out) {
  put_varint(out, path.size());
  for (const PathElement& step : path) {
    out.push_back(step.index ? '\1' : '\0');
    step.index ? put_varint(out, *step.index) : put_length_prefixed(out, step.name);
  }
}

Result<Condition> Condition::parse(std::string_view text, std::string_view kind,
                                   Bindings& bindings) {
  ASSIGN_OR_RETURN(ConditionNode root, Parser(text, kind).condition());
  RETURN_IF_ERROR(bind_condition(root, kind, bindings));
  return of(std::move(root));
}

Condition Condition::of(ConditionNode root) {
  Condition condition;
  condition.root_ = std::make_shared<const ConditionNode>(std::move(root));
  return condition;
}

bool Condition::evaluate(ItemView item) const { return holds(*root_, item); }

void Condition::append_key(std::string& out) const { append_node(*root_, out); }

std::vector<Path> Condition::paths() const {
  std::vector<Path> paths;
  collect_paths(*root_, paths);
  return paths;
}

std::vector<std::string> Condition::attribute_names() const {
  std::vector<std::string> names;
  for (const Path& path : paths()) names.push_back(path[0].name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace millrace
