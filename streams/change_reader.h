#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/store/log.h"
#include "streams/change.h"
#include "streams/event_filter.h"
#include "streams/stream_ids.h"

namespace millrace::streams {

/// What one read gave. The views live as long as `frames`.
struct ChangeBatch {
  std::vector<FramePtr> frames;
  std::vector<Change> changes;  // in the order of their LSNs, entries whole
  size_t bytes = 0;             // of keys and images
  size_t log_bytes = 0;         // of frames passed, also those that held nothing
  Lsn through = 0;              // everything up to here has been looked at
  Lsn trimmed_below = 0;        // not 0: the reader went on here, behind changes the log had lost
  bool definitions_changed = false;
  bool more = false;  // the tip has not been reached: read again without waiting
};

/// Tables by name, also when a table is deleted and created again under it.
struct TableFilter {
  std::set<std::string, std::less<>> names;  // empty: every user table
  bool matches(std::string_view name) const { return names.empty() || names.contains(name); }
};

/// Which changes a reader gets.
struct ChangeFilter {
  TableFilter tables = {};
  HashRange range = {};                                 // of the partition key's hash
  std::shared_ptr<const EventFilter> events = nullptr;  // none: every change
};

/// The first LSN from which on the log holds every change of the tables.
Lsn first_whole_lsn(Log& log, const Catalog& catalog, const TableFilter& filter);

/// Reads the log as changes of chosen tables. Knows the tables from the catalogue and from the
/// definitions that pass by in the log, since the catalogue is ahead of a reader that is behind.
/// Not thread-safe. Never blocks but for the disk.
class ChangeReader {
 public:
  ChangeReader(Log& log, const Catalog& catalog, ChangeFilter filter, Lsn from);

  /// The next changes: entries until one would exceed `count_max` or `bytes_max` (a larger one
  /// comes alone), or until some megabytes of the log have been passed. kTrimmed if the log does
  /// not hold position(), or has left out changes behind it that this reader should get.
  Result<ChangeBatch> read(size_t count_max, size_t bytes_max);

  /// The next LSN to be looked at.
  Lsn position() const { return next_; }
  void seek(Lsn lsn);

 private:
  Result<bool> load_frame(ChangeBatch& batch);
  bool take_entry(const EntryView& entry, size_t count_max, size_t bytes_max, ChangeBatch& batch);
  TablePtr wanted_table(std::string_view key);
  TablePtr wanted_table(Generation generation);
  void note_definition(const ChangeView& change);

  Log& log_;
  const Catalog& catalog_;
  const ChangeFilter filter_;
  Lsn next_;
  std::optional<LogCursor> cursor_;
  FramePtr frame_;         // the one being read, or null
  Frame::Iterator entry_;  // within it
  std::map<Generation, TablePtr> tables_;
  Generation last_generation_ = 0;
  TablePtr last_table_;  // null: not wanted
};

}  // namespace millrace::streams
