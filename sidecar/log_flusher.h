#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/async_write.h"
#include "core/base/clock.h"
#include "core/net/io_threads.h"
#include "core/store/engine.h"

namespace millrace::sidecar {

/// Flushes the log without keeping network threads from serving reads: by the system's asynchronous
/// writes, begun and finished on the network thread that commits; else (a new segment, a file
/// system or a container that has none) on a thread of its own.
class LogFlusher final : public Flusher {
 public:
  /// `clock` outlives it.
  LogFlusher(IoThreads& threads, Clock& clock);
  ~LogFlusher() override { stop(); }

  void start();
  /// Once the network threads have been joined: finishes what they have not.
  void stop();

  void flush(Flush& flush) override;

 private:
  /// One for each network thread.
  struct Network {
    std::unique_ptr<AsyncWrite> write;
    std::unique_ptr<IoThreads::Watch> watch;
  };
  bool begin(Network& network, Flush& flush);
  void end();
  void hand_over(Flush& flush);
  void run();
  void finish_handed_over();
  int64_t timed_write(Flush& flush) const;

  IoThreads& threads_;
  Clock& clock_;
  std::vector<Network> networks_;

  // The committer's.
  int64_t waited_ns_;  // for flushes that are waited for; a moving average
  Flush* under_way_ = nullptr;  // by `network_`'s write
  Network* network_ = nullptr;

  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stopping_ = false;
  Flush* to_write_ = nullptr;
  Flush* to_finish_ = nullptr;
  int64_t took_ns_ = 0;  // its write
  size_t finishing_thread_ = 0;
};

}  // namespace millrace::sidecar
