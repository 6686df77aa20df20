#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/net/content_coding.h"

namespace millrace {

/// The head of a request. Views point into the parsed bytes.
struct RequestHead {
  std::string_view method;
  std::string_view path;   // of an absolute URI too; `*` for `OPTIONS *`
  std::string_view query;  // after '?'
  std::string_view target;
  std::string_view content_type;
  std::string_view origin;
  std::string_view traceparent;
  std::string_view raw_headers;  // complete lines, without the blank one
  size_t size = 0;               // bytes of the head with its blank line
  uint64_t content_length = 0;
  bool chunked = false;
  bool gzip = false;      // Content-Encoding
  bool no_cache = false;  // Cache-Control says no-cache or no-store
  bool expects_continue = false;
  bool keep_alive = true;
  bool http_1_0 = false;
  ContentCoding accepted_coding = ContentCoding::kIdentity;  // by the last Accept-Encoding
};

enum class HeadOutcome : uint8_t { kComplete, kIncomplete, kBad };

/// Parses the head at the start of `bytes`, strictly by RFC 9112: what two parsers could read
/// differently (both Content-Length and Transfer-Encoding, either of them twice, bare CR or LF,
/// folded lines, space before a colon, control characters, a missing or second Host) is bad.
/// `status` says with which HTTP status a bad one is refused. An incomplete head is checked no
/// further than its complete lines; the caller bounds its size.
HeadOutcome parse_request_head(std::string_view bytes, RequestHead& head, int& status);

/// The first value of header `name` (case-insensitive) in complete header lines; empty if there is
/// none.
std::string_view find_header(std::string_view raw_headers, std::string_view name);

}  // namespace millrace
