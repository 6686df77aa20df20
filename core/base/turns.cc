#include "core/base/turns.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace millrace {
namespace {

using std::chrono::steady_clock;

constexpr auto kTurn = std::chrono::microseconds(100);

// A seventieth of a network thread's share, the least that can be asked for. Work behind the
// answers is bounded in memory, so it goes on at the latest when writers have to wait for it.
constexpr int kNice = 19;

thread_local bool in_turns = false;
thread_local steady_clock::time_point turn_ends;

}  // namespace

void work_in_turns() {
  if (in_turns) return;
  in_turns = true;
  // On Linux the nice value is a thread's own; the threads that it starts inherit it.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
}

void end_turn() {
  if (!in_turns || steady_clock::now() < turn_ends) return;
  std::this_thread::yield();
  turn_ends = steady_clock::now() + kTurn;
}

}  // namespace millrace
