#include "sidecar/step_thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace millrace::sidecar {
namespace {

// A seventieth of a network thread's share, the least that can be asked for: on a core that is busy
// with answers each turn of this work is a stall of a few milliseconds, and a tenth of the share
// would show them in one read of a hundred. Work behind the answers is bounded in memory, so it
// gets its turn at the latest when writers have to wait for it.
constexpr int kBackgroundNice = 19;

}  // namespace

StepThread::StepThread(Options options, std::function<bool()> step)
    : options_(options), step_(std::move(step)) {}

StepThread::~StepThread() { stop(); }

void StepThread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), options_.name);
    // Behind whoever answers clients when they share a core: without this a compaction keeps a
    // network thread waiting for a whole time slice. On Linux the nice value is a thread's own;
    // LevelDB's thread inherits it.
    if (options_.behind_answers) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kBackgroundNice);
    }
    run();
  });
}

void StepThread::wake() {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  // Between the sleeper's look at woken_ and its sleep it holds the mutex, so this cannot fall in
  // between.
  { std::lock_guard lock(mutex_); }
  changed_.notify_one();
}

void StepThread::pause(int64_t ns) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return stopping_.load(); });
}

void StepThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void StepThread::run() {
  using std::chrono::steady_clock;
  steady_clock::time_point next;  // not before
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, std::chrono::milliseconds(options_.idle_ms),
                      [&] { return woken_.load() || stopping_.load(); });
    // While woken_ stays set, further wake-ups cost their callers nothing.
    if (options_.apart_us > 0) changed_.wait_until(lock, next, [&] { return stopping_.load(); });
    woken_ = false;
    lock.unlock();
    while (!stopping_ && step_()) std::this_thread::yield();
    next = steady_clock::now() + std::chrono::microseconds(options_.apart_us);
    lock.lock();
  }
}

}  // namespace millrace::sidecar
