#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/value.h"
#include "core/ops/capacity.h"
#include "core/store/engine.h"

namespace millrace {

// Idempotency tokens of transactions: items of a hidden system table, written in the transaction's
// own log entry, so that a transaction and the memory of it are durable together or not at all.

/// How long a token protects its transaction from being repeated.
/// Source: API reference, TransactWriteItems, ClientRequestToken.
inline constexpr int64_t kTokenLifetimeMs = 10 * 60 * 1000;

struct TokenRecord {
  uint64_t request_hash = 0;
  int64_t time_ms = 0;
  /// What reading the transaction's items would consume, by table: what a repeat is charged.
  std::map<std::string, HalfUnits, std::less<>> read_units;

  bool expired(int64_t now_ms) const { return now_ms - time_ms >= kTokenLifetimeMs; }
};

/// The token's store key and item, and back. Persisted.
std::string token_key(std::string_view token);
std::string encode_token(std::string_view token, const TokenRecord& record);
Result<TokenRecord> decode_token(ItemView item);

/// The command that removes up to `count_max` tokens that have expired by `now_ms`, each looked at
/// again when it runs; null if there are none. `count_max` bounds the walk as well as the command.
Result<std::unique_ptr<Command>> expired_tokens_command(const View& view, int64_t now_ms,
                                                        size_t count_max);

/// Looks for expired tokens now and then, while new ones come. One for each node; thread-safe.
class TokenPurge {
 public:
  /// Whether it is time to look, at most once for each interval.
  bool due(int64_t monotonic_ns);

 private:
  std::atomic<int64_t> next_ns_{0};
};

}  // namespace millrace
