#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "sidecar/config.h"

namespace millrace::sidecar {
namespace {

constexpr size_t kCacheBytesMin = 16'000;

// Less holds neither a request of 16 MB nor a memory table worth writing.
constexpr size_t kMemoryBytesMin = 16u << 20;
// Segments, tables and the reserve have no room in less.
constexpr size_t kDiskBytesMin = 32u << 20;

Error expected(std::string_view what, std::string_view text, std::string_view example) {
  return make_error(ErrorCode::kConfig, "'" + std::string(text) + "' is not " + std::string(what) +
                                            "; write for example " + std::string(example));
}

bool parse_unsigned(std::string_view text, uint64_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string Address::text() const {
  bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Address::is_loopback() const {
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<Address> parse_address(std::string_view text) {
  constexpr std::string_view kWhat = "an address of the form HOST:PORT";
  constexpr std::string_view kExample = "127.0.0.1:8000";
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return expected(kWhat, text, kExample);
  std::string host(text.substr(0, colon));
  uint64_t port;
  if (!parse_unsigned(text.substr(colon + 1), port) || port > 65535)
    return expected(kWhat, text, kExample);
  if (host == "localhost") host = "127.0.0.1";
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return Address{host, static_cast<uint16_t>(port)};
  in6_addr v6;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), &v6) == 1)
      return Address{host, static_cast<uint16_t>(port)};
  }
  return make_error(ErrorCode::kConfig, "'" + std::string(text) +
                                            "' does not begin with an IP address or localhost; "
                                            "write for example 127.0.0.1:8000 or [::1]:8000");
}

Result<size_t> parse_size(std::string_view text) {
  constexpr std::string_view kWhat = "a size";
  constexpr std::string_view kExample = "64MB, 512KB, 1GB, or a number of bytes";
  size_t digits = text.find_first_not_of("0123456789");
  uint64_t value;
  if (!parse_unsigned(text.substr(0, digits), value)) return expected(kWhat, text, kExample);
  std::string_view unit = digits == std::string_view::npos ? "B" : text.substr(digits);
  int shift;
  if (unit == "B") {
    shift = 0;
  } else if (unit == "KB") {
    shift = 10;
  } else if (unit == "MB") {
    shift = 20;
  } else if (unit == "GB") {
    shift = 30;
  } else {
    return expected(kWhat, text, kExample);
  }
  // Far more than any machine has, and small enough that sums of sizes do not overflow.
  constexpr uint64_t kSizeMax = uint64_t{1} << 46;
  if (value > kSizeMax >> shift)
    return make_error(ErrorCode::kConfig, "'" + std::string(text) + "' is larger than 65536GB");
  return static_cast<size_t>(value << shift);
}

Result<size_t> parse_memory(std::string_view text) {
  ASSIGN_OR_RETURN(const size_t bytes, parse_size(text));
  if (bytes >= kMemoryBytesMin) return bytes;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is too little memory; write 16MB or more");
}

Result<size_t> parse_disk(std::string_view text) {
  ASSIGN_OR_RETURN(const size_t bytes, parse_size(text));
  if (bytes == 0 || bytes >= kDiskBytesMin) return bytes;
  return make_error(
      ErrorCode::kConfig,
      "'" + std::string(text) + "' is too little disk; write 32MB or more, or 0 for what there is");
}

Result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is neither true nor false; write one of them");
}

Result<Durability> parse_durability(std::string_view text) {
  if (text == "flush") return Durability::kFlush;
  if (text == "none") return Durability::kNone;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) +
                        "' is not a durability; write flush (nothing is answered before it is on "
                        "disk) or none (a crash may lose what was answered)");
}

Result<std::string> parse_region(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (!text.empty() && text.size() <= 32 && text.find_first_not_of(kAllowed) == text.npos)
    return std::string(text);
  return expected("a region: up to 32 lower-case letters, digits and hyphens", text, "eu-west-1");
}

Result<std::string> parse_account(std::string_view text) {
  if (text.size() == 12 && text.find_first_not_of("0123456789") == text.npos)
    return std::string(text);
  return expected("an account: 12 digits", text, "123456789012");
}

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is not a log format; write text or json");
}

