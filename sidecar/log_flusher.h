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

/// What a flush and a command cost of late, and what follows from it for the order of things.
class FlushCosts {
 public:
  void flush_took(int64_t ns);
  /// `cpu_ns`: of the committing thread, from flush to flush.
  void commands_took(int64_t cpu_ns, size_t commands);

  /// Whether the next flush should begin before the answers of the last one are given, `commands`
  /// being those of both. Then disk and processor work at once, but those who are answered are not
  /// in the next batch: worth it if all commands cost more than a flush.
  bool next_first(size_t commands) const {
    return flush_ns_ < command_ns_ * static_cast<int64_t>(commands);
  }

 private:
  // Moving averages.
  int64_t flush_ns_ = 0;
  int64_t command_ns_ = 0;
};

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
    // When it last finished a flush: the time, and its processor time.
    int64_t finished_ns = 0;
    int64_t cpu_ns = 0;
  };
  bool begin(Network& network, Flush& flush);
  void end();
  void note_costs(Network& network, size_t commands);
  void hand_over(Flush& flush);
  void run();
  void finish_handed_over();
  int64_t timed_write(Flush& flush) const;

  IoThreads& threads_;
  Clock& clock_;
  std::vector<Network> networks_;

  // The committer's.
  FlushCosts costs_;
  int64_t waited_ns_;  // for flushes that are waited for; a moving average
  Flush* under_way_ = nullptr;  // by `network_`'s write
  Network* network_ = nullptr;
  int64_t began_ns_ = 0;

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
