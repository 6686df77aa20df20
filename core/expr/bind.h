#pragma once

#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/expr/ast.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"

namespace millrace {

// Checks a syntax tree as DynamoDB does before it looks at any item, in its order (reserved words,
// list indexes, functions and their places first; then names, values and the types of values), and
// resolves names and values into the tree. Errors are DynamoDB's ValidationExceptions.

Status bind_condition(ConditionNode& root, std::string_view kind, Bindings& bindings);
Status bind_update(UpdateSyntax& update, Bindings& bindings);
Status bind_projection(std::vector<Operand>& paths, Bindings& bindings);

}  // namespace millrace
