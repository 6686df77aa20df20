#include "sidecar/step_thread.h"

#include <pthread.h>

#include <chrono>
#include <utility>

#include "core/base/turns.h"

namespace millrace::sidecar {

StepThread::StepThread(Options options, std::function<bool()> step)
    : options_(options), step_(std::move(step)) {}

StepThread::~StepThread() { stop(); }

void StepThread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), options_.name);
    if (options_.behind_answers) work_in_turns();
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
    while (!stopping_ && step_()) end_turn();
    next = steady_clock::now() + std::chrono::microseconds(options_.apart_us);
    lock.lock();
  }
}

}  // namespace millrace::sidecar
