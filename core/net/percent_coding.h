#pragma once

#include <map>
#include <string>
#include <string_view>

namespace millrace {

/// Undoes %XX; a broken escape stays as it is. In a query '+' is a space.
std::string percent_decode(std::string_view text, bool in_query);
/// Leaves RFC 3986's unreserved characters as they are.
std::string percent_encode(std::string_view text);
/// Of `a=b&c`; the last of equal names counts.
std::map<std::string, std::string> parse_query(std::string_view query);

}  // namespace millrace
