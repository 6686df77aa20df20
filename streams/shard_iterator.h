#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/store/lsn.h"

namespace millrace::streams {

/// A place in a shard, as a client holds it between calls.
struct ShardIterator {
  /// Persisted, in a sense: iterators live in clients for 15 minutes, over a restart too.
  enum class Kind : uint8_t {
    kPosition = 1,  // exactly from `from` on: what was trimmed meanwhile is an error
    kHorizon = 2,   // from `from` on or the oldest that is still shown
    kTime = 3,      // as kHorizon, but nothing before `not_before_ms`
  };
  Generation generation = 0;
  Lsn enabled_at = 0;  // with the generation, names the stream
  uint32_t ordinal = 0;
  Kind kind = Kind::kPosition;
  Lsn from = 0;
  int64_t not_before_ms = 0;
  int64_t issued_ms = 0;
  bool operator==(const ShardIterator&) const = default;
};

/// Turns iterators into opaque text and back: base64 of version:u8, generation:u64, enabled at:u64,
/// ordinal:u32, kind:u8, from:u64, not before:u64, issued:u64 and the first 16 bytes of their
/// HMAC-SHA-256.
class IteratorSigner {
 public:
  /// `key`: secret and fixed for the data folder, at least 16 bytes.
  explicit IteratorSigner(std::string key);

  std::string seal(const ShardIterator& iterator) const;
  /// A ValidationException "Invalid ShardIterator" for what this node did not issue;
  /// ExpiredIteratorException for what it issued more than 15 minutes before `now_ms`, or not after
  /// `expired_through_ms`.
  Result<ShardIterator> open(std::string_view text, int64_t now_ms,
                             int64_t expired_through_ms = 0) const;

  static constexpr int64_t kLifeMs = 15 * 60 * 1000;

 private:
  std::string mac(std::string_view bytes) const;
  const std::string key_;
};

}  // namespace millrace::streams
