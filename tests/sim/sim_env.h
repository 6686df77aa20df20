#pragma once

#include <deque>
#include <functional>

#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/store/disk_env.h"

namespace millrace::sim {

/// LevelDB's disk over the simulated one, and its background work without a thread of its own: what
/// LevelDB schedules is done on the thread that made the environment, by drain() and wherever a
/// call of LevelDB waits for it (see pthread_cond_wait in sim_env.cc). So a run depends on its seed
/// alone. One at a time on a thread.
class SimEnv final : public DiskEnv {
 public:
  SimEnv(Disk& disk, const Clock& clock);
  ~SimEnv() override;

  /// Does all background work, also what it schedules itself. Not to be called from within LevelDB.
  void drain();
  /// Does the oldest piece of it; false if there is none.
  bool work();

  void Schedule(void (*work)(void*), void* argument) override;
  /// At once, on this thread.
  void StartThread(void (*work)(void*), void* argument) override;
  uint64_t NowMicros() override;
  void SleepForMicroseconds(int micros) override;

 private:
  const Clock& clock_;
  std::deque<std::function<void()>> work_;
};

}  // namespace millrace::sim
