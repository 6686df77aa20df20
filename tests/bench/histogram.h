#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

/// Counts of durations in buckets whose width is 1/32 of their magnitude, so a quantile is right to
/// 3%.
class Histogram {
 public:
  void add(uint64_t ns) {
    ++counts_[bucket_of(ns)];
    ++total_;
    max_ = std::max(max_, ns);
  }
  uint64_t total() const { return total_; }
  uint64_t max_ns() const { return max_; }
  /// The upper end of the bucket that holds the `q` quantile.
  uint64_t quantile_ns(double q) const {
    const auto rank = static_cast<uint64_t>(q * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return std::min(upper_end(i), max_);
    }
    return max_;
  }

 private:
  static constexpr int kSubBits = 5;
  static size_t bucket_of(uint64_t ns) {
    if (ns < (1u << kSubBits)) return ns;
    const int shift = std::bit_width(ns) - 1 - kSubBits;
    return (static_cast<size_t>(shift + 1) << kSubBits) + ((ns >> shift) & ((1u << kSubBits) - 1));
  }
  static uint64_t upper_end(size_t bucket) {
    if (bucket < (1u << kSubBits)) return bucket;
    const size_t shift = (bucket >> kSubBits) - 1;
    const uint64_t sub = (bucket & ((1u << kSubBits) - 1)) | (1u << kSubBits);
    return ((sub + 1) << shift) - 1;
  }

  std::array<uint64_t, 64u << kSubBits> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};
