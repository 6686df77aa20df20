#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
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

/// The hash of what a request means, field by field. Persisted: its form is kForm, XXH3 of the
/// fields' XXH3 hashes, 8 bytes little-endian each, where an absent field counts as 0.
class RequestHash {
 public:
  static constexpr uint64_t kForm = 1;
  void add(std::string_view field);
  void add(std::optional<std::string_view> field);
  void add(const std::map<std::string, std::string, std::less<>>& entries);
  uint64_t finish() const;

 private:
  std::string hashes_;
};

struct TokenRecord {
  uint64_t request_hash = 0;
  uint64_t hash_form = RequestHash::kForm;
  int64_t time_ms = 0;
  /// What reading the transaction's items would consume, by table: what a repeat is charged.
  std::map<std::string, HalfUnits, std::less<>> read_units;

  bool expired(int64_t now_ms) const { return now_ms - time_ms >= kTokenLifetimeMs; }
};

/// The token's store key and item, and back. Persisted.
std::string token_key(std::string_view token);
std::string encode_token(std::string_view token, const TokenRecord& record);
Result<TokenRecord> decode_token(ItemView item);

/// Looks at up to `count_max` tokens from the store key `from` on (empty: from the first) and sets
/// it to where to go on (empty: the end was reached). The command that removes those that have
/// expired by `now_ms`, each looked at again, by the time of its entry, when it runs; null if there
/// are none.
Result<std::unique_ptr<Command>> expired_tokens_command(const View& view, int64_t now_ms,
                                                        size_t count_max, std::string& from);

/// Walks round and round over the tokens while new ones come, several for each new one, so that the
/// expired ones are a bounded part of all at any rate, and no request waits for a long walk. One
/// for each node; thread-safe.
class TokenPurge {
 public:
  /// To be called once for each transaction with a token: the command to be submitted, or null.
  std::unique_ptr<Command> next(const Engine& engine, const Clock& clock);

 private:
  std::mutex mutex_;
  std::string from_;
  size_t since_look_ = 0;
  int64_t look_at_ns_ = 0;
};

}  // namespace millrace
