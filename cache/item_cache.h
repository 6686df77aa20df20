#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/hot_set.h"
#include "cache/hot_traffic.h"
#include "cache/item_shard.h"
#include "cache/table_policy.h"
#include "core/base/clock.h"
#include "core/model/value.h"
#include "core/ops/read_cache.h"
#include "core/store/engine.h"
#include "core/store/frame.h"
#include "core/store/lsn.h"

namespace millrace::cache {

struct ItemCacheOptions {
  /// Of everything the cache keeps: keys, items, tables, what the eviction policy remembers.
  size_t bytes_max = 64u << 20;
  /// Of tables that set_policies() does not name.
  TablePolicy policy = {};
  /// Independent slices with a lock each, a power of two; 0: one for each 4 MB.
  size_t shards = 0;
};

/// The item cache: coherent with the log by write-through (on_commit) and LSN-guarded fills.
/// Thread-safe. The engine must call on_commit with rising LSNs, before the frame's changes can be
/// seen in any view.
class ItemCache final : public ReadCache, public CommitObserver, public KnownItems {
 public:
  /// `clock` outlives the cache.
  ItemCache(ItemCacheOptions options, Clock& clock);
  ~ItemCache() override;

  /// `use` may also run outside of the lock; it must not call the cache. See ReadCache for the
  /// rest.
  Outcome find(std::string_view key, Lsn published, ItemForm form, const Use& use,
               std::function<void()> resume) override;
  bool find_expired(std::string_view key, Lsn published, ItemForm form, const Use& use) override;
  /// Runs the waiting readers' `resume` before it returns, holding no lock.
  bool fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) override;
  void abandon(std::string_view key) override;

  void on_commit(const FramePtr& frame) override;
  /// For the committer, between two calls of on_commit(). Counts neither as a hit nor as a use.
  std::optional<bool> known(std::string_view key, std::string& image) override;

  /// From now on these tables have policies of their own. A table's must be told before its first
  /// change is, and never be changed: an entry that was not told of may not come back.
  void set_policies(TablePolicies policies);

  /// Drops all entries; those of a table; that of a key. Says how many there were. Coherent at any
  /// time. The first two look at every entry, a shard at a time under its lock.
  size_t clear();
  size_t clear(Generation generation);
  size_t clear(std::string_view key);

  /// For who reads items that nobody has asked for yet: true if the key may come in by a fill,
  /// which has to follow, or abandon(). False if it is there, is being read, or there is no room.
  /// Counted as nothing.
  bool begin_warming(std::string_view key);

  /// A walk over what is cached that holds no lock for long.
  struct Walk {
    bool begun = false;
    size_t shard = 0;
  };
  /// Adds the next `count` keys, or so; first of all those that are asked for most. False at the
  /// end.
  bool collect(Walk& walk, size_t count, HotSetBuilder& keys);

  /// Of reads that ask for the cache and of changes, also of tables that are not cached.
  HotKeysReport hot_keys(size_t limit, const HotTraffic::IsAsked& is_asked) const {
    return traffic_.keys(limit, is_asked, now_s());
  }
  /// The same of whole partitions, whichever of their keys were asked for, and of those that Query
  /// reads.
  HotKeysReport hot_partitions(size_t limit, const HotTraffic::IsAsked& is_asked) const {
    return traffic_.partitions(limit, is_asked, now_s());
  }
  void note_query(std::string_view key) override { traffic_.note_query(key, now_s()); }

  /// Summed over the shards, which are looked at one after the other.
  ItemCacheStatistics statistics() const;
  size_t bytes_max() const { return options_.bytes_max; }
  TableShares table_shares() const;

 private:
  struct Shard;
  struct Question;
  struct Hits;

  Shard& shard_of(uint64_t hash) const;
  uint32_t now_s() const;
  Outcome serve(Shard& shard, const Question& question);
  Outcome begin_read(Shard& shard, const Question& question, std::function<void()>& resume);
  bool use_in_place(const Entry& entry, const Question& question) const;
  static Entry::Content copied(const Entry& entry, std::string_view key);
  void use_copy(Shard& shard, const Question& question, const Entry* entry,
                const Entry::Content& seen);
  void count_hit(size_t place);
  void write(const ChangeView& change, uint32_t now_s);
  size_t drop_all(std::string_view prefix);
  void render(Shard& shard, const Entry* seen, Entry::Content wire_content, uint64_t hash,
              const Use& use);

  const ItemCacheOptions options_;
  Clock& clock_;
  const size_t shard_mask_;
  const uint32_t absent_crc32_;
  const std::unique_ptr<Hits[]> hits_;  // of each place of ReadMostlyLock
  std::atomic<uint64_t> stale_answers_{0};
  HotTraffic traffic_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace millrace::cache
