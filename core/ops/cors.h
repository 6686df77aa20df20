#pragma once

#include <string_view>

namespace millrace {

/// What an answer to a browser's page of any origin says: that the page may read it, and these
/// headers of it.
inline constexpr std::string_view kAnyOriginHeaders =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: x-amzn-RequestId, x-amzn-ErrorType, x-amzn-ErrorMessage, Date, "
    "X-Amz-Crc32, x-millrace-cache\r\n";

}  // namespace millrace
