#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/ops/page_cache.h"
#include "core/store/lsn.h"

namespace millrace::cache {

/// The LSN of the last change of everything that a page may cover: each partition, and each table
/// or index as a whole. A table of fixed size in which covers share places by their hash; the later
/// change counts for all of a place, so a collision voids too much and never too little. Nothing is
/// ever forgotten. One thread writes, with rising LSNs; any thread reads.
///
/// A reader that has seen an LSN published (acquire) which the writer published (release) after it
/// had noted a change finds that change here.
class LastChanges {
 public:
  using Place = uint32_t;

  /// `bytes_max`: at least one place's.
  explicit LastChanges(size_t bytes_max);

  Place place_of(const PageCover& cover) const;
  /// A change of `key`, of an item or of an index's entry: a whole store key.
  void note(std::string_view key, Lsn lsn);
  /// Of the last change of what has this place; 0: none yet.
  Lsn at(Place place) const;

  size_t bytes() const { return (mask_ + 1) * sizeof(Lsn); }

 private:
  struct Unmap {
    size_t bytes;
    void operator()(Lsn* places) const;
  };
  const size_t mask_;
  /// A mapping of its own, which the system zeroes page by page as it is touched: a large table
  /// costs an idle node nothing. Within the heap it would be part of huge pages.
  const std::unique_ptr<Lsn[], Unmap> places_;
};

}  // namespace millrace::cache
