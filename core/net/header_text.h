#pragma once

#include <string_view>

namespace millrace {

/// Without the spaces and tabs at both ends.
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Cuts the next element off a list that `separator` divides, trimmed.
std::string_view next_element(std::string_view& list, char separator = ',');

/// ASCII only.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace millrace
