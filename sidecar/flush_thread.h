#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/clock.h"
#include "core/net/io_threads.h"
#include "core/store/engine.h"

namespace millrace::sidecar {

/// Flushes the log: while the disk is quick on the network thread that commits, since a hand-over
/// between threads costs more than the wait; else on a thread of its own, so that network threads
/// serve reads meanwhile, and the commit is finished on the network thread that began it.
class FlushThread final : public Flusher {
 public:
  /// `clock` outlives it.
  FlushThread(IoThreads& threads, Clock& clock) : threads_(threads), clock_(clock) {}
  ~FlushThread() override { stop(); }

  void start();
  /// Once the network threads have been joined: finishes what they have not.
  void stop();

  void flush(std::function<void()> write, std::function<void()> finish) override;

 private:
  void run();
  void finish();
  void timed(const std::function<void()>& write);

  IoThreads& threads_;
  Clock& clock_;
  /// A moving average over the last flushes; written by whoever flushes.
  std::atomic<int64_t> usual_ns_{0};
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::function<void()> write_;   // until it runs
  std::function<void()> finish_;  // until it runs
  size_t finishing_thread_ = 0;
};

}  // namespace millrace::sidecar
