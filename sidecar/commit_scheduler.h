#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/net/io_threads.h"
#include "core/store/engine.h"

namespace millrace::sidecar {

/// Sees to it that the engine steps when commands wait: on the network thread that queued the first
/// of them, after all requests that had arrived there were parsed and some more looks for others,
/// so that a batch holds all that is ready, also what clients send who have just been answered, and
/// no hand-off between threads is paid for. Thread-safe.
class CommitScheduler {
 public:
  /// `on_refusal` is told of each command that the engine refused.
  CommitScheduler(Engine& engine, IoThreads& threads, std::function<void(const Error&)> on_refusal);

  /// Queues a command. A refused one is answered at once through its done().
  void submit(std::unique_ptr<Command> command);
  /// Arranges for a step; or for one in a while.
  void schedule();
  void schedule_in(int64_t delay_ns);

 private:
  /// Steps after so many more looks for requests.
  void step_after(int looks);
  void step();

  Engine& engine_;
  IoThreads& threads_;
  const std::function<void(const Error&)> on_refusal_;
  /// A step is on its way and will take all that is queued until then.
  std::atomic<bool> scheduled_{false};
  std::atomic<bool> scheduled_later_{false};
};

}  // namespace millrace::sidecar
