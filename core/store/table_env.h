#pragma once

#include <leveldb/db.h>
#include <leveldb/env.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/base/disk.h"

namespace millrace {

/// LevelDB's environment as our tables need it:
///
/// - LevelDB's own log is not written. Ours is the write-ahead log, and recovery trusts nothing of
///   LevelDB's but tables (see tables.h), so its log would only double the writes. LevelDB finds
///   its logs in the folder all the same: that it removes one tells that a memtable is durable.
/// - Once a new file has been synced, its name is durable too. LevelDB syncs its folder only after
///   it has written a record to the MANIFEST that names a new table file; if that record reaches
///   the disk by itself before the power fails, and the file's name does not, the tables cannot be
///   opened again.
/// - A table file goes to the disk bit by bit while it is written, and not all at once when it is
///   synced: flushes of the log wait behind it.
/// - A file that was given up before it was synced is removed. LevelDB keeps what a failed
///   compaction has written until its next start, and on a full disk that room may be missing then.
/// - What it does behind the answers to clients it does in turns (core/base/turns.h).
/// - Reads compact nothing. LevelDB takes each file that a read passed on its way for a seek of the
///   disk, and compacts it away after some. With filters these are none, and for minutes after a
///   load reads would make it write everything again. Work that a read asks for is put off until
///   LevelDB has work of its own, which makes it forget the other.
/// - A MANIFEST is read up to its end as manifest_end() tells it.
class TableEnv final : public leveldb::EnvWrapper {
 public:
  /// Both outlive it. `memtable_bytes`: of LevelDB's memtable.
  TableEnv(leveldb::Env* target, Disk& disk, uint64_t memtable_bytes)
      : EnvWrapper(target), disk_(disk), memtable_bytes_(memtable_bytes) {}

  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** file) override;
  leveldb::Status GetChildren(const std::string& folder, std::vector<std::string>* names) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  /// From now on nothing is removed.
  void hold_removals();
  /// Ends that, and removes one file that was to be, unless it has been written anew. True if there
  /// are more.
  bool end_held_removals();
  void Schedule(void (*function)(void*), void* argument) override;
  /// Whether anything that LevelDB scheduled is under way.
  bool is_working() const;
  /// Makes LevelDB's memtable a table file; returns when that is durable or LevelDB has failed.
  /// There may be writes meanwhile.
  void flush_memtable(leveldb::DB& db);
  /// Makes flush_memtable() look whether LevelDB has failed: it may go on with what it was at.
  void look_again();
  /// Compacts a range by hand, to the last key if it has no end. If the disk has little room
  /// LevelDB begins no memtable meanwhile: a write that needs a new one is answered with
  /// NotSupported, and nothing of it is done. For LevelDB 1.23 crashes if it cannot write a
  /// memtable out amid such a compaction.
  void compact_range(leveldb::DB& db, const leveldb::Slice& begin, const leveldb::Slice* end);

  /// While one lives nothing is put off: around calls in which LevelDB waits for its own work, that
  /// is CompactRange and the end of a database.
  class Prompt {
   public:
    explicit Prompt(TableEnv& env);
    ~Prompt();
    Prompt(const Prompt&) = delete;
    Prompt& operator=(const Prompt&) = delete;

   private:
    TableEnv& env_;
  };

  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;

 private:
  struct Work {
    void (*function)(void*);
    void* argument;
  };

  void start(const Work& work);
  void start_what_was_put_off();  // under the mutex
  void memtable_is_full();

  leveldb::Status remove(const std::string& path);

  /// What LevelDB has got done. Work may end after the database that it was for, and so after the
  /// environment.
  struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    int under_way = 0;        // pieces of scheduled work
    uint64_t looks = 0;       // a piece has ended, or somebody wants it to be looked at
    std::set<uint64_t> logs;  // that LevelDB takes to be there: one of each memtable
  };

  Disk& disk_;
  const uint64_t memtable_bytes_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();

  std::atomic<bool> compacting_range_{false};

  std::mutex mutex_;  // guards what follows
  bool removals_held_ = false;
  std::set<std::string> held_removals_;
  std::vector<Work> put_off_;
  bool has_work_ = false;  // a memtable is full, and no work for it was scheduled yet
  int prompts_ = 0;
};

}  // namespace millrace
