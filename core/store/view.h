#pragma once

#include <leveldb/db.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/lsn.h"
#include "core/store/memory_table.h"

namespace millrace {

/// The tables as of one LSN: LevelDB at a snapshot under the memory tables above it. Immutable and
/// thread-safe; holding one keeps its memory and snapshot alive, so hold it for one request only.
class View {
 public:
  View(leveldb::DB* db, std::shared_ptr<const leveldb::Snapshot> snapshot,
       std::vector<std::shared_ptr<const MemoryTable>> newest_first, Lsn lsn);

  Lsn lsn() const { return lsn_; }

  /// Replaces `image` by the encoded item under `key`; false if there is none. kCorruption if a
  /// table block is damaged: never "not found".
  Result<bool> get(std::string_view key, std::string& image) const;
  // Its two halves, for the committer, who reads what it has staged and knows some items itself.

  /// What the memory tables have under `key` at or below `lsn`, which may be above this view's:
  /// whether there is an item, or none if they do not know.
  std::optional<bool> get_in_memory(std::string_view key, Lsn lsn, std::string& image) const;
  /// What LevelDB has under `key`: right only if the memory tables know nothing of it.
  Result<bool> get_in_files(std::string_view key, std::string& image) const;

  /// A walk over [begin, end) in key order, or from the greatest key below `end` down to `begin` if
  /// `reverse`. An empty `end` is no bound.
  class Range {
   public:
    virtual ~Range() = default;
    virtual bool valid() const = 0;
    virtual std::string_view key() const = 0;    // until next()
    virtual std::string_view image() const = 0;  // until next()
    virtual void next() = 0;
    /// Why the walk ended, if not at its end.
    virtual Status status() const = 0;
  };
  std::unique_ptr<Range> range(std::string begin, std::string end, bool reverse) const;

  /// What LevelDB's files take for [begin, end), roughly; what is in memory tables is not counted.
  uint64_t approximate_file_bytes(std::string_view begin, std::string_view end) const;

 private:
  leveldb::DB* db_;
  std::shared_ptr<const leveldb::Snapshot> snapshot_;
  std::vector<std::shared_ptr<const MemoryTable>> newest_first_;
  Lsn lsn_;
};
using ViewPtr = std::shared_ptr<const View>;

}  // namespace millrace
