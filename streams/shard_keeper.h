#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "core/base/clock.h"
#include "streams/lineage_control.h"
#include "streams/shard_index.h"
#include "streams/streams.h"

namespace millrace::streams {

struct ShardKeeperOptions {
  int64_t shard_age_ms = 4 * 60 * 60 * 1000;
  uint64_t split_writes_per_second = 1000;
};

/// Keeps the shards of all streams as they should be: one that is older than shard_age_ms and is
/// written rolls over, one that is written more often than split_writes_per_second is split where
/// its load halves, neighbours that are written seldom are merged as far as order allows, but never
/// to fewer than the stream began with. A stream that nobody writes is left as it is. Stepped; owns
/// no thread.
class ShardKeeper {
 public:
  /// Load is measured over this time.
  static constexpr int64_t kWindowMs = 10'000;
  /// Whether a stream's shards can be merged is asked once in this time: it may cost a walk through
  /// the index.
  static constexpr int64_t kMergeIntervalMs = 60 * 60 * 1000;

  /// All outlive it and its commands.
  ShardKeeper(const Catalog& catalog, const Streams& streams, ShardIndex& index,
              LineageControl& control, const Clock& clock, ShardKeeperOptions options);

  /// Once a window has passed, looks at what was written and submits what is to be done; costs
  /// nothing before. One thread.
  void step();

 private:
  // Outlives the keeper: a command may be answered later.
  struct UnderWay {
    std::mutex mutex;
    std::set<StreamKey> streams;
    bool has(StreamKey key) {
      std::lock_guard lock(mutex);
      return streams.contains(key);
    }
  };

  void keep(const Table& table, const ShardIndex::SliceCounts& load, double seconds);
  bool roll_over_due(StreamKey key, const StreamDefinition& stream,
                     const ShardIndex::SliceCounts& load);
  bool split_hottest(StreamKey key, const StreamDefinition& stream,
                     const ShardIndex::SliceCounts& load, double seconds);
  void merge_cold(StreamKey key, const StreamDefinition& stream,
                  const ShardIndex::SliceCounts& load, double seconds);
  void submit(StreamKey key, LineageChange change);

  const Catalog& catalog_;
  const Streams& streams_;
  ShardIndex& index_;
  LineageControl& control_;
  const Clock& clock_;
  const ShardKeeperOptions options_;
  const std::shared_ptr<UnderWay> under_way_;
  int64_t window_from_ns_;
  std::map<StreamKey, int64_t>
      merges_asked_ns_;  // of streams with more shards than they began with
};

}  // namespace millrace::streams
