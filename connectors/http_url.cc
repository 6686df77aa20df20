#include "connectors/http_url.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace millrace::connectors {
namespace {

// As most servers limit a request's head.
constexpr size_t kUrlBytesMax = 2000;
constexpr size_t kHeaderBytesMax = 4000;

constexpr std::array<std::string_view, 7> kOwnHeaders = {
    "host",       "content-length", "transfer-encoding", "connection", "content-type",
    "user-agent", "expect"};

Error wrong(std::string text) { return make_error(ErrorCode::kConfig, std::move(text)); }

bool is_visible(char c) { return c > ' ' && c <= '~'; }

bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool parse_port(std::string_view text, uint16_t& port) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

/// Splits `host[:port]`; an IPv6 host stands in brackets.
bool parse_authority(std::string_view text, HttpUrl& url) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    url.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (url.host.find(':') == std::string::npos) return false;
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    url.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (url.host.empty()) return false;
  if (rest.empty()) return true;
  return rest.front() == ':' && parse_port(rest.substr(1), url.port);
}

}  // namespace

std::string HttpUrl::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  const std::string quoted = "'" + std::string(text.substr(0, 200)) + "'";
  if (text.starts_with("https://"))
    return wrong(quoted +
                 " asks for TLS, which the connector does not speak; write an http:// URL, such as "
                 "that of a proxy on this machine which speaks TLS to the receiver");
  if (!text.starts_with(kScheme) || text.size() > kUrlBytesMax ||
      !std::all_of(text.begin(), text.end(), is_visible))
    return wrong(quoted + " is no http URL; write for example http://127.0.0.1:8080/changes");
  text.remove_prefix(kScheme.size());
  const size_t path = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, path);
  if (authority.find('@') != std::string_view::npos)
    return wrong(
        "a URL with a user's name in it is not accepted; write the header 'authorization' under "
        "'headers' instead");
  if (text.find('#') != std::string_view::npos)
    return wrong(quoted + " has a fragment, which is not sent; remove it from '#' on");
  HttpUrl url;
  if (!parse_authority(authority, url))
    return wrong(quoted + " has no host and port; write for example http://127.0.0.1:8080/changes");
  url.target = text.substr(path);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  return url;
}

Status check_http_header(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > 100 || !std::all_of(name.begin(), name.end(), is_token))
    return wrong("this is no name of a header; use letters, digits and dashes");
  const std::string lower = lowered(name);
  if (std::find(kOwnHeaders.begin(), kOwnHeaders.end(), lower) != kOwnHeaders.end() ||
      lower.starts_with("x-millrace-"))
    return wrong("the connector sets this header itself; remove it");
  const bool printable = std::all_of(value.begin(), value.end(),
                                     [](char c) { return is_visible(c) || c == ' ' || c == '\t'; });
  if (value.size() > kHeaderBytesMax || !printable)
    return wrong("its value is no value of a header; use up to 4,000 printable ASCII characters");
  return {};
}

}  // namespace millrace::connectors
