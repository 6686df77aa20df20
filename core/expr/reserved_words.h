#pragma once

#include <string_view>

namespace millrace {

/// Whether DynamoDB reserves `name`, in any case, so that an expression may name it by an alias
/// only.
bool is_reserved_word(std::string_view name);

}  // namespace millrace
