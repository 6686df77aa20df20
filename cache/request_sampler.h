#pragma once

#include <cstdint>

namespace millrace::cache {

/// Chooses one request in kOneIn on average, at gaps that a generator of fixed seed draws: with
/// gaps of one length, requests that alternate would be seen half. One for each thread.
class RequestSampler {
 public:
  static constexpr uint32_t kOneIn = 16;

  bool chooses() {
    if (--left_ != 0) return false;
    left_ = gap();
    return true;
  }

 private:
  /// Uniform from 1 to 2 kOneIn - 1.
  uint32_t gap() {
    // Knuth's MMIX generator; its high bits are the good ones.
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return 1 + static_cast<uint32_t>((state_ >> 32) * (2 * kOneIn - 1) >> 32);
  }

  uint64_t state_ = 1;
  uint32_t left_ = 1;
};

}  // namespace millrace::cache
