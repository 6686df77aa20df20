#include "core/store/disk_budget.h"

#include <algorithm>

namespace millrace {
namespace {

// An eighth of the budget, a quarter of a small one: a compaction writes its result before it
// removes what it read, and memory tables that are full must find their place. More than 1 GB would
// only be wasted.
constexpr uint64_t kReserveParts = 8;
constexpr uint64_t kReserveBytesMax = 1u << 30;
constexpr uint64_t kSmallReserveParts = 4;
constexpr uint64_t kSmallReserveBytes = 32u << 20;
// The part of the reserve that deletions leave alone.
constexpr uint64_t kLastParts = 8;
// Room that must come back beyond the reserve before writes go on, so that they do not stop again
// at once.
constexpr uint64_t kReturnParts = 16;

}  // namespace

Error disk_is_full() {
  return make_error(
      ErrorCode::kRequestLimitExceeded,
      "Throughput exceeds the current throughput limit for your account. The data folder has no "
      "room for further data: delete some, or give it a larger disk budget");
}

Result<bool> DiskBudget::measure() {
  ASSIGN_OR_RETURN(const uint64_t used, disk_.used_bytes(folder_));
  ASSIGN_OR_RETURN(const uint64_t free, disk_.free_bytes(folder_));
  const uint64_t budget = bytes_max_ != 0 ? std::min(bytes_max_, used + free) : used + free;
  const uint64_t room = budget - std::min(budget, used);
  const uint64_t reserve = std::max(std::min(budget / kReserveParts, kReserveBytesMax),
                                    std::min(budget / kSmallReserveParts, kSmallReserveBytes));
  used_.store(used, std::memory_order_relaxed);
  room_.store(room, std::memory_order_relaxed);
  reserve_.store(reserve, std::memory_order_relaxed);
  budget_.store(budget, std::memory_order_relaxed);

  const Level before = level();
  auto below = [&](uint64_t bound, Level level) {
    return room < (before >= level ? bound + reserve / kReturnParts : bound);
  };
  Level now = Level::kRoomy;
  if (below(reserve, Level::kLow)) now = Level::kLow;
  if (below(reserve / kLastParts, Level::kExhausted)) now = Level::kExhausted;
  level_.store(now, std::memory_order_relaxed);
  return now != before;
}

DiskBudget::Figures DiskBudget::figures() const {
  return {used_.load(std::memory_order_relaxed), room_.load(std::memory_order_relaxed),
          reserve_.load(std::memory_order_relaxed), budget_.load(std::memory_order_relaxed)};
}

Status DiskBudget::may_grow() const { return level() == Level::kRoomy ? Status{} : disk_is_full(); }

Status DiskBudget::may_write() const {
  return level() != Level::kExhausted ? Status{} : disk_is_full();
}

}  // namespace millrace
