#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/store/log.h"
#include "streams/posting_list.h"
#include "streams/shard_file.h"

namespace millrace::streams {

/// Where a frame with changes of a stream is.
struct LocatedPosting {
  LogPosition position;
  Posting posting;
};

/// The index over the log by generation and hash (README.md): a stepped follower that is written
/// behind the commit path, and what readers of shards look positions up in. Owns no thread.
///
/// Which generations are indexed comes from the catalogue: a definition is published before any
/// change that follows it is evaluated, so that reading a change means that its table's streams are
/// known.
class ShardIndex {
 public:
  /// `folder` (created if need be) holds the files of sealed segments; they are derived and may be
  /// removed while nothing runs. Reads no segment. The log, disk and catalogue outlive the index.
  static Result<std::unique_ptr<ShardIndex>> open(Disk& disk, std::string folder, Log& log,
                                                  const Catalog& catalog);

  /// One unit of work: indexes about a megabyte of new frames, writes the file of a segment that
  /// was sealed, writes one that was missing at the start, or removes those of segments that were
  /// trimmed or rewritten. Only segments wholly below Statistics::indexed_through may be rewritten.
  /// True if more waits. One thread at a time. An error (a damaged log, a disk that is full) does
  /// not keep a later step from going on with what it can.
  Result<bool> step();

  /// Indexes everything up to `lsn` (which is durable). Thread-safe.
  Status catch_up(Lsn lsn);

  /// Appends the frames that `query` wants of a generation, in order, looking no further than
  /// `through` (durable). Returns the LSN up to which nothing else is wanted, plus one: where to go
  /// on. Looks through a bounded number of segments, so `out` may be empty before the end.
  /// Thread-safe. kTrimmed if the log no longer holds a segment that it lists.
  Result<Lsn> find(Generation generation, const PostingQuery& query, Lsn through,
                   std::vector<LocatedPosting>& out);

  /// Changes of each generation with a stream, by 64ths of the hash space.
  using SliceCounts = std::array<uint64_t, 64>;
  using Load = std::map<Generation, SliceCounts>;
  /// What has been indexed of the changes since `since_ms` of the call before; nothing at the first
  /// one. Thread-safe.
  Load take_load(int64_t since_ms);

  struct Statistics {
    Lsn indexed_through;
    size_t open_bytes;    // of the open segment's lists
    size_t cached_bytes;  // of files in memory
    uint64_t files_written, files_rebuilt;
  };
  Statistics statistics() const;

 private:
  ShardIndex(Disk& disk, std::string folder, Log& log, const Catalog& catalog)
      : disk_(disk), folder_(std::move(folder)), log_(log), catalog_(catalog) {}

  /// Turns frames of one segment into posting lists.
  class Indexer {
   public:
    explicit Indexer(const Catalog& catalog) : catalog_(catalog) {}
    /// Adds the changes since `counted_from_ms` to `load`.
    void add(const Frame& frame, SegmentPostings& postings, Load& load, int64_t counted_from_ms);

   private:
    bool covered(Generation generation, Lsn lsn);
    const Catalog& catalog_;
    std::map<Generation, TablePtr> tables_;  // as of the last change of definitions
    Generation last_generation_ = 0;
    TablePtr last_table_;
    std::vector<std::pair<Generation, Posting>> of_frame_;
  };

  Result<bool> advance(Lsn target, size_t bytes_max);
  void restart_at_open_segment();
  void add_frame(const FramePtr& frame);
  void seal();
  Result<bool> write_sealed();
  Result<bool> rebuild_missing();
  Result<bool> remove_unneeded();
  bool any_stream_covers(const SegmentInfo& segment) const;
  Result<ShardFilePtr> load(const SegmentInfo& segment);
  Result<ShardFilePtr> rebuild(const SegmentInfo& segment);
  Status write_file(SegmentName segment, std::string_view bytes);
  ShardFilePtr cached(SegmentName segment);
  void cache(SegmentName segment, ShardFilePtr file);
  std::string path(SegmentName segment) const {
    return folder_ + "/" + ShardFile::name_of(segment);
  }

  Disk& disk_;
  const std::string folder_;
  Log& log_;
  const Catalog& catalog_;

  mutable std::mutex mutex_;  // guards the follower's state
  std::optional<LogCursor> cursor_;
  std::optional<Indexer> indexer_;
  Lsn indexed_through_ = 0;
  Lsn open_segment_ = 0;
  Lsn open_last_lsn_ = 0;
  SegmentPostings open_;
  Load load_;
  int64_t counted_from_ms_ = INT64_MAX;
  std::map<Lsn, std::string> sealed_;  // encoded, not yet written: read from here until they are

  std::mutex rebuild_mutex_;        // one rebuild at a time; taken before files_mutex_
  mutable std::mutex files_mutex_;  // guards the cache of files
  std::list<std::pair<SegmentName, ShardFilePtr>> files_;  // newest first
  size_t files_bytes_ = 0;
  uint64_t files_written_ = 0, files_rebuilt_ = 0;

  // Touched by step() alone.
  std::vector<Lsn> missing_;
  Lsn removed_below_ = 0;
  uint64_t removed_at_rewrites_ = 0;
};

}  // namespace millrace::streams
