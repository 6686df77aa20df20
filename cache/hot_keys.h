#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cache {

enum class RequestKind : uint8_t { kRead, kWrite };

/// One key and how often it was asked for, in requests.
struct HotKey {
  std::string key;
  uint64_t reads = 0;   // at least
  uint64_t writes = 0;  // at least
  /// How many more there may have been, before the key was tracked.
  uint64_t excess = 0;

  uint64_t requests() const { return reads + writes; }
};

/// The most requested of a sequence of keys in bounded memory: the space-saving algorithm
/// (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data
/// streams", ICDT 2005). It tracks `keys_max` keys; one that is not tracked takes the place of that
/// with the smallest count and inherits it as excess. Of n requests, and up to the rounding of
/// halves:
///
/// - reads + writes <= the key's true number <= reads + writes + excess, and excess <= n /
/// keys_max;
/// - a key with more than n / keys_max requests is tracked.
///
/// All counts are halved with each minute that begins, so that they tell of the last few. Keys are
/// told apart by their hash alone. Not thread-safe.
class HotKeys {
 public:
  static constexpr uint32_t kHalfLifeS = 60;

  explicit HotKeys(size_t keys_max) : keys_max_(keys_max) {}

  /// Costs a look at `keys_max` hashes.
  void count(std::string_view key, uint64_t hash, RequestKind kind, uint32_t now_s);

  /// Appends the keys whose number is not zero, in no order, and returns the number of all
  /// requests.
  uint64_t collect(uint32_t now_s, std::vector<HotKey>& keys);

  size_t keys_max() const { return keys_max_; }
  /// Of memory taken.
  size_t bytes() const;

  /// What a steady rate of one request a second that began at `start_s` counts to at `now_s`.
  static double window_s(uint32_t start_s, uint32_t now_s);

 private:
  struct Tracked {
    uint32_t writes = 0;
    uint32_t excess = 0;
    std::string key;
  };

  void halve_until(uint32_t now_s);
  /// Where the key's counts are: its place, a free one, or that of the least requested.
  size_t place_of(std::string_view key, uint64_t hash);

  const size_t keys_max_;
  // Side by side: the hashes are all that is looked at for a tracked key, and beside them the
  // counts (reads, writes and excess together) for another.
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> counts_;
  std::vector<Tracked> tracked_;
  uint64_t requests_ = 0;
  uint32_t minute_ = 0;
};

}  // namespace millrace::cache
