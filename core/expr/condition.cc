#include <algorithm>

#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/evaluate.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"

namespace millrace {
namespace {

void collect_paths(const Operand& operand, std::vector<Path>& paths) {
  if (operand.kind == Operand::Kind::kPath) paths.push_back(operand.path);
  for (const Operand& argument : operand.arguments) collect_paths(argument, paths);
}

void collect_paths(const ConditionNode& node, std::vector<Path>& paths) {
  for (const ConditionNode& child : node.children) collect_paths(child, paths);
  for (const Operand& operand : node.operands) collect_paths(operand, paths);
}

}  // namespace

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
