#include "core/base/turns.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace millrace {
namespace {

using std::chrono::steady_clock;

constexpr auto kTurn = std::chrono::microseconds(100);

// A tenth of a network thread's share. Work behind the answers is bounded in memory, so it goes on
// at the latest when writers have to wait for it.
constexpr int kNice = 10;

// Longer than usual: a thread that wakes preempts one with a longer slice than its own at once. Not
// much longer, since one that yields forfeits all of it.
constexpr uint64_t kSliceNs = 10'000'000;

/// sched_setattr(2)'s; the C library has no wrapper, and the kernel's header clashes with
/// <sched.h>.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;  // under SCHED_OTHER: the slice
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

thread_local bool in_turns = false;
thread_local steady_clock::time_point turn_ends;

}  // namespace

void work_in_turns() {
  if (in_turns) return;
  in_turns = true;
  // On Linux the nice value is a thread's own; the threads that it starts inherit it.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  SchedulingAttributes attributes;
  attributes.policy = SCHED_OTHER;
  attributes.nice = kNice;
  attributes.runtime_ns = kSliceNs;
  // Refused or without effect before Linux 6.12: then the nice value and the turns count.
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void end_turn() {
  if (!in_turns || steady_clock::now() < turn_ends) return;
  std::this_thread::yield();
  turn_ends = steady_clock::now() + kTurn;
}

}  // namespace millrace
