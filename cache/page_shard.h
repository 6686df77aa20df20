#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cache/page_entry.h"
#include "cache/reads_in_flight.h"
#include "cache/s3_fifo.h"
#include "cache/table_shares.h"

namespace millrace::cache {

/// The pages of one slice of the requests, within a limit of bytes. Knows nothing of coherence. Not
/// thread-safe.
class PageShard {
 public:
  /// Pages that have left: freed by whoever holds this, after the lock is given back.
  using Left = std::vector<PageEntry::Ptr>;

  /// `bytes_max`: of pages, table and policy together.
  explicit PageShard(size_t bytes_max) : bytes_max_(bytes_max), policy_(bytes_max) {}

  /// The largest PageEntry::bytes() that is kept: a shard shall hold a few at least.
  size_t entry_bytes_max() const { return bytes_max_ / 4; }

  /// Null if there is none. Not counted as a use.
  PageEntry* find(std::string_view key, uint64_t hash);
  void use(PageEntry& entry) { policy_.use(entry); }
  struct Evicted {
    size_t pages = 0, bytes = 0;
  };
  /// Puts a page in, or in the place of the one with its key. Returns what left to make room.
  Evicted put(PageEntry::Ptr fresh, Left& left);
  void remove(PageEntry& entry, Left& left);
  /// All pages, or a table's. Returns how many there were.
  size_t clear(Left& left);
  size_t clear(Generation table, Left& left);

  ReadsInFlight& reads() { return reads_; }
  size_t count() const { return table_.size(); }
  void add_shares(TableShares& shares) const { shares_.add_to(shares); }
  size_t bytes() const { return policy_.bytes() + policy_.overhead_bytes() + table_bytes(); }

 private:
  struct Lookup {
    std::string_view key;
    uint64_t hash;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    size_t operator()(const PageEntry::Ptr& entry) const { return entry->hash(); }
    size_t operator()(const Lookup& lookup) const { return lookup.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const PageEntry::Ptr& a, const PageEntry::Ptr& b) const {
      return a->key() == b->key();
    }
    bool operator()(const Lookup& a, const PageEntry::Ptr& b) const { return a.key == b->key(); }
    bool operator()(const PageEntry::Ptr& a, const Lookup& b) const { return (*this)(b, a); }
  };

  size_t table_bytes() const;

  const size_t bytes_max_;
  boost::unordered_flat_set<PageEntry::Ptr, Hash, Equal> table_;
  S3Fifo<PageEntry> policy_;
  ShareCounter shares_;
  ReadsInFlight reads_;
};

}  // namespace millrace::cache
