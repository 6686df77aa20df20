#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/clock.h"
#include "core/net/io_threads.h"
#include "core/store/engine.h"

namespace millrace::sidecar {

/// Flushes the log: while the disk is quick and nobody reads, on the network thread that commits,
/// since a hand-over between threads costs more than the wait; else on a thread of its own, so that
/// network threads serve reads meanwhile, and the commit is finished on the network thread that
/// began it.
class FlushThread final : public Flusher {
 public:
  /// `clock` outlives it. `reads_answered`: a count that rises with every read of a client; called
  /// by whoever commits.
  FlushThread(IoThreads& threads, Clock& clock, std::function<uint64_t()> reads_answered)
      : threads_(threads), clock_(clock), reads_answered_(std::move(reads_answered)) {}
  ~FlushThread() override { stop(); }

  void start();
  /// Once the network threads have been joined: finishes what they have not.
  void stop();

  void flush(std::function<void()> write, std::function<void()> finish) override;

 private:
  bool clients_read();
  void run();
  void finish();
  void timed(const std::function<void()>& write);

  IoThreads& threads_;
  Clock& clock_;
  const std::function<uint64_t()> reads_answered_;
  /// A moving average over the last flushes; written by whoever flushes.
  std::atomic<int64_t> usual_ns_{0};
  // The committer's.
  uint64_t reads_seen_ = 0;
  int64_t reads_until_ns_ = 0;  // clients are taken to read until then
  uint64_t hand_overs_ = 0;     // and for so many more flushes
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::function<void()> write_;   // until it runs
  std::function<void()> finish_;  // until it runs
  size_t finishing_thread_ = 0;
};

}  // namespace millrace::sidecar
