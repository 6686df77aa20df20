#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/schema.h"
#include "core/ops/read_cache.h"
#include "core/store/lsn.h"

namespace millrace {

/// Keys of which a change may change an answer: those of a partition, or all of a table or index.
struct PageCover {
  Generation generation = 0;
  std::optional<uint64_t> partition_hash;  // none: the whole table or index
  bool operator==(const PageCover&) const = default;
};

/// What a page of a Query or Scan is known by.
struct PageQuestion {
  enum class Kind : uint8_t { kQuery, kScan };
  Kind kind = Kind::kQuery;
  /// Equal for requests that mean the same, and only for such: see page_key().
  std::string key;
  PageCover read;                    // of the table or index that is read
  std::optional<PageCover> fetched;  // of the table from which the index's entries are completed
  Generation table = 0;              // whose, or whose index's, page it is
};

/// What a page read as DynamoDB counts it: a page of 1 MB and one more item at most.
struct PageSize {
  uint32_t read_bytes = 0;     // of the table's items or the index's entries
  uint32_t fetched_units = 0;  // of items that entries were looked up for: 4 KB begun of each
  bool operator==(const PageSize&) const = default;
};

/// A page's wire-ready body, without the capacity that it consumed, which follows from its size.
struct CachedPage {
  std::string_view body;
  uint32_t crc32 = 0;
  PageSize size;
};

/// The seam between Query and Scan and the query cache above core. Thread-safe; coherence (what a
/// page covers against the changes told by CommitObserver) is the implementation's.
class PageCache {
 public:
  using Outcome = ReadCache::Outcome;
  virtual ~PageCache() = default;

  /// As ReadCache::find(), but `use` runs under no lock. An empty `resume`: the caller does not
  /// wait (it has waited once), and reads for itself while another reads.
  virtual Outcome find(const PageQuestion& question, Lsn published,
                       const std::function<void(const CachedPage&)>& use,
                       std::function<void()> resume) = 0;
  /// Ends a miss: the page's body as a view at `view_lsn` had it. False: it is too large for the
  /// cache.
  virtual bool fill(const PageQuestion& question, std::string_view body, PageSize size,
                    Lsn view_lsn) = 0;
  /// Ends a miss whose read failed; waiting readers read for themselves.
  virtual void abandon(const PageQuestion& question) = 0;
};

}  // namespace millrace
