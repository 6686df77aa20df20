#pragma once

#include <cstddef>
#include <vector>

#include "core/expr/ast.h"

namespace millrace {

/// Bytes that UpdateItem counts for bound actions: see Update::charged_size.
size_t charged_actions(const std::vector<UpdateAction>& actions);

}  // namespace millrace
