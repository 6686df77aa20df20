#pragma once

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/store/frame.h"
#include "core/store/log.h"
#include "core/store/memory_table.h"
#include "core/store/table_env.h"
#include "core/store/view.h"

namespace millrace {

struct TablesOptions {
  std::string folder;
  size_t memory_table_bytes = 64u << 20;
  /// What they hold that LevelDB does not have yet: beyond it writers wait.
  size_t memory_tables_bytes_max = 160u << 20;
  uint64_t checkpoint_bytes = 64u << 20;
  size_t block_cache_bytes = 8u << 20;
  /// Of LevelDB's files: smaller ones cost more syncs, larger ones more room while they are
  /// compacted.
  size_t table_file_bytes = 16u << 20;
};

/// The item tables: memory tables over LevelDB, the published view of both, and how the one becomes
/// the other. Two threads work on it: the committer (insert, publish) and maintenance (maintain);
/// views are read from any.
///
/// LevelDB is written without a log of its own, and a checkpoint is what makes it durable: the
/// log's position is recorded (key: generation 0, "checkpoint"), and LevelDB's own memtable, with
/// that record as its last, is forced into a synced table file. Recovery replays the log from
/// there; what is in LevelDB already does no harm.
class Tables {
 public:
  /// `env` and `disk`, which is what `env` stands on, outlive it.
  static Result<std::unique_ptr<Tables>> open(TablesOptions options, leveldb::Env* env, Disk& disk);

  ~Tables();

  /// Where the log is to be replayed from; none if no checkpoint was ever taken.
  const std::optional<LogCheckpoint>& recovered_checkpoint() const { return recovered_; }
  /// Applies a frame of the log during recovery; `make_lasting` is called before LevelDB gets any.
  Status replay(const FramePtr& frame, const std::function<Status()>& make_lasting);

  // The committer's.

  /// Stages a change; it is in no view until publish().
  void insert(std::string_view key, Lsn lsn, std::optional<std::string_view> image) {
    active_->insert(key, lsn, image);
  }
  /// Stages the index changes of a change; `item_image` is its new image, if it has one.
  void insert_index_changes(IndexChangesView changes, Lsn lsn,
                            std::optional<std::string_view> item_image);
  /// Publishes everything up to `lsn`; `frame` is the last frame of it (none: nothing new was
  /// logged). True if a memory table became full, so that maintain() has work: by what it holds; by
  /// the log that it covers, for a removal takes little here and its old image much there; or by
  /// its removals, which walks must pass.
  bool publish(Lsn lsn, const FramePtr& frame);
  /// Puts the active memory table behind a new one, if it holds anything.
  void rotate();
  /// Whether publish() would do that.
  bool active_is_full() const {
    return active_->bytes() >= options_.memory_table_bytes ||
           active_log_bytes_ >= 2 * options_.checkpoint_bytes ||
           active_->removals() >= kRemovalsMax;
  }
  /// Whether what waits in the memory tables has reached its bound.
  bool full() const { return waiting_bytes() >= options_.memory_tables_bytes_max; }
  /// Whether it is so near it that large commands should leave the rest to others.
  bool crowded() const { return waiting_bytes() >= options_.memory_tables_bytes_max / 2; }

  ViewPtr view() const;
  /// The LSN of view(). It changes within the same critical section, so that a client which was
  /// answered from a view is never told of a lower LSN afterwards, nor the other way round.
  Lsn published_lsn() const { return published_lsn_.load(std::memory_order_acquire); }
  size_t memory_bytes() const;
  Lsn checkpoint_lsn() const;

  // Maintenance.

  /// One unit of work: part of a memory table to LevelDB, a checkpoint, part of a dropped
  /// generation's space. `dropped` is called with a generation whose space has come back for good:
  /// the caller then removes its item from the drop table, or returns false to be asked again. True
  /// if there is more to do.
  ///
  /// LevelDB refuses every write once one of its background writes has failed, as on a full disk,
  /// which is told here even if there is nothing to write.
  /// Then it is opened anew, after a growing number of further calls, and given again from the log
  /// what it had not made durable; views go on reading the failed one meanwhile. Only what it calls
  /// corruption stays.
  Result<bool> maintain(Log& log, const std::function<bool(Generation)>& dropped);
  /// The next unit with nothing to write is a checkpoint; called from where maintain() is.
  void want_checkpoint() { checkpoint_wanted_ = true; }
  /// Begins to compact everything, so that the space of what was deleted comes back; does nothing
  /// while it is at it. Called from where maintain() is.
  void reclaim_space();
  bool reclaiming() const {
    return (compacting() && !checkpoint_ && !compacts_removed_) || !compactions_.empty();
  }
  /// Whether LevelDB is at a compaction or a checkpoint; called from where maintain() is.
  bool compacting() const { return compacting_.valid(); }
  /// Writes all memory tables and takes a checkpoint.
  Status checkpoint(Log& log);

