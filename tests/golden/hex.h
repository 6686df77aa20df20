#pragma once

#include <boost/algorithm/hex.hpp>
#include <string>
#include <string_view>

namespace millrace {

/// Bytes of a persisted or wire format in lower-case digits, as golden bytes are written down.
inline std::string hex(std::string_view bytes) {
  return boost::algorithm::hex_lower(std::string(bytes));
}

}  // namespace millrace
