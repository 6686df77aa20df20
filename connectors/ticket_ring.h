#pragma once

#include <cstdint>
#include <vector>

#include "core/base/check.h"
#include "core/store/lsn.h"

namespace millrace::connectors {

/// The records that were handed over and are not yet acknowledged without a gap, in the order of
/// the log. A ticket is a record's number in that order; tickets are never used twice. A ring of
/// fixed size, no allocation for a record.
class TicketRing {
 public:
  /// `capacity`: records at most, a power of two.
  explicit TicketRing(size_t capacity) : slots_(capacity) {
    CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0);
  }

  struct Slot {
    Lsn lsn = 0;
    int64_t time_ms = 0;
    uint32_t bytes = 0;
    bool acknowledged = false;
  };

  bool full() const { return size() == slots_.size(); }
  bool empty() const { return first_ == next_; }
  size_t size() const { return static_cast<size_t>(next_ - first_); }
  size_t bytes() const { return bytes_; }
  /// The ticket that push() gives next.
  uint64_t next() const { return next_; }

  uint64_t push(Lsn lsn, int64_t time_ms, size_t bytes) {
    CHECK(!full());
    slots_[index(next_)] = Slot{lsn, time_ms, static_cast<uint32_t>(bytes), false};
    bytes_ += bytes;
    return next_++;
  }

  /// A ticket that is no longer in the ring (handed out before a clear()) is ignored.
  void acknowledge(uint64_t ticket) {
    if (ticket < first_ || ticket >= next_) return;
    slots_[index(ticket)].acknowledged = true;
  }

  /// Takes the next record if it is acknowledged; false if it is not, or there is none.
  bool pop_acknowledged(Slot& slot) {
    if (empty() || !slots_[index(first_)].acknowledged) return false;
    slot = slots_[index(first_++)];
    bytes_ -= slot.bytes;
    return true;
  }

  /// Forgets all records; their tickets stay used.
  void clear() {
    first_ = next_;
    bytes_ = 0;
  }

 private:
  size_t index(uint64_t ticket) const { return static_cast<size_t>(ticket & (slots_.size() - 1)); }

  std::vector<Slot> slots_;
  uint64_t first_ = 0;
  uint64_t next_ = 0;
  size_t bytes_ = 0;
};

}  // namespace millrace::connectors
