#pragma once

#include <leveldb/env.h>

#include <string>
#include <vector>

#include "core/base/disk.h"

namespace millrace {

/// LevelDB's disk over ours: its files lie in memory with the log, or on the simulator's disk,
/// where a crash takes them too. Threads and time are the operating system's. Files are not locked:
/// who opens a data folder holds its lock.
class DiskEnv : public leveldb::EnvWrapper {
 public:
  /// `disk` outlives it.
  explicit DiskEnv(Disk& disk) : EnvWrapper(leveldb::Env::Default()), disk_(disk) {}

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** file) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetChildren(const std::string& folder, std::vector<std::string>* names) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& path) override;
  leveldb::Status RemoveDir(const std::string& path) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;

 private:
  Disk& disk_;
};

}  // namespace millrace
