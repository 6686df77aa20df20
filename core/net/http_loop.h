#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/net/http_server.h"

namespace millrace {

class HttpConnection;

/// What all threads of one server share.
struct HttpShared {
  HttpServerOptions options;
  HttpServer::Handler handler;
  std::atomic<size_t> connections{0};
  std::atomic<size_t> receiving_bytes{0};  // see HttpServerOptions::receiving_bytes_max
  std::atomic<size_t> answer_bytes{0};     // see HttpServerOptions::answer_bytes_max
  std::atomic<bool> draining{false};
  /// Called on an io thread whenever the last connection has gone while draining.
  std::function<void()> drained;
};

/// The connections of one io thread, watched by an epoll instance of their own, edge-triggered,
/// which the thread's event loop watches in turn. So a request costs one receive and one send, and
/// no registration and no handler object; a wake-up handles every connection that is ready. All
/// members but those said to be thread-safe belong to the io thread.
///
/// Buffers are the thread's and are lent to one connection at a time: an idle connection owns none.
class HttpLoop : public std::enable_shared_from_this<HttpLoop> {
 public:
  static constexpr size_t kScratchBytes = 64 * 1024;

  /// `wake` has run_inbox() called on the io thread soon; thread-safe.
  HttpLoop(std::shared_ptr<HttpShared> shared, std::function<void()> wake);
  ~HttpLoop();

  /// Readable whenever run_ready() has something to do; -1 if the system refused one.
  int epoll_fd() const { return epoll_fd_; }
  /// The first call made on the io thread.
  void bind_to_this_thread() {
    thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  /// Thread-safe.
  bool on_this_thread() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  /// Takes a connected, non-blocking socket over, which was counted in HttpShared::connections.
  void add(int socket);
  /// Level-triggered; `ready` accepts.
  void watch_listener(int socket, std::function<void()> ready);
  void unwatch_listener(int socket);
  /// Serves what is ready; returns the number of events.
  int run_ready();
  void run_inbox();
  /// Once a second: closes what is overdue.
  void tick();
  /// Closes idle connections; the others close after their answer.
  void drain();
  /// Closes all connections for good. Answers given later do nothing.
  void close();

  /// Thread-safe: has `answer` sent on the io thread; takes over the caller's reference to
  /// `connection`. One wake-up serves all answers posted before it runs.
  void post_answer(HttpConnection* connection, std::string answer);

  // For connections.
  HttpShared& shared() const { return *shared_; }
  char* scratch() { return scratch_.get(); }
  uint32_t now_seconds() const { return now_seconds_; }
  /// Lends an empty buffer with room, and takes it back.
  std::string take_buffer();
  void give_buffer(std::string buffer);
  /// Has `connection` go on with its input after the present event.
  void schedule_resume(HttpConnection* connection);
  /// True: the loop calls `connection`'s flush_gathered() when it has handled more of the events at
  /// hand. False: there are none.
  bool flush_later(HttpConnection* connection);
  /// Drops the loop's reference later, behind all flushes: the connection may be on the stack,
  /// among the events at hand, or among those to flush.
  void remove(HttpConnection* connection);

 private:
  struct PostedAnswer {
    HttpConnection* connection;
    std::string bytes;
  };
  void flush_gathered();
  void finish_round();

  const std::shared_ptr<HttpShared> shared_;
  const std::function<void()> wake_;
  const int epoll_fd_;
  std::atomic<std::thread::id> thread_{};
  std::unique_ptr<char[]> scratch_;
  std::vector<std::string> spare_buffers_;
  std::vector<HttpConnection*> connections_;  // each knows its index; one reference each
  std::vector<HttpConnection*> removed_;
  std::vector<HttpConnection*> to_flush_;
  std::vector<HttpConnection*> to_resume_;
  std::function<void()> listener_ready_;
  uint32_t now_seconds_ = 0;
  bool in_round_ = false;

  std::mutex mutex_;
  bool closed_ = false;              // guarded by mutex_
  bool wake_pending_ = false;        // guarded by mutex_
  std::vector<PostedAnswer> inbox_;  // guarded by mutex_
  std::vector<PostedAnswer> taken_;  // reused by run_inbox()
};

}  // namespace millrace
