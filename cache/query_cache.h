#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "cache/last_changes.h"
#include "cache/page_entry.h"
#include "cache/table_policy.h"
#include "cache/table_shares.h"
#include "core/base/clock.h"
#include "core/ops/page_cache.h"
#include "core/store/engine.h"

namespace millrace::cache {

struct QueryCacheOptions {
  /// Of everything the cache keeps: requests, pages, tables, what the eviction policy remembers,
  /// and the last changes, which have a sixteenth.
  size_t bytes_max = 64u << 20;
  /// Of tables that set_policies() does not name.
  TablePolicy policy = {};
  /// Independent slices with a lock each, a power of two; 0: one for each 8 MB.
  size_t shards = 0;
};

/// What happened in the cache since the start, and what is in it now.
struct QueryCacheStatistics {
  struct Reads {
    uint64_t hits = 0;
    uint64_t misses = 0;    // that led to a read of the store meant to fill
    uint64_t waits = 0;     // that waited for such a read
    uint64_t bypasses = 0;  // that read the store for themselves
  };
  Reads queries, scans;
  uint64_t fills = 0;
  uint64_t fills_refused = 0;  // something had changed meanwhile, or the page was too large
  uint64_t voids = 0;          // pages found to be of before a change of what they cover
  uint64_t evictions = 0;
  uint64_t evicted_bytes = 0;
  uint64_t expirations = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
};

/// The query cache: pages of Query and Scan, void as soon as anything that they cover has changed.
/// Thread-safe. The engine must call on_commit with rising LSNs, before the frame's changes can be
/// seen in any view.
class QueryCache final : public PageCache, public CommitObserver {
 public:
  /// `clock` outlives the cache.
  QueryCache(QueryCacheOptions options, Clock& clock);
  ~QueryCache() override;

  Outcome find(const PageQuestion& question, Lsn published,
               const std::function<void(const CachedPage&)>& use,
               std::function<void()> resume) override;
  /// Runs the waiting readers' `resume` before it returns, holding no lock.
  bool fill(const PageQuestion& question, std::string_view body, PageSize size,
            Lsn view_lsn) override;
  void abandon(const PageQuestion& question) override;

  /// Takes no lock: a write never waits for readers.
  void on_commit(const FramePtr& frame) override;

  /// From now on these tables have policies of their own.
  void set_policies(TablePolicies policies);

  /// Drops all pages; those of a table and its indexes. Says how many there were. Coherent at any
  /// time. Both look at every page, a shard at a time under its lock.
  size_t clear();
  size_t clear(Generation table);

  /// Summed over the shards, which are looked at one after the other.
  QueryCacheStatistics statistics() const;
  size_t bytes_max() const { return options_.bytes_max; }
  TableShares table_shares() const;

 private:
  struct Shard;

  Shard& shard_of(uint64_t hash) const;
  uint32_t now_s() const;
  PageEntry::Places places_of(const PageQuestion& question) const;
  /// Whether nothing that a page covers has changed since it was read.
  bool is_current(const PageEntry& page) const;

  const QueryCacheOptions options_;
  Clock& clock_;
  LastChanges last_changes_;
  const size_t shard_mask_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace millrace::cache
