#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "cache/entry.h"
#include "cache/reads_in_flight.h"
#include "cache/s3_fifo.h"
#include "cache/table_shares.h"
#include "core/store/lsn.h"

namespace millrace::cache {

/// What happened in the cache since the start, and what is in it now.
struct ItemCacheStatistics {
  uint64_t hits = 0;
  uint64_t misses = 0;    // that led to a read of the store meant to fill
  uint64_t waits = 0;     // that waited for such a read
  uint64_t bypasses = 0;  // that read the store for themselves
  uint64_t fills = 0;
  uint64_t fills_refused = 0;  // might have brought back the past, or were too large
  uint64_t writes = 0;
  uint64_t evictions = 0;
  uint64_t evicted_bytes = 0;
  uint64_t expirations = 0;
  uint64_t stale_answers = 0;  // of expired entries, since the store could not be read
  uint64_t entries = 0;
  uint64_t bytes = 0;
};

/// The entries of one slice of the keys and the rules by which they come and go. Not thread-safe,
/// but const functions and use() may run beside each other.
///
/// Invariant: let L be the LSN of the last change of a key that write() was told of. Then either
/// the key's entry is the item as of L or later, or there is none and L <= watermark(). So a fill
/// is right exactly if it finds no entry and its view is not below the watermark. Hence every entry
/// that a write put here raises the watermark to its LSN when it leaves, in whatever way; one that
/// a fill put here need not, since L <= watermark() held when it came, and a later change would
/// have replaced it.
class ItemShard {
 public:
  /// `bytes_max`: of entries, table and policy together.
  explicit ItemShard(size_t bytes_max);
  ~ItemShard();

  /// The largest Entry::bytes() that is kept: a shard shall hold a few at least.
  size_t entry_bytes_max() const { return bytes_max_ / 4; }

  /// The key's entry that has not expired by `now_s`; null if there is none. Not counted as a use.
  Entry* find(std::string_view key, uint64_t hash, uint32_t now_s) const;
  static void use(Entry& entry) { S3Fifo<Entry>::use(entry); }
  /// Drops the key's entry if it has expired by `now_s`. Until then one that has is told of changes
  /// as all others are.
  void expire(std::string_view key, uint64_t hash, uint32_t now_s, EntryChain& left);

  /// A change of `key` at `lsn`. `fresh`: its entry, null if it is too large to keep. `admit`: it
  /// comes in also if the key has no entry.
  void write(std::string_view key, uint64_t hash, Lsn lsn, Entry::Ptr fresh, bool admit,
             EntryChain& left);

  /// What a view at `lsn` had; takes the place of an entry that has expired. True if the key has an
  /// entry afterwards.
  bool fill(std::string_view key, uint64_t hash, Lsn lsn, Entry::Ptr fresh, uint32_t now_s,
            EntryChain& left);

  /// Puts the wire-ready form of an entry seen earlier into its place, if it is still there; `wire`
  /// null: too large to keep, the entry stays as it is. `seen` may dangle: compared, not read.
  void render(std::string_view key, uint64_t hash, const Entry* seen, Lsn seen_lsn, Entry::Ptr wire,
              EntryChain& left);

  /// Drops the key's entry; the entries whose keys begin with `prefix`. Both say how many there
  /// were.
  size_t drop(std::string_view key, uint64_t hash, EntryChain& left);
  size_t drop_all(std::string_view prefix, EntryChain& left);

  /// Of a walk over all entries: begins it; calls `visit` with the next `count`, and how hot each
  /// is (up to kHeatMax). False at the end. See S3Fifo::walk.
  static constexpr uint8_t kHeatMax = 4;
  void begin_walk() { policy_.begin_walk(); }
  bool walk(size_t count, const std::function<void(const Entry& entry, uint8_t heat)>& visit);

  ReadsInFlight& reads() { return reads_; }
  ItemCacheStatistics& counters() { return statistics_; }
  ItemCacheStatistics statistics() const;
  void add_shares(TableShares& shares) const { shares_.add_to(shares); }
  /// For what nobody has asked for yet: as much as displaces nothing.
  bool has_room() const { return bytes() < bytes_max_ / 16 * 15; }
  size_t bytes() const { return policy_.bytes() + policy_.overhead_bytes() + table_bytes(); }
  Lsn watermark() const { return watermark_; }

 private:
  struct Slot {
    mutable Entry* entry;  // its key stays the same
  };
  struct Lookup {
    std::string_view key;
    uint64_t hash;
    /// A hit will copy the payload: it is fetched together with the key that is compared, as far as
    /// entries are long here on average. Saves a hit a quarter of its time.
    size_t prefetch_bytes = 0;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    size_t operator()(const Slot& slot) const { return slot.entry->hash(); }
    size_t operator()(const Lookup& lookup) const { return lookup.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const { return a.entry->key() == b.entry->key(); }
    bool operator()(const Lookup& a, const Slot& b) const {
      const char* memory = reinterpret_cast<const char*>(b.entry);
      for (size_t i = 0; i < a.prefetch_bytes; i += 64) __builtin_prefetch(memory + i);
      return a.key == b.entry->key();
    }
    bool operator()(const Slot& a, const Lookup& b) const { return (*this)(b, a); }
  };
  using Table = boost::unordered_flat_set<Slot, Hash, Equal>;

  static constexpr size_t kPrefetchBytesMax = 4096;

  size_t table_bytes() const;
  size_t mean_entry_bytes() const {
    return policy_.count() == 0 ? 0 : policy_.bytes() / policy_.count();
  }
  /// Everything that takes an entry out of the table comes through here.
  void leave(Table::const_iterator it, EntryChain& left);
  void retire(Entry& entry, EntryChain& left);
  void insert(Entry::Ptr fresh, bool by_read, EntryChain& left);
  /// Puts `fresh` into the place of an entry of its key, which stands for nothing any more.
  void replace(Table::const_iterator it, Entry::Ptr fresh, EntryChain& left);
  void evict_to_limit(EntryChain& left);

  const size_t bytes_max_;
  Table table_;
  S3Fifo<Entry> policy_;
  Lsn watermark_ = 0;
  ShareCounter shares_;
  ReadsInFlight reads_;
  ItemCacheStatistics statistics_;
};

}  // namespace millrace::cache
