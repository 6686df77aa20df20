#pragma once

#include <leveldb/env.h>

#include <atomic>
#include <string>

#include "core/base/disk.h"

namespace millrace {

/// LevelDB's environment as our tables need it:
///
/// - LevelDB's own log is not written. Ours is the write-ahead log, and recovery trusts nothing of
///   LevelDB's but tables (see tables.h), so its log would only double the writes.
/// - Once a new file has been synced, its name is durable too. LevelDB syncs its folder only after
///   it has written a record to the MANIFEST that names a new table file; if that record reaches
///   the disk by itself before the power fails, and the file's name does not, the tables cannot be
///   opened again.
/// - A table file goes to the disk bit by bit while it is written, and not all at once when it is
///   synced: flushes of the log wait behind it.
/// - What it does behind the answers to clients it does in turns (core/base/turns.h).
/// - A MANIFEST is read up to its end as manifest_end() tells it.
class TableEnv final : public leveldb::EnvWrapper {
 public:
  /// Both outlive it.
  TableEnv(leveldb::Env* target, Disk& disk) : EnvWrapper(target), disk_(disk) {}

  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** file) override;
  /// While removals are held nothing is removed: LevelDB looks for what it does not need again
  /// after each compaction.
  leveldb::Status RemoveFile(const std::string& path) override;
  void hold_removals(bool hold) { removals_held_ = hold; }
  void Schedule(void (*function)(void*), void* argument) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;

 private:
  Disk& disk_;
  std::atomic<bool> removals_held_{false};
};

}  // namespace millrace
