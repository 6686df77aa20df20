#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/expr/expression.h"

namespace millrace {

struct Operand;

/// Appends the paths in a bound operand.
void append_paths(const Operand& operand, std::vector<Path>& paths);

/// "[a, [0], b]", as DynamoDB's errors print a path.
std::string path_text(const Path& path);

/// What stands at `path` in `item`, if anything.
std::optional<ValueView> resolve(ItemView item, const Path& path);

/// An order of paths: those that agree in their first steps stand together, places of a list by
/// index.
bool path_before(const Path& a, const Path& b);

/// The error for two of `paths` of which one is inside or equal to the other ("overlap"), or which
/// take one place for a map and for a list ("conflict").
Status check_overlaps(const std::vector<const Path*>& paths, std::string_view kind);

}  // namespace millrace
