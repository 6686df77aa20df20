#include "tests/sim/sim_env.h"

namespace millrace::sim {

SimEnv::SimEnv(Disk& disk, const Clock& clock)
    : DiskEnv(disk), clock_(clock), thread_([this] { run(); }) {}

SimEnv::~SimEnv() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SimEnv::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !work_.empty(); });
    if (work_.empty()) return;
    auto work = std::move(work_.front());
    work_.pop_front();
    busy_ = true;
    lock.unlock();
    work();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void SimEnv::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return work_.empty() && !busy_; });
}

void SimEnv::Schedule(void (*work)(void*), void* argument) {
  std::lock_guard lock(mutex_);
  work_.push_back([work, argument] { work(argument); });
  changed_.notify_all();
}

uint64_t SimEnv::NowMicros() { return static_cast<uint64_t>(clock_.monotonic_ns()) / 1000; }

// LevelDB sleeps a millisecond to slow writers down; simulated time stands still meanwhile.
void SimEnv::SleepForMicroseconds(int) {}

}  // namespace millrace::sim
