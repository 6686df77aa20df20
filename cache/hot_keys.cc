#include "cache/hot_keys.h"

#include <algorithm>
#include <limits>

namespace millrace::cache {

void HotKeys::count(std::string_view key, uint64_t hash, RequestKind kind, uint32_t now_s) {
  halve_until(now_s);
  ++requests_;
  const size_t place = place_of(key, hash);
  // Halves long before it could be full, unless the clock stands still.
  if (counts_[place] == std::numeric_limits<uint32_t>::max()) return;
  ++counts_[place];
  if (kind == RequestKind::kWrite) ++tracked_[place].writes;
}

size_t HotKeys::place_of(std::string_view key, uint64_t hash) {
  const auto found = std::find(hashes_.begin(), hashes_.end(), hash);
  if (found != hashes_.end()) return static_cast<size_t>(found - hashes_.begin());
  if (hashes_.size() < keys_max_) {
    hashes_.push_back(hash);
    counts_.push_back(0);
    tracked_.push_back({0, 0, std::string(key)});
    return hashes_.size() - 1;
  }
  const auto least = std::min_element(counts_.begin(), counts_.end());
  const auto place = static_cast<size_t>(least - counts_.begin());
  hashes_[place] = hash;
  tracked_[place].writes = 0;
  tracked_[place].excess = *least;
  tracked_[place].key = key;
  return place;
}

void HotKeys::halve_until(uint32_t now_s) {
  const uint32_t minute = now_s / kHalfLifeS;
  // Of two threads the later one may have looked at the clock first.
  if (minute <= minute_) return;
  const uint32_t halvings = std::min(minute - minute_, 31u);
  minute_ = minute;
  requests_ >>= halvings;
  for (size_t i = 0; i < counts_.size(); ++i) {
    Tracked& tracked = tracked_[i];
    const uint32_t reads = (counts_[i] - tracked.writes - tracked.excess) >> halvings;
    tracked.writes >>= halvings;
    tracked.excess >>= halvings;
    counts_[i] = reads + tracked.writes + tracked.excess;
  }
}

uint64_t HotKeys::collect(uint32_t now_s, std::vector<HotKey>& keys) {
  halve_until(now_s);
  for (size_t i = 0; i < counts_.size(); ++i) {
    const Tracked& tracked = tracked_[i];
    if (counts_[i] == tracked.excess) continue;
    keys.push_back({tracked.key, counts_[i] - tracked.writes - tracked.excess, tracked.writes,
                    tracked.excess});
  }
  return requests_;
}

size_t HotKeys::bytes() const {
  size_t bytes = hashes_.capacity() * sizeof(uint64_t) + counts_.capacity() * sizeof(uint32_t) +
                 tracked_.capacity() * sizeof(Tracked);
  for (const Tracked& tracked : tracked_) bytes += tracked.key.capacity();
  return bytes;
}

double HotKeys::window_s(uint32_t start_s, uint32_t now_s) {
  double window = 0;
  double weight = 1;
  uint32_t end = now_s;
  uint32_t begin = now_s / kHalfLifeS * kHalfLifeS;
  // Of what was counted before that nothing is left.
  for (int minute = 0; minute < 32 && end > start_s; ++minute) {
    begin = std::max(begin, start_s);
    window += weight * (end - begin);
    weight /= 2;
    end = begin;
    begin -= std::min(begin, kHalfLifeS);
  }
  return window;
}

}  // namespace millrace::cache
