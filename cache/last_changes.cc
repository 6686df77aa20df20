#include "cache/last_changes.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace millrace::cache {
namespace {

// Every bit has its share in the upper half: the generations of a table and its indexes differ in
// the highest alone.
uint64_t mixed(uint64_t bits) { return (bits ^ bits >> 32) * 0x9E3779B97F4A7C15u; }

}  // namespace

LastChanges::LastChanges(size_t bytes_max)
    : mask_(std::bit_floor(std::clamp<size_t>(bytes_max / sizeof(Lsn), 1,
                                              size_t{std::numeric_limits<Place>::max()} + 1)) -
            1),
      places_(static_cast<Lsn*>(::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
              Unmap{bytes()}) {
  CHECK(places_.get() != MAP_FAILED);
}

void LastChanges::Unmap::operator()(Lsn* places) const { ::munmap(places, bytes); }

LastChanges::Place LastChanges::place_of(const PageCover& cover) const {
  const uint64_t hash = mixed(cover.generation) ^ cover.partition_hash.value_or(0);
  return static_cast<Place>((cover.partition_hash ? hash : mixed(hash)) >> 32 & mask_);
}

void LastChanges::note(std::string_view key, Lsn lsn) {
  if (key.size() < 2 * sizeof(uint64_t)) return;
  const Generation generation = get_big_endian64(key.data());
  const uint64_t partition_hash = get_big_endian64(key.data() + sizeof(Generation));
  for (const PageCover& cover : {PageCover{generation, partition_hash}, PageCover{generation, {}}})
    std::atomic_ref(places_[place_of(cover)]).store(lsn, std::memory_order_relaxed);
}

Lsn LastChanges::at(Place place) const {
  return std::atomic_ref(places_[place]).load(std::memory_order_relaxed);
}

}  // namespace millrace::cache
