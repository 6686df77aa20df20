#pragma once

#include <cstdint>
#include <cstdlib>

#include "core/base/clock.h"

namespace millrace {

/// Notices a wall clock that was set by more than ten minutes while the process ran, by the
/// monotonic one: what deletes by time pauses then, since it cannot know which of the two is right.
class ClockWatch {
 public:
  explicit ClockWatch(const Clock& clock) : clock_(clock), first_offset_ms_(offset_ms()) {}

  bool is_off() const { return std::abs(offset_ms() - first_offset_ms_) > kToleranceMs; }

 private:
  static constexpr int64_t kToleranceMs = 10 * 60 * 1000;

  int64_t offset_ms() const { return clock_.wall_ms() - clock_.monotonic_ns() / 1'000'000; }

  const Clock& clock_;
  const int64_t first_offset_ms_;
};

}  // namespace millrace
