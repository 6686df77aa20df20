#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::cache {

/// Remembers the hashes of the entries that left most recently, about as many as entries are
/// cached. A bounded approximation: a bucket of four that is full forgets its oldest, and two
/// hashes with the same low 32 bits are one. Grows lazily; eight bytes a place.
class GhostTable {
 public:
  /// Remembers `hash`, and from now on only the last `capacity`.
  void add(uint64_t hash, size_t capacity);
  /// Whether `hash` is remembered; forgets it.
  bool take(uint64_t hash);
  size_t bytes() const { return places_.capacity() * sizeof(Place); }

 private:
  static constexpr size_t kBucketPlaces = 4;
  struct Place {
    uint32_t fingerprint = 0;
    uint32_t added = 0;  // the count of additions then; 0: empty
  };

  Place* bucket(uint32_t fingerprint) {
    return &places_[fingerprint % (places_.size() / kBucketPlaces) * kBucketPlaces];
  }
  bool remembered(const Place& place) const {
    return place.added != 0 && added_ - place.added < capacity_;
  }
  void put(const Place& place);
  void grow();

  std::vector<Place> places_;  // a power of two
  uint32_t added_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace millrace::cache
