#pragma once

#include <string>

#include "core/ops/page.h"

namespace millrace {

/// Bytes that are equal for two requests exactly if their pages are equal whatever the tables hold,
/// apart from rewritings of a condition or projection (`a = :x AND b = :y`, `b = :y AND a = :x`):
/// the order of members, white space and the names of placeholders are not in them. Names of tables
/// and indexes neither: their generations are.
std::string page_key(const PageRequest& page);

}  // namespace millrace
