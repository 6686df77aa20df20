#pragma once

#include <leveldb/env.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/disk_budget.h"
#include "core/store/frame.h"
#include "core/store/log.h"
#include "core/store/view.h"

namespace millrace {

/// What a command sees and does while the committer evaluates it.
class Commit {
 public:
  virtual ~Commit() = default;
  /// The item under `key` after all earlier commands, into `image`; false if there is none.
  virtual Result<bool> get(std::string_view key, std::string& image) = 0;
  /// Stages changes; they share one log entry, and their LSNs are consecutive. Stage only after the
  /// last check that can fail: staged changes are not undone. `old_image` goes into the log if
  /// given. `index_changes` take effect with the change and have no LSN of their own; each key in
  /// them may come once in a change.
  virtual Lsn put(std::string_view key, std::string_view image, bool existed,
                  std::optional<std::string_view> old_image,
                  IndexChangesView index_changes = {}) = 0;
  virtual Lsn remove(std::string_view key, std::optional<std::string_view> old_image,
                     IndexChangesView index_changes = {}) = 0;
  /// Before the first put or remove.
  virtual void set_field(EntryField tag, std::string_view value) = 0;
  /// The LSN that the next put or remove will get.
  virtual Lsn next_lsn() const = 0;
  /// The time of this entry: never less than the previous entry's.
  virtual int64_t time_ms() const = 0;
  /// Asked before staging what makes the data grow: near the disk budget the error that the client
  /// gets. What shrinks the data, or is needed to let go of some, need not ask.
  virtual Status may_grow() const { return {}; }
};

/// A write, or a read that must see the newest state, queued for the committer.
class Command {
 public:
  virtual ~Command() = default;
  /// Bytes that it holds and may add to the log, for the queue's and a batch's bounds.
  virtual size_t bytes() const = 0;
  /// Evaluated in a batch of its own, with everything before it published and nothing after it
  /// begun: for changes of definitions, which other commands read from published state.
  virtual bool alone() const { return false; }
  /// Runs on the committer, once, in the order of submission. Keeps its answer to itself until
  /// done().
  virtual void evaluate(Commit& commit) = 0;
  /// The W3C trace context of the request, kept in its entry; empty: none.
  virtual std::string_view traceparent() const { return {}; }
  /// Runs on the committer's thread once all that evaluate() saw and staged is durable and
  /// published; or with the error that keeps it from ever being (the engine has stopped). Exactly
  /// once, never without evaluate() unless with an error.
  virtual void done(const Status& status) = 0;
};

/// Told of every durable frame, on the committer's thread, before the frame is published to readers
/// and before its commands are done. Must be quick and must not call the engine.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  virtual void on_commit(const FramePtr& frame) = 0;
};

/// One flush of the log, which makes a batch of commands durable. Either write(), or begin() and,
/// if that is true, end() once the write is ready; then finish(). Each once, on any threads.
class Flush {
 public:
  virtual ~Flush() = default;
  /// Waits for the disk.
  virtual void write() = 0;
  /// Begins without waiting; false: nothing has begun.
  virtual bool begin(AsyncWrite& write) = 0;
  virtual void end(AsyncWrite& write) = 0;
  /// Publishes what is durable and answers.
  virtual void finish() = 0;
};

/// Where the committer's one blocking call is made: what flushes the log. So that a thread that
/// commits can serve reads meanwhile.
class Flusher {
 public:
  virtual ~Flusher() = default;
  /// Sees to it that `flush` is made. May return before. Called again only after its finish() has
  /// begun.
  virtual void flush(Flush& flush) = 0;
};

/// Knows some items as of the newest published LSN: the item cache, which spares the committer most
/// reads of LevelDB. Thread-safe.
class KnownItems {
 public:
  virtual ~KnownItems() = default;
  /// Whether there is an item under `key`, which is then put into `image`; none: not known here.
  virtual std::optional<bool> known(std::string_view key, std::string& image) = 0;
};

