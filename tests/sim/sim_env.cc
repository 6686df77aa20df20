#include "tests/sim/sim_env.h"

#include <pthread.h>

#include <utility>

#include "core/base/check.h"

namespace millrace::sim {
namespace {

// That of the simulated node which runs on this thread.
thread_local SimEnv* current = nullptr;

}  // namespace

SimEnv::SimEnv(Disk& disk, const Clock& clock) : DiskEnv(disk), clock_(clock) {
  CHECK(current == nullptr);
  current = this;
}

// LevelDB's destructor has waited for its work.
SimEnv::~SimEnv() {
  CHECK(work_.empty());
  current = nullptr;
}

void SimEnv::drain() {
  while (work()) {
  }
}

bool SimEnv::work() {
  if (work_.empty()) return false;
  const auto oldest = std::move(work_.front());
  work_.pop_front();
  oldest();
  return true;
}

void SimEnv::Schedule(void (*work)(void*), void* argument) {
  work_.push_back([work, argument] { work(argument); });
}

void SimEnv::StartThread(void (*work)(void*), void* argument) { work(argument); }

uint64_t SimEnv::NowMicros() { return static_cast<uint64_t>(clock_.monotonic_ns()) / 1000; }

// LevelDB sleeps a millisecond to slow writers down; simulated time stands still meanwhile.
void SimEnv::SleepForMicroseconds(int) {}

}  // namespace millrace::sim

// Takes the C library's place, also for LevelDB. It schedules under its mutex, where nothing can be
// run, and its calls wait on a condition for what they have scheduled. On the one thread of a
// simulation nobody else could do that work, so who waits does: without the mutex, as if it slept.
// Waiters look at their condition again, so waking too early does no harm.
extern "C" int pthread_cond_wait(pthread_cond_t*, pthread_mutex_t* mutex) {
  pthread_mutex_unlock(mutex);
  CHECK(millrace::sim::current != nullptr);
  const bool worked = millrace::sim::current->work();
  CHECK(worked);  // else it would wait for ever
  return pthread_mutex_lock(mutex);
}
