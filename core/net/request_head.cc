#include "core/net/request_head.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/net/header_text.h"

namespace millrace {
namespace {

// Bounds the work for one head beside its size; SDKs send about fifteen.
constexpr size_t kHeadersMax = 100;

constexpr int kBadRequest = 400;
constexpr int kUnsupportedMediaType = 415;
constexpr int kExpectationFailed = 417;
constexpr int kNotImplemented = 501;
constexpr int kVersionNotSupported = 505;

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<uint8_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = make_token_table();

struct Scan {
  bool has_control = false;  // other than tab, CR and LF
  size_t line_feeds = 0;
};

/// Looks at a whole head at once, in blocks without branches whose counts fit a byte, so that the
/// compiler vectorises it: line by line this was half of all parsing.
Scan scan(const char* p, size_t size) {
  Scan found;
  while (size > 0) {
    const size_t block = std::min<size_t>(size, 128);
    uint8_t control = 0, line_feeds = 0;
    for (size_t i = 0; i < block; ++i) {
      const auto c = static_cast<uint8_t>(p[i]);
      const uint8_t feed = c == '\n';
      line_feeds = static_cast<uint8_t>(line_feeds + feed);
      control |=
          static_cast<uint8_t>(((c < 0x20) & (c != '\t') & (c != '\r') & !feed) | (c == 0x7f));
    }
    found.has_control |= control != 0;
    found.line_feeds += line_feeds;
    p += block;
    size -= block;
  }
  return found;
}

bool forbids_cache(std::string_view list) {
  while (!list.empty()) {
    const std::string_view element = next_element(list);
    for (std::string_view word : {"no-cache", "no-store"}) {
      if (equals_ignoring_case(element, word)) return true;
    }
  }
  return false;
}

bool parse_length(std::string_view text, uint64_t& value) {
  if (text.empty() || text.size() > 18) return false;  // 18 digits cannot overflow
  value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

/// The target in origin, absolute or asterisk form.
bool parse_target(std::string_view target, RequestHead& head) {
  for (char c : target) {
    if (static_cast<uint8_t>(c) <= 0x20 || static_cast<uint8_t>(c) >= 0x7f) return false;
  }
  for (std::string_view scheme : {"http://", "https://"}) {
    if (target.size() <= scheme.size()) continue;
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    break;
  }
  if (target.empty()) return false;
  if (target[0] == '?') {
    head.path = "/";
  } else if (target[0] == '/' || (target == "*" && head.method == "OPTIONS")) {
    head.path = target.substr(0, target.find('?'));
  } else {
    return false;
  }
  const size_t mark = target.find('?');
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  return true;
}

int parse_request_line(std::string_view line, RequestHead& head) {
  size_t at = 0;
  while (at < line.size() && kToken[static_cast<uint8_t>(line[at])]) ++at;
  if (at == 0 || at == line.size() || line[at] != ' ') return kBadRequest;
  head.method = line.substr(0, at);
  line.remove_prefix(at + 1);
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return kBadRequest;
  const std::string_view version = line.substr(space + 1);
  if (version == "HTTP/1.0") {
    head.http_1_0 = true;
    head.keep_alive = false;
  } else if (version != "HTTP/1.1") {
    return version.substr(0, 5) == "HTTP/" ? kVersionNotSupported : kBadRequest;
  }
  return parse_target(line.substr(0, space), head) ? 0 : kBadRequest;
}

/// What may be there once only.
struct Seen {
  bool host = false;
  bool length = false;
  bool transfer = false;
  bool encoding = false;
};

/// Of a header's name, which consists of token characters: then `lower_case` (letters and hyphens)
/// differs from it in no bit but that of the case. Known sizes are compared in words.
template <size_t N>
bool is(std::string_view name, const char (&lower_case)[N]) {
  if (name.size() != N - 1) return false;
  uint8_t difference = 0;
  for (size_t i = 0; i < N - 1; ++i) {
    difference |= static_cast<uint8_t>((name[i] | 0x20) ^ lower_case[i]);
  }
  return difference == 0;
}

int take_header(std::string_view name, std::string_view value, RequestHead& head, Seen& seen) {
  // The length tells nearly all headers apart before any text is compared.
  switch (name.size()) {
    case 4:
      if (is(name, "host")) {
        if (seen.host) return kBadRequest;
        seen.host = true;
      }
      break;
    case 6:
      if (is(name, "expect")) {
        if (!equals_ignoring_case(value, "100-continue")) return kExpectationFailed;
        head.expects_continue = true;
      } else if (is(name, "origin")) {
        if (head.origin.empty()) head.origin = value;
      }
      break;
    case 10:
      if (is(name, "connection")) {
        for (std::string_view list = value; !list.empty();) {
          const std::string_view option = next_element(list);
          if (equals_ignoring_case(option, "close")) head.keep_alive = false;
          if (head.http_1_0 && equals_ignoring_case(option, "keep-alive")) head.keep_alive = true;
        }
      }
      break;
    case 11:
      if (is(name, "traceparent") && head.traceparent.empty()) {
        head.traceparent = value;
      }
      break;
    case 12:
      if (is(name, "x-amz-target")) {
        if (head.target.empty()) head.target = value;
      } else if (is(name, "content-type")) {
        if (head.content_type.empty()) head.content_type = value;
      }
      break;
    case 13:
      if (is(name, "cache-control")) head.no_cache |= forbids_cache(value);
      break;
    case 14:
      if (is(name, "content-length")) {
        if (seen.length || !parse_length(value, head.content_length)) return kBadRequest;
        seen.length = true;
      }
      break;
    case 15:
      if (is(name, "accept-encoding")) head.accepted_coding = accepted_coding(value);
      break;
    case 16:
      if (is(name, "content-encoding")) {
        if (seen.encoding) return kBadRequest;
        seen.encoding = true;
        head.gzip = equals_ignoring_case(value, "gzip");
        if (!head.gzip && !value.empty() && !equals_ignoring_case(value, "identity")) {
          return kUnsupportedMediaType;
        }
      }
      break;
    case 17:
      if (is(name, "transfer-encoding")) {
        if (seen.transfer) return kBadRequest;
        if (!equals_ignoring_case(value, "chunked")) return kNotImplemented;
        seen.transfer = true;
        head.chunked = true;
      }
      break;
    default:
      break;
  }
  return 0;
}

int parse_header_line(std::string_view line, RequestHead& head, Seen& seen) {
  size_t colon = 0;
  while (colon < line.size() && kToken[static_cast<uint8_t>(line[colon])]) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return kBadRequest;
  return take_header(line.substr(0, colon), trimmed(line.substr(colon + 1)), head, seen);
}

}  // namespace

HeadOutcome parse_request_head(std::string_view bytes, RequestHead& head, int& status) {
  head = RequestHead{};
  Seen seen;
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  // A client may leave an empty line behind its last body (RFC 9112, 2.2).
  while (end - p >= 2 && p[0] == '\r' && p[1] == '\n') p += 2;
  const char* const begin = p;
  const char* headers = nullptr;
  size_t lines = 0;
  for (;; ++lines) {
    if (p == end) return HeadOutcome::kIncomplete;
    const char* cr = static_cast<const char*>(std::memchr(p, '\r', static_cast<size_t>(end - p)));
    if (cr == nullptr || cr + 1 == end) return HeadOutcome::kIncomplete;
    const std::string_view line(p, static_cast<size_t>(cr - p));
    status = kBadRequest;
    if (cr[1] != '\n' || lines > kHeadersMax + 1) return HeadOutcome::kBad;
    p = cr + 2;
    if (lines == 0) {
      if ((status = parse_request_line(line, head)) != 0) return HeadOutcome::kBad;
      headers = p;
    } else if (line.empty()) {
      head.raw_headers = {headers, static_cast<size_t>(cr - headers)};
      break;
    } else if ((status = parse_header_line(line, head, seen)) != 0) {
      return HeadOutcome::kBad;
    }
  }
  head.size = static_cast<size_t>(p - bytes.data());
  status = kBadRequest;
  const Scan found = scan(begin, static_cast<size_t>(p - begin));
  // Every CR was followed by LF; as many LFs as those means that none is bare.
  if (found.has_control || found.line_feeds != lines + 1) return HeadOutcome::kBad;
  if (seen.length && seen.transfer) return HeadOutcome::kBad;
  if (head.http_1_0 ? head.chunked : !seen.host) return HeadOutcome::kBad;
  status = 0;
  return HeadOutcome::kComplete;
}

std::string_view find_header(std::string_view raw_headers, std::string_view name) {
  while (!raw_headers.empty()) {
    const size_t end = raw_headers.find("\r\n");
    const std::string_view line = raw_headers.substr(0, end);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        equals_ignoring_case(line.substr(0, name.size()), name)) {
      return trimmed(line.substr(name.size() + 1));
    }
    if (end == std::string_view::npos) break;
    raw_headers.remove_prefix(end + 2);
  }
  return {};
}

}  // namespace millrace