Result<size_t> parse_threads(std::string_view text) {
  uint64_t value;
  if (!parse_unsigned(text, value) || value < 1 || value > 64)
    return make_error(ErrorCode::kConfig,
                      "'" + std::string(text) + "' is not a number of threads; write 1 to 64");
  return static_cast<size_t>(value);
}

Result<int64_t> parse_duration(std::string_view text) {
  constexpr std::pair<char, int64_t> kUnits[] = {
      {'s', 1000}, {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}};
  constexpr int64_t kMostMs = int64_t{10} * 365 * 86'400'000;
  uint64_t value;
  for (const auto& [unit, ms] : kUnits) {
    if (!text.ends_with(unit) || !parse_unsigned(text.substr(0, text.size() - 1), value)) continue;
    if (value > static_cast<uint64_t>(kMostMs / ms))
      return make_error(ErrorCode::kConfig, "'" + std::string(text) + "' is more than ten years");
    return static_cast<int64_t>(value) * ms;
  }
  return expected("a duration", text, "30s, 15m, 4h or 7d");
}

Result<int64_t> parse_age(std::string_view text) {
  ASSIGN_OR_RETURN(const int64_t ms, parse_duration(text));
  if (ms >= 60'000 && ms <= 7 * 24 * StreamsConfig::kHourMs) return ms;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is out of range; write 1m to 7d");
}

Status check_config(const Config& config) {
  if (config.listen.port != 0 && config.listen.text() == config.admin.text()) {
    return make_error(ErrorCode::kConfig, "listen and admin are both " + config.listen.text() +
                                              "; give one of them another port");
  }
  for (const auto& [name, bytes] : {std::pair{"cache.bytes", config.cache.bytes},
                                    std::pair{"cache.query_bytes", config.cache.query_bytes}}) {
    if (bytes > 0 && bytes < kCacheBytesMin) {
      return make_error(ErrorCode::kConfig, std::string(name) + " is " + std::to_string(bytes) +
                                                ", too little to hold anything; write 16KB or "
                                                "more, or 0 for no cache");
    }
  }
  if (config.insecure_no_auth) return {};
  auto refuse = [](const std::string& where, const std::string& what) {
    return make_error(ErrorCode::kConfig, "refusing to listen on " + where + ": " + what +
                                              "; listen on 127.0.0.1, or accept that with "
                                              "--insecure-no-auth");
  };
  for (const Address* address : {&config.listen, &config.admin}) {
    if (!address->is_loopback())
      return refuse(address->text(),
                    "requests are not authenticated, so whoever reaches this address can read and "
                    "change all data");
  }
  for (const ConnectorConfig& connector : config.connectors) {
    auto* zeromq = std::get_if<connectors::ZeroMqOptions>(&connector.target);
    if (zeromq == nullptr) continue;
    for (const std::string* endpoint : {&zeromq->endpoint, &zeromq->acknowledgements}) {
      if (!is_loopback(*endpoint))
        return refuse(*endpoint + " (connector '" + connector.name + "')",
                      "peers are not authenticated, so whoever reaches this address can read or "
                      "acknowledge changes");
    }
  }
  return {};
}

Status check_memory_limits(const Config& config, uint64_t machine_bytes) {
  const auto megabytes = [](uint64_t bytes) { return std::to_string(bytes >> 20) + "MB"; };
  uint64_t sum = 0;
  std::string limits;
  for (const auto& [name, bytes] :
       {std::pair{"memory.bytes", config.memory_bytes},
        std::pair{"cache.bytes", config.cache.bytes},
        std::pair{"cache.query_bytes", config.cache.query_bytes},
        std::pair{"disk.bytes (in memory)", config.in_memory ? config.disk_bytes : 0}}) {
    if (bytes == 0) continue;
    sum += bytes;
    limits += (limits.empty() ? "" : " + ") + std::string(name) + " " + megabytes(bytes);
  }
  if (sum <= machine_bytes) return {};
  return make_error(ErrorCode::kConfig, "the limits of memory are " + megabytes(sum) + " in sum (" +
                                            limits + "), but this machine has " +
                                            megabytes(machine_bytes) +
                                            "; lower them to less than that in sum");
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::min<size_t>(3, word.size() / 2 + 1);
  for (const std::string& candidate : known) {
    // Their distance is no less than what one is longer by, and a word from outside may be long.
    if (std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size()) >=
        best_distance) {
      continue;
    }
    size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

}  // namespace millrace::sidecar
