#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace millrace {

/// Another clock, set ahead: both its times by as much, so that to those who watch the one by the
/// other (clock_watch.h) nothing has jumped; time has merely passed. Only forward.
class AdvancedClock final : public Clock {
 public:
  /// More than any test needs, and far from what 64 bits of nanoseconds hold.
  static constexpr int64_t kAheadMsMax = int64_t{10} * 365 * 24 * 60 * 60 * 1000;

  /// `clock` outlives it.
  explicit AdvancedClock(const Clock& clock) : clock_(clock) {}

  int64_t wall_ms() const override { return clock_.wall_ms() + ahead_ms_; }
  int64_t monotonic_ns() const override { return clock_.monotonic_ns() + ahead_ms_ * 1'000'000; }

  /// kValidation if it would then be further ahead than kAheadMsMax, or go back.
  Status advance(int64_t ms) {
    int64_t ahead = ahead_ms_;
    do {
      if (ms < 0 || ms > kAheadMsMax - ahead)
        return validation_error("the clock goes forward only, by ten years at most in all");
    } while (!ahead_ms_.compare_exchange_weak(ahead, ahead + ms));
    return {};
  }

 private:
  const Clock& clock_;
  std::atomic<int64_t> ahead_ms_{0};
};

}  // namespace millrace
