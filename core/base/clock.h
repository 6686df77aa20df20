#pragma once

#include <cstdint>

namespace millrace {

/// Time, passed in so that a test or the simulator moves it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Milliseconds since the Unix epoch; may jump.
  virtual int64_t wall_ms() const = 0;
  /// Nanoseconds since some fixed moment; never falls.
  virtual int64_t monotonic_ns() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  int64_t wall_ms() const override;
  int64_t monotonic_ns() const override;
};

}  // namespace millrace
