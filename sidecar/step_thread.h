#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::sidecar {

/// The thread around something that is stepped: steps it while it says that more waits, and
/// otherwise sleeps until it is woken or some time has passed.
class StepThread {
 public:
  struct Options {
    const char* name;  // at most 15 characters; seen in top and gdb
    int idle_ms;       // steps at least this often
    int apart_us = 0;  // a step begins this long after the last one, so that frequent wake-ups make
                       // one step; after a pause it begins at once
    bool behind_answers = true;  // it works in turns (core/base/turns.h); false: for short steps
                                 // that hold locks which answers wait for
  };

  /// `step` returns true if it should be called again at once. It is called by this thread alone.
  StepThread(Options options, std::function<bool()> step);
  ~StepThread();  // stop()

  void start();
  /// From any thread, cheap when it is awake already.
  void wake();
  /// From within the step: waits so long, or until stop().
  void pause(int64_t ns);
  /// Lets the step under way end, and joins. The step is not called again.
  void stop();
  /// Whether stop() was called: for steps that wait.
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

 private:
  void run();

  const Options options_;
  const std::function<bool()> step_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace millrace::sidecar
