#pragma once

#include <leveldb/env.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/clock.h"
#include "core/base/disk.h"

namespace millrace::sim {

/// LevelDB's disk over ours, so that a crash of the simulated disk takes LevelDB's files too.
/// Background work, which LevelDB schedules under its own mutex, runs on one helper thread; drain()
/// waits for it, and after every call that may have scheduled some the simulator drains, so that a
/// run depends on its seed alone.
class SimEnv final : public leveldb::EnvWrapper {
 public:
  SimEnv(Disk& disk, const Clock& clock);
  ~SimEnv() override;

  void drain();

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
  void Schedule(void (*work)(void*), void* argument) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;
  uint64_t NowMicros() override;
  void SleepForMicroseconds(int micros) override;

 private:
  void run();

  Disk& disk_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::sim
