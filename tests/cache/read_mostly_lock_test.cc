#include "cache/read_mostly_lock.h"

#include <barrier>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace millrace::cache {
namespace {

using Reading = ReadMostlyLock::Reading;

TEST(ReadMostlyLock, ThreadsReadAtOnceEachInItsPlace) {
  constexpr size_t kThreads = 4;
  ReadMostlyLock lock;
  std::barrier all_read(kThreads);
  std::vector<size_t> places(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Reading reading(lock);
      places[i] = reading.place();
      all_read.arrive_and_wait();  // never, if one kept the others out
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<size_t>(places.begin(), places.end()).size(), kThreads);
  for (size_t place : places) EXPECT_LT(place, ReadMostlyLock::kReadersMax);
}

TEST(ReadMostlyLock, PlacesComeBackFromThreadsThatHaveEnded) {
  ReadMostlyLock lock;
  for (size_t i = 0; i < 3 * ReadMostlyLock::kReadersMax; ++i) {
    std::thread([&] { EXPECT_LT(Reading(lock).place(), ReadMostlyLock::kReadersMax); }).join();
  }
}

/// Two numbers that are equal whenever nobody writes.
struct Pair {
  ReadMostlyLock lock;
  uint64_t first = 0, second = 0;

  void write() {
    std::lock_guard guard(lock);
    ++first;
    ++second;
  }
  bool equal() {
    Reading reading(lock);
    return first == second;
  }
};

TEST(ReadMostlyLock, NobodyReadsWhileOneWrites) {
  constexpr uint64_t kWrites = 20'000;
  Pair pairs[2];
  std::atomic<bool> done{false};
  std::atomic<uint64_t> torn{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        for (Pair& pair : pairs) torn += !pair.equal();
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      for (uint64_t n = 0; n < kWrites; ++n) pairs[n % 2].write();
    });
  }
  for (std::thread& thread : writers) thread.join();
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn, 0u);
  for (const Pair& pair : pairs) EXPECT_EQ(pair.first, kWrites);
}

TEST(ReadMostlyLock, MoreThreadsThanPlacesReadAndWriteCorrectly) {
  constexpr size_t kThreads = ReadMostlyLock::kReadersMax + 8;
  Pair pair;
  std::barrier all_have_read(kThreads);
  std::atomic<uint64_t> torn{0}, without_place{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      without_place += Reading(pair.lock).place() == ReadMostlyLock::kReadersMax;
      all_have_read.arrive_and_wait();  // so that all are there at once
      for (int n = 0; n < 100; ++n) {
        pair.write();
        torn += !pair.equal();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(without_place, 8u);
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(pair.first, 100 * kThreads);
}

}  // namespace
}  // namespace millrace::cache
