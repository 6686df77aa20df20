#include "cache/ghost_table.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::cache {

void GhostTable::add(uint64_t hash, size_t capacity) {
  capacity_ =
      static_cast<uint32_t>(std::min<size_t>(capacity, std::numeric_limits<uint32_t>::max() / 2));
  if (capacity_ == 0) return;
  if (places_.size() < capacity_) grow();
  if (++added_ == 0) {  // the count has wrapped: what is older cannot be told from what is newer
    std::fill(places_.begin(), places_.end(), Place{});
    added_ = 1;
  }
  put({static_cast<uint32_t>(hash), added_});
}

bool GhostTable::take(uint64_t hash) {
  if (places_.empty()) return false;
  const auto fingerprint = static_cast<uint32_t>(hash);
  Place* first = bucket(fingerprint);
  for (Place* place = first; place != first + kBucketPlaces; ++place) {
    if (place->fingerprint != fingerprint || place->added == 0) continue;
    const bool found = remembered(*place);
    *place = {};
    return found;
  }
  return false;
}

void GhostTable::put(const Place& place) {
  Place* first = bucket(place.fingerprint);
  Place* victim = first;
  for (Place* p = first; p != first + kBucketPlaces; ++p) {
    if (p->added == 0 || p->fingerprint == place.fingerprint) {
      victim = p;
      break;
    }
    if (p->added < victim->added) victim = p;
  }
  *victim = place;
}

void GhostTable::grow() {
  size_t size = std::max<size_t>(64, places_.size());
  while (size < capacity_) size *= 2;
  std::vector<Place> old = std::exchange(places_, std::vector<Place>(size));
  for (const Place& place : old) {
    if (remembered(place)) put(place);
  }
}

}  // namespace millrace::cache
