#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace millrace::connectors {

/// An absolute http URL.
struct HttpUrl {
  std::string host;  // a name or an IP address; IPv6 without brackets
  uint16_t port = 80;
  std::string target = "/";  // path and query

  /// `host:port`, an IPv6 host in brackets.
  std::string authority() const;
  std::string text() const { return "http://" + authority() + target; }
};

/// `http://HOST[:PORT][/PATH]`. kConfig with what is wrong and how to mend it.
Result<HttpUrl> parse_http_url(std::string_view text);

/// Whether a header may be set by the configuration: its form, and that it is not one that the
/// connector sets itself. kConfig; the message never holds the value.
Status check_http_header(std::string_view name, std::string_view value);

}  // namespace millrace::connectors
