#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/store/view.h"

namespace millrace {

/// How many entries tables and indexes have, and their bytes as the service counts them, for
/// DescribeTable. Writes keep no count and nothing is persisted: small tables are counted when
/// asked for, and so are exact; large ones in slices, one a second, that begin when somebody asks
/// and the last count is over a minute old, so theirs lags as the service's does. Thread-safe.
class TableSizes {
 public:
  struct Size {
    uint64_t entries = 0, bytes = 0;
  };

  /// Brings the sizes of `generations` up to date, in this order, as far as kQuickEntries go. The
  /// others are left to count_some().
  Status refresh(const View& view, const std::vector<Generation>& generations, int64_t now_ns);

  /// The newest size that is known, of a large one that was never counted the part that was.
  Size size(Generation generation) const;

  /// Counts a slice of what waits for it, at most once a second: work for a thread that answers
  /// nobody.
  Status count_some(const View& view, int64_t now_ns);

  /// What one refresh() walks over: some milliseconds of the thread that answers.
  static constexpr size_t kQuickEntries = 8192;
  static constexpr size_t kQuickBytes = 8u << 20;
  static constexpr size_t kSliceEntries = 65536;
  static constexpr size_t kSliceBytes = 64u << 20;
  /// Sizes kept; of more, those of the oldest tables are counted anew.
  static constexpr size_t kKeptMax = 16384;

 private:
  struct Count {
    Size known;
    bool counted = false;  // `known` is of a whole count
    int64_t counted_ns = 0;
    Size running;             // of the count under way
    std::string running_key;  // where it goes on; empty: none is under way
  };

  mutable std::mutex mutex_;
  std::map<Generation, Count> counts_;
  int64_t slice_due_ns_ = 0;
};

}  // namespace millrace
