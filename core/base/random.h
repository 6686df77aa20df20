#pragma once

#include <cstdint>
#include <random>

namespace millrace {

/// A source of random numbers, passed in so that one seed makes a run. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t next() { return engine_(); }
  /// Uniform in [0, bound); `bound` > 0.
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  /// Uniform in [0, 1).
  double fraction() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

 private:
  std::mt19937_64 engine_;
};

/// A seed from the operating system.
inline uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace millrace