struct EngineOptions {
  std::string folder;  // holds `log/` and `tables/`
  LogOptions log;      // its folder is set by the engine
  /// A memory table this full is put behind a new one and written to LevelDB.
  size_t memory_table_bytes = 64u << 20;
  /// What memory tables hold that LevelDB does not have yet: beyond this commands wait. The oldest
  /// one's memory comes back once it is written wholly.
  size_t memory_tables_bytes_max = 160u << 20;
  /// Log bytes between checkpoints: bounds recovery.
  uint64_t checkpoint_bytes = 64u << 20;
  /// Bytes of commands waiting: beyond this submit() refuses.
  size_t queue_bytes_max = 64u << 20;
  /// Bytes, held by commands or staged by them, after which a batch takes no further command. With
  /// the most that one command stages (see Frame::kPayloadBytesMax) it must stay below that.
  size_t batch_bytes = 4u << 20;
  size_t block_cache_bytes = 8u << 20;
  /// What the folder may take, log, tables and all: 0 is what the file system has.
  uint64_t disk_bytes_max = 0;
  /// Of the tables' files (see TablesOptions).
  size_t table_file_bytes = 16u << 20;

  /// Makes segments, memory tables and files small enough for a folder of `bytes`: on a small disk
  /// the usual ones would be a large part of it.
  void fit_to_disk(uint64_t bytes);
};

/// The single-writer engine: evaluates commands in one order, makes them durable in the log,
/// publishes views, and writes the tables behind. It owns no thread: whoever calls step() with the
/// commit token free commits one batch; whoever calls maintain() does one unit of background work.
class Engine {
 public:
  /// Recovers the folder (creating it if need be). `env` is LevelDB's disk.
  static Result<std::unique_ptr<Engine>> open(EngineOptions options, Disk& disk, leveldb::Env* env,
                                              Clock& clock);
  ~Engine();

  /// Queues a command; thread-safe. kThrottling when the queue is full, kRequestLimitExceeded when
  /// the disk is, kIo when the engine has stopped after a failed flush: then `command` is left as
  /// it was, so that the caller can answer it, and done() is not called. The caller sees to it that
  /// step() is called afterwards.
  Status submit(std::unique_ptr<Command>&& command);

  /// Commits one batch if commands wait and no other is being committed. True if commands still
  /// wait that a further step() could commit (false while memory tables are full: maintain() makes
  /// room and then calls the wake-up; and while a Flusher is at work: once it has finished the
  /// wake-up is called if commands wait).
  bool step();

  /// The newest published view. Thread-safe.
  ViewPtr view() const;
  /// Its LSN, cheaply.
  Lsn published_lsn() const;

  /// One unit of background work: writes part of a memory table to LevelDB, takes a checkpoint,
  /// prepares a spare segment, reclaims space of a dropped generation. One thread at a time. True
  /// if more waits. While it fails and the memory tables are full, commands are refused (kIo)
  /// rather than kept waiting.
  Result<bool> maintain();
  /// Why writes fail, or are about to: a stopped log, maintenance that fails. Thread-safe.
  Status health() const;
  /// Writes all memory tables and takes a checkpoint, so that the next start replays nothing. No
  /// step() may run beside it. Refused once the engine has stopped after a failed flush.
  Status checkpoint();

  Log& log();

  /// Observers are called in the order in which they were added, and outlive the engine. Add them
  /// before the first step().
  void add_observer(CommitObserver* observer);
  /// With none set step() waits for the flush itself. Outlives the engine; set
  /// before the first step().
  void set_flusher(Flusher* flusher);
  /// Asked for items that no memory table has before LevelDB is. Outlives the engine; set before
  /// the first step().
  void set_known_items(KnownItems* items);
  /// Called after each publication and the answers of its commands, on the committer's thread, and
  /// outside of its token: tells followers that the log has grown. Add them before the first
  /// step().
  void add_publication_listener(std::function<void()> listener);
  /// Called when maintain() has work again (from the committer's thread), and when a step() has
  /// (from maintain()); with a time, in nanoseconds, when one will have work: large commands rest
  /// so long.
  void set_wakeups(std::function<void()> maintenance_wakeup, std::function<void()> step_wakeup,
                   std::function<void(int64_t)> step_wakeup_in = {});

  struct Statistics {
    uint64_t batches, commands, changes, log_bytes;
    size_t queue_bytes, memory_table_bytes;
    Lsn checkpoint_lsn;
    DiskBudget::Level disk_level;
    DiskBudget::Figures disk;
  };
  Statistics statistics() const;

 private:
  explicit Engine(EngineOptions options, Disk& disk, Clock& clock);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