 private:
  struct Full {
    std::shared_ptr<MemoryTable> table;
    FramePtr last_frame;  // none if recovery filled it from frames it does not hold
    uint64_t log_bytes;   // of the frames that filled it
  };
  struct Drop {
    /// Until all its keys are removed; until a checkpoint begins that covers that; until it is
    /// durable; then.
    enum class State { kReclaiming, kEmptied, kInCheckpoint, kDurable };

    Generation generation;
    std::string next;  // of its keys; empty: the first
    State state = State::kReclaiming;
  };
  struct KeyRange {
    std::string begin, end;  // no end: to the last key
  };
  /// Of keys of one partition, by a memory table.
  struct Removals {
    std::string first, last;
    size_t count = 0;
  };
  struct Checkpoint {
    LogCheckpoint record;
    FramePtr last_frame;  // that LevelDB had then
  };
  struct Compaction;
  static constexpr size_t kRemovalsMax = 1u << 15;  // some 10 ms of a walk

  Tables(TablesOptions options, leveldb::Env* env, Disk& disk)
      : options_(std::move(options)), env_(env, disk, memtable_bytes()) {}
  size_t memtable_bytes() const;
  size_t waiting_bytes() const;
  Status open_database();
  leveldb::Options database_options();
  Result<std::shared_ptr<leveldb::DB>> open_leveldb();
  std::shared_ptr<const leveldb::Snapshot> snapshot() const;
  void publish_locked(Lsn lsn);
  void put_behind_locked();
  Result<bool> write(leveldb::WriteBatch& batch);
  bool removes_something(const MemoryTable::Walk& removal) const;
  Status write_some(bool all);
  void note_removal(std::string_view key);
  void end_removals();
  Status read_checkpoint();
  Status begin_checkpoint(Log& log);
  Status end_checkpoint();
  Result<bool> do_some(Log& log);
  Status find_drops();
  bool in_memory_table(std::string_view key) const;
  Status reclaim_some(Drop& drop);
  void report_drops(const std::function<bool(Generation)>& dropped);
  Status background_failure() const;
  void look_at_failure();
  Status reopen(Log& log);
  Status open_beside(Log& log);
  bool still_compacting();
  void wait_for_compaction();
  void compact_some();
  void begin_compaction(std::optional<KeyRange> range);
  Status write_again(Log& log, leveldb::DB& db, Lsn through) const;

  const TablesOptions options_;
  TableEnv env_;
  std::unique_ptr<leveldb::Cache> block_cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  /// Shared with snapshots, and so with the views that read a failed one.
  std::shared_ptr<leveldb::DB> db_;
  std::optional<LogCheckpoint> recovered_;

  std::shared_ptr<MemoryTable> active_ = std::make_shared<MemoryTable>();  // the committer's
  FramePtr active_last_frame_;                                             // the committer's
  uint64_t active_log_bytes_ = 0;                                          // the committer's

  mutable std::mutex mutex_;  // guards what follows
  std::deque<Full> full_;     // oldest first
  std::shared_ptr<const leveldb::Snapshot> snapshot_;
  ViewPtr view_;
  Lsn checkpoint_lsn_ = 0;
  size_t full_bytes_ = 0;
  size_t written_bytes_ = 0;           // of the oldest full one
  std::atomic<Lsn> published_lsn_{0};  // written under the mutex

  // Maintenance's.
  std::string resume_key_;  // where the memory table being written was left
  FramePtr last_applied_;   // last frame wholly in LevelDB
  /// Written since a checkpoint last began: of memory tables, or of the log if that is more.
  uint64_t applied_bytes_ = 0;
  bool checkpoint_wanted_ = false;
  std::optional<Checkpoint> checkpoint_;  // under way
  std::vector<Drop> drops_;
  std::set<Generation> reclaimed_;
  bool looked_for_drops_ = false;
  Removals removals_;                    // that the memory table being written has brought last
  std::deque<KeyRange> removed_ranges_;  // where many were
  bool compacts_removed_ = false;        // LevelDB is at one of these
  std::deque<KeyRange> compactions_;     // whose space is to come back
  std::future<void> compacting_;         // what LevelDB is at; not valid: nothing
  bool broken_ = false;                  // LevelDB refuses writes, but not for corruption
  int calls_until_reopen_ = 0;           // while broken_
  int reopen_after_calls_ = 1;           // doubles with each failure
  std::weak_ptr<leveldb::DB> previous_;  // the failed one, while views read it
};

}  // namespace millrace
