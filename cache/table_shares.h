#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "core/model/schema.h"

namespace millrace::cache {

/// What one table has in a cache.
struct TableShare {
  uint64_t entries = 0;
  uint64_t bytes = 0;
};
using TableShares = std::map<Generation, TableShare>;

/// Counts what each table has in one slice of a cache. Tables come and go; none leaves anything
/// behind.
class ShareCounter {
 public:
  void add(Generation table, size_t bytes) {
    TableShare& share = shares_[table];
    ++share.entries;
    share.bytes += bytes;
  }
  void remove(Generation table, size_t bytes) {
    const auto found = shares_.find(table);
    found->second.bytes -= bytes;
    if (--found->second.entries == 0) shares_.erase(found);
  }
  /// An entry became another of the same table.
  void replace(Generation table, size_t old_bytes, size_t new_bytes) {
    shares_[table].bytes += new_bytes - old_bytes;
  }
  void add_to(TableShares& sum) const {
    for (const auto& [table, share] : shares_) {
      sum[table].entries += share.entries;
      sum[table].bytes += share.bytes;
    }
  }
  /// Memory of its own.
  size_t bytes() const { return 2 * shares_.size() * sizeof(std::pair<Generation, TableShare>); }

 private:
  boost::unordered_flat_map<Generation, TableShare> shares_;
};

}  // namespace millrace::cache
