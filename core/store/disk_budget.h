#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/base/disk.h"
#include "core/base/result.h"

namespace millrace {

/// How much the data folder may still grow (invariant 6): until `bytes_max`, or until the file
/// system is full. What is left before that is a reserve, in which deletions, trimming, compaction
/// and positions of readers go on while writes that grow are refused; the last part of the reserve
/// is for trimming and compaction alone.
///
/// measure() is called by one thread, now and then; between two calls the folder may grow by less
/// than the reserve. Everything else is thread-safe.
class DiskBudget {
 public:
  enum class Level : uint8_t {
    kRoomy,
    kLow,        // writes that grow are refused
    kExhausted,  // all writes are
  };
  struct Figures {
    uint64_t used_bytes = 0;     // by the folder
    uint64_t room_bytes = 0;     // that it may still grow by
    uint64_t reserve_bytes = 0;  // kLow when there is less room than that
    uint64_t budget_bytes = 0;   // what it may take in all, as far as is known
  };

  /// `bytes_max`: 0 is what the file system has.
  DiskBudget(Disk& disk, std::string folder, uint64_t bytes_max)
      : disk_(disk), folder_(std::move(folder)), bytes_max_(bytes_max) {}

  /// Looks at the disk. True if the level has changed.
  Result<bool> measure();

  /// A write was refused for want of room: nothing is written until the next measure().
  void note_full() { level_.store(Level::kExhausted, std::memory_order_relaxed); }

  Level level() const { return level_.load(std::memory_order_relaxed); }
  Figures figures() const;
  /// Bytes after whose growth it is time to measure() again.
  uint64_t measure_bytes() const {
    return reserve_.load(std::memory_order_relaxed) / kMeasuresInReserve;
  }
  /// OK, or the error that answers a write that grows: DynamoDB's for an account's limit, which
  /// SDKs try again.
  Status may_grow() const;
  /// The same for any write.
  Status may_write() const;

 private:
  static constexpr uint64_t kMeasuresInReserve = 8;

  Disk& disk_;
  const std::string folder_;
  const uint64_t bytes_max_;
  std::atomic<Level> level_{Level::kRoomy};
  std::atomic<uint64_t> used_{0}, room_{0}, reserve_{0}, budget_{0};
};

/// The answer to a write for which the disk has no room.
Error disk_is_full();

}  // namespace millrace
