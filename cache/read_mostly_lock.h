#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

namespace millrace::cache {

/// A lock whose readers write nothing that other readers look at: each thread says in a place of
/// its own which lock it reads under, and a writer waits until no place names the lock (visible
/// readers as in BRAVO: Dice and Kogan, USENIX ATC 2019). So two threads read for the price of one,
/// a read costs one ordered store, and a write a look at the place of every thread that has ever
/// read.
///
/// A thread reads under one lock at a time, and takes no lock of this kind meanwhile.
class ReadMostlyLock {
 public:
  /// Threads that can read at once; a further one excludes others as a writer does.
  static constexpr size_t kReadersMax = 64;

  /// For writers, as a mutex.
  void lock();
  void unlock();

  /// Keeps writers out as long as it lives.
  class Reading {
   public:
    explicit Reading(ReadMostlyLock& lock);
    ~Reading();
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    /// Below kReadersMax, of this thread alone; kReadersMax: all others are kept out.
    size_t place() const { return place_; }

   private:
    ReadMostlyLock& lock_;
    size_t place_;
  };

 private:
  std::mutex mutex_;  // of writers
  std::atomic<bool> closed_{false};
};

}  // namespace millrace::cache
