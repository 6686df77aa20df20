#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/store/disk_env.h"

namespace millrace::sim {

/// LevelDB's disk over the simulated one. Background work, which LevelDB schedules under its own
/// mutex, runs on one helper thread; drain() waits for it, and after every call that may have
/// scheduled some the simulator drains, so that a run depends on its seed alone.
class SimEnv final : public DiskEnv {
 public:
  SimEnv(Disk& disk, const Clock& clock);
  ~SimEnv() override;

  void drain();

  void Schedule(void (*work)(void*), void* argument) override;
  uint64_t NowMicros() override;
  void SleepForMicroseconds(int micros) override;

 private:
  void run();

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::sim
