#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sidecar/cache_config.h"
#include "sidecar/connector_config.h"

namespace millrace::sidecar {

/// Where to listen: an IP address and a port; port 0 picks one.
struct Address {
  std::string host;
  uint16_t port = 0;
  /// `host:port`, an IPv6 host in brackets.
  std::string text() const;
  /// Whether only this machine can reach it.
  bool is_loopback() const;
};

enum class Durability : uint8_t {
  kFlush,  // nothing is answered before it is on disk
  kNone,   // what is answered may be lost in a crash of the machine
};

enum class LogFormat : uint8_t { kText, kJson };

/// How streams are cut into shards, and how long what they hold is kept.
struct StreamsConfig {
  static constexpr int64_t kHourMs = 60 * 60 * 1000;
  uint32_t shards = 4;  // that a stream begins with: 1 to 64
  int64_t shard_age_ms = 4 * kHourMs;
  uint64_t split_writes_per_second = 1000;
  int64_t retention_ms = 24 * kHourMs;  // of the log
  int64_t shown_ms = 24 * kHourMs;      // by the API; at most `retention_ms`
};

/// All that an operator can set. Each member's initial value is the default.
struct Config {
  Address listen{"127.0.0.1", 8000};
  Address admin{"127.0.0.1", 8001};
  std::string data = "./millrace-data";
  bool in_memory = false;  // no file is written; `data` is not used, and no flag may name it
  /// What a new data folder is given, and one that exists must have. Empty: DataFolderIdentity's
  /// defaults for a new one, and for one that exists its own.
  std::string region, account;
  size_t threads = 0;  // 0: the CPUs available to the process, at most 4
  Durability durability = Durability::kFlush;
  CacheConfig cache;
  /// Of requests and answers under way, waiting writes and memory tables, together.
  size_t memory_bytes = 256u << 20;
  size_t disk_bytes = 0;  // of the data folder; 0: what its file system has
  bool insecure_no_auth = false;
  bool allow_reset = false;  // POST /reset on the administrative port removes all tables
  /// The administrative port changes shards, trims streams and sets the clock ahead.
  bool allow_stream_control = false;
  StreamsConfig streams;
  LogFormat log_format = LogFormat::kText;
  std::vector<ConnectorConfig> connectors;
};

/// Reads a YAML configuration. `name` is the file's name in messages. Anything that is not
/// understood is an error (kConfig): `FILE:LINE:COLUMN: what is wrong; how to mend it`.
Result<Config> parse_config(std::string_view yaml, const std::string& name);
/// The same from a file.
Result<Config> read_config(const std::string& path);

/// What no single value shows: refuses addresses that other machines reach unless
/// `insecure_no_auth`.
Status check_config(const Config& config);
/// Refuses limits of memory that together are beyond all that the machine has: what they bound
/// would end the process before it met them.
Status check_memory_limits(const Config& config, uint64_t machine_bytes);

// The forms of values, shared with the command line. Errors are kConfig and say what is expected.

/// `HOST:PORT`: an IPv4 address, an IPv6 address in brackets, or `localhost`.
Result<Address> parse_address(std::string_view text);
/// Bytes: a whole number, alone or with B, KB, MB or GB (powers of 1,024).
Result<size_t> parse_size(std::string_view text);
/// `true` or `false`.
Result<bool> parse_bool(std::string_view text);
Result<Durability> parse_durability(std::string_view text);
/// Up to 32 lower-case letters, digits and hyphens.
Result<std::string> parse_region(std::string_view text);
/// 12 digits.
Result<std::string> parse_account(std::string_view text);
Result<LogFormat> parse_log_format(std::string_view text);
/// A size that is enough to serve at all.
Result<size_t> parse_memory(std::string_view text);
Result<size_t> parse_disk(std::string_view text);
/// 1 to 64.
Result<size_t> parse_threads(std::string_view text);
/// A time in milliseconds: a whole number with s, m, h or d. At most ten years.
Result<int64_t> parse_duration(std::string_view text);
/// A duration from one minute to 7 days.
Result<int64_t> parse_age(std::string_view text);

/// The element of `known` that `word` was probably meant to be; empty if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace millrace::sidecar
