#pragma once

#include <string_view>

namespace millrace {

/// Without the spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// Cuts the next element off a list that `separator` divides, trimmed.
std::string_view next_element(std::string_view& list, char separator = ',');

/// ASCII only.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace millrace
