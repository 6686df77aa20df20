#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace millrace {

/// N threads, each running an event loop of its own (an asio::io_context with a concurrency hint of
/// 1).
class IoThreads {
 public:
  explicit IoThreads(size_t count);
  ~IoThreads();  // stops and joins

  void start();
  /// Ends the loops after what they are doing.
  void stop();
  void join();
  /// Between start() and stop().
  bool running() const;

  size_t count() const;
  /// The index of the calling thread if it is one of these, else -1.
  static int current();
  /// Runs `work` on thread `index`, after everything that is ready there now. Thread-safe.
  void post(size_t index, std::function<void()> work);
  /// Runs `work` on the calling io thread after everything that is ready there now (so a commit
  /// takes all requests that have arrived), or on thread 0 when called from elsewhere.
  void post_here(std::function<void()> work);
  /// Runs `work` on thread `index` in `delay_ns`. Thread-safe.
  void post_in(size_t index, int64_t delay_ns, std::function<void()> work);
  /// Whether work that was posted to thread `index` has not begun. Thread-safe.
  bool work_waits(size_t index) const;

  /// A descriptor that one of the threads looks at. Ends before the threads do, once they have been
  /// joined or on that thread; the descriptor stays open.
  class Watch {
   public:
    virtual ~Watch() = default;
    /// Runs `work` on the thread, once, when the descriptor is readable. Called on that thread.
    virtual void once_readable(std::function<void()> work) = 0;
  };
  std::unique_ptr<Watch> watch(size_t index, int descriptor);

  /// The boost::asio::io_context of a thread, for files that include asio.
  void* context(size_t index);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
