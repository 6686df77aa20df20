#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cache/hot_set.h"
#include "cache/item_cache.h"
#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/engine.h"

namespace millrace::cache {

struct WarmRestartOptions {
  std::string path;  // of the file
  size_t file_bytes_max = 4u << 20;
  /// What a run that is killed forgets at most.
  int64_t save_interval_ms = 60'000;
  /// Whether it is a table's that is there.
  std::function<bool(Generation)> is_table;
};

/// Keeps what was hot in the item cache over a restart: its keys go to a file (hot_set.h) from time
/// to time, and the next run reads their items from the store, as a reader that missed would: with
/// a view of its own and an LSN-guarded fill. So it is coherent by the same rules, whatever has
/// changed since and however old or wrong the file is. Stepped by one thread.
class WarmRestart {
 public:
  struct Progress {
    bool done = false;    // with the file of the last run
    uint64_t keys = 0;    // in it
    uint64_t filled = 0;  // items (or absences) that came into the cache
    uint64_t unread = 0;  // that the store could not give
  };

  /// All outlive it.
  WarmRestart(ItemCache& cache, Engine& engine, Disk& disk, Clock& clock,
              WarmRestartOptions options);

  /// Does a fifth of a millisecond's work: reads items of the last run's keys; once they are done
  /// collects keys, in each interval in which the cache was asked anything, and writes them. True
  /// if more waits. An error is told once: of a file that cannot be used, or was not written.
  Result<bool> step();
  /// Writes the file at the end of a run, unless that is still warming: then the last run's is
  /// better.
  Status save();

  /// Any thread.
  Progress progress() const;
  /// Why the first key of Progress::unread was not read. For the thread that steps.
  const std::optional<Error>& first_unread() const { return first_unread_; }

 private:
  Status begin();
  Result<bool> warm();
  void warm_key(const View& view, std::string_view key);
  /// True if there is more.
  bool collect();
  /// A piece. True if there is more.
  Result<bool> write();
  bool may_write() const;
  uint64_t activity() const;

  ItemCache& cache_;
  Engine& engine_;
  Disk& disk_;
  Clock& clock_;
  const WarmRestartOptions options_;

  // Of the last run.
  bool begun_ = false;
  std::string file_;
  ByteReader keys_left_{{}};
  std::string image_;
  std::optional<Error> first_unread_;

  // Of this one; none: nothing is being collected.
  std::optional<HotSetBuilder> collected_;
  std::optional<HotSetFile> writing_;  // what was collected; none: it still is
  ItemCache::Walk walk_;
  int64_t collected_ns_ = 0;      // when that began
  uint64_t activity_before_ = 0;  // the last time

  std::atomic<bool> done_{false};
  std::atomic<uint64_t> keys_{0};
  std::atomic<uint64_t> filled_{0};
  std::atomic<uint64_t> unread_{0};
};

}  // namespace millrace::cache
