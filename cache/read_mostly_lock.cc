#include "cache/read_mostly_lock.h"

#include <array>
#include <bit>
#include <cstdint>
#include <thread>

#include "core/base/check.h"

namespace millrace::cache {
namespace {

struct alignas(64) Place {
  std::atomic<const ReadMostlyLock*> reads_under{nullptr};
};
std::array<Place, ReadMostlyLock::kReadersMax> places;
std::atomic<uint64_t> places_taken{0};  // a bit for each

/// A thread's place, from its first read to its end.
struct PlaceOfThread {
  PlaceOfThread() {
    uint64_t taken = places_taken.load();
    do {
      if (taken == ~uint64_t{0}) return;
      number = static_cast<size_t>(std::countr_one(taken));
    } while (!places_taken.compare_exchange_weak(taken, taken | uint64_t{1} << number));
  }
  ~PlaceOfThread() {
    if (number != ReadMostlyLock::kReadersMax) places_taken.fetch_and(~(uint64_t{1} << number));
  }
  size_t number = ReadMostlyLock::kReadersMax;
};
thread_local PlaceOfThread place_of_thread;

/// A reader is done within the time that a copy of an item takes, unless it lost its processor.
void wait_for(const std::atomic<const ReadMostlyLock*>& reads_under, const ReadMostlyLock* lock) {
  constexpr int kSpins = 200;
  for (int spins = 0; reads_under.load() == lock; ++spins) {
    if (spins >= kSpins) std::this_thread::yield();
  }
}

}  // namespace

// A reader names the lock, then looks whether it is closed; a writer closes it, then looks who
// names it. All four are sequentially consistent, so at least one of the two sees the other. The
// same holds for a thread's taking of a place.

void ReadMostlyLock::lock() {
  mutex_.lock();
  closed_.store(true);
  for (uint64_t taken = places_taken.load(); taken != 0; taken &= taken - 1) {
    wait_for(places[static_cast<size_t>(std::countr_zero(taken))].reads_under, this);
  }
}

void ReadMostlyLock::unlock() {
  closed_.store(false, std::memory_order_release);
  mutex_.unlock();
}

ReadMostlyLock::Reading::Reading(ReadMostlyLock& lock)
    : lock_(lock), place_(place_of_thread.number) {
  if (place_ != kReadersMax) {
    std::atomic<const ReadMostlyLock*>& reads_under = places[place_].reads_under;
    CHECK(reads_under.load(std::memory_order_relaxed) == nullptr);  // one lock at a time
    reads_under.store(&lock);
    if (!lock.closed_.load()) return;
    reads_under.store(nullptr, std::memory_order_release);
    place_ = kReadersMax;
  }
  lock.lock();
}

ReadMostlyLock::Reading::~Reading() {
  if (place_ != kReadersMax) {
    places[place_].reads_under.store(nullptr, std::memory_order_release);
  } else {
    lock_.unlock();
  }
}

}  // namespace millrace::cache
