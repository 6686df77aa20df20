#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/ops/read_cache.h"
#include "core/store/lsn.h"

namespace millrace {

/// The word for an answer by an item that has expired.
inline constexpr std::string_view kStaleIfError = "stale-if-error";
/// The word for a miss that the next reader will have too.
inline constexpr std::string_view kTooLarge = "too-large";

/// The word for a miss; empty: the cache held nothing of it.
inline std::string_view why_missed(ReadCache::Outcome outcome) {
  if (outcome == ReadCache::Outcome::kMissExpired) return "expired";
  if (outcome == ReadCache::Outcome::kMissChanged) return "changed";
  return {};
}

/// The word for a bypass by an enabled cache.
inline std::string_view why_bypassed(ReadCache::Outcome outcome) {
  return outcome == ReadCache::Outcome::kNewer ? "newer" : "busy";
}

/// The header that says where a read's answer came from, a line of it built without an allocation:
/// `x-millrace-cache: hit|miss|bypass; lsn=N[; why=WORD]`. The answer is the store's as of that
/// LSN. cache/README.md says what each word means.
class CacheHeader {
 public:
  /// `outcome` and `why` are words of ours, short enough to fit.
  CacheHeader(std::string_view outcome, Lsn lsn, std::string_view why = {}) {
    append("x-millrace-cache: ");
    append(outcome);
    append("; lsn=");
    end_ = std::to_chars(end_, bytes_.data() + bytes_.size(), lsn).ptr;
    if (!why.empty()) {
      append("; why=");
      append(why);
    }
    append("\r\n");
  }
  std::string_view line() const {
    return {bytes_.data(), static_cast<size_t>(end_ - bytes_.data())};
  }

 private:
  void append(std::string_view text) { end_ = std::copy(text.begin(), text.end(), end_); }

  std::array<char, 96> bytes_;
  char* end_ = bytes_.data();
};

}  // namespace millrace
