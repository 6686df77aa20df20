#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/check.h"

namespace millrace::cache {

/// What a simulated policy links: one object of size one.
struct SimulatedEntry {
  SimulatedEntry* newer = nullptr;
  SimulatedEntry* older = nullptr;
  uint8_t uses = 0;
  uint8_t queue = 0;
  uint64_t object = 0;

  size_t bytes() const { return 1; }
  uint64_t hash() const { return object; }
};

/// A list of entries by age, for the policies that are compared with ours.
class AgeList {
 public:
  void push(SimulatedEntry& entry) {
    entry.newer = nullptr;
    entry.older = newest_;
    (newest_ ? newest_->newer : oldest_) = &entry;
    newest_ = &entry;
    ++count_;
  }
  void unlink(SimulatedEntry& entry) {
    (entry.newer ? entry.newer->older : newest_) = entry.older;
    (entry.older ? entry.older->newer : oldest_) = entry.newer;
    --count_;
  }
  SimulatedEntry* oldest() const { return oldest_; }
  size_t count() const { return count_; }

 private:
  SimulatedEntry* newest_ = nullptr;
  SimulatedEntry* oldest_ = nullptr;
  size_t count_ = 0;
};

class Lru {
 public:
  explicit Lru(size_t) {}
  void insert(SimulatedEntry& entry, bool) { list_.push(entry); }
  void use(SimulatedEntry& entry) {
    list_.unlink(entry);
    list_.push(entry);
  }
  SimulatedEntry* evict() {
    SimulatedEntry* victim = list_.oldest();
    if (victim) list_.unlink(*victim);
    return victim;
  }
  size_t count() const { return list_.count(); }

 private:
  AgeList list_;
};

/// SIEVE (Zhang et al., NSDI 2024).
class Sieve {
 public:
  explicit Sieve(size_t) {}
  void insert(SimulatedEntry& entry, bool) { list_.push(entry); }
  void use(SimulatedEntry& entry) { entry.uses = 1; }
  SimulatedEntry* evict() {
    if (list_.count() == 0) return nullptr;
    SimulatedEntry* victim = hand_ ? hand_ : list_.oldest();
    while (victim->uses) {
      victim->uses = 0;
      victim = victim->newer ? victim->newer : list_.oldest();
    }
    hand_ = victim->newer;
    list_.unlink(*victim);
    return victim;
  }
  size_t count() const { return list_.count(); }

 private:
  AgeList list_;
  SimulatedEntry* hand_ = nullptr;
};

}  // namespace millrace::cache
