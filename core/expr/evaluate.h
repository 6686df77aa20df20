#pragma once

#include "core/expr/ast.h"
#include "core/model/value.h"

namespace millrace {

/// Whether `item` fulfils a bound condition. What it reads it reads through views; comparisons work
/// on encoded bytes, which are canonical (equality) and ordered (numbers).
bool holds(const ConditionNode& node, ItemView item);

}  // namespace millrace
