#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace millrace {

struct AdminRequest {
  std::string method;
  std::string path;                          // without query, percent-decoding undone
  std::map<std::string, std::string> query;  // decoded; the last of equal names counts
  std::string content_type;
  std::string body;
  bool from_web_page = false;  // it has an Origin: answered 403 before any handler sees it
};

struct AdminResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// The answer to one administrative request: whole, by send(), or as a stream, by open(), write()
/// and finish(). Any thread, one at a time; move-only. Dropped without an answer it answers 500; a
/// stream dropped unfinished is cut off, which the client can tell from its end. May outlive the
/// server.
class AdminReply {
 public:
  AdminReply(AdminReply&&) noexcept;
  AdminReply& operator=(AdminReply&&) noexcept;
  ~AdminReply();

  void send(AdminResponse response);

  /// Begins a stream with status 200.
  void open(std::string content_type = "application/x-ndjson");
  /// Queues bytes, such as whole lines; false when the client has left: then stop. Look at full()
  /// before the next call.
  bool write(std::string_view bytes);
  /// Whether as much is queued as should be; write() still takes bytes, but the bound is the
  /// caller's to keep.
  bool full() const;
  /// Calls `resume` once, on the server's thread, when full() has become false (at once if it is)
  /// or the client has left. A later call replaces an earlier one.
  void when_writable(std::function<void()> resume);
  /// Calls `left` once, on the server's thread, when the client leaves or the server stops.
  void when_gone(std::function<void()> left);
  bool gone() const;
  void finish();

  class Exchange;  // the implementer's
  explicit AdminReply(std::shared_ptr<Exchange> exchange);

 private:
  std::shared_ptr<Exchange> exchange_;
};

struct AdminServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8001;  // 0 picks one
  size_t connections_max = 64;
  size_t header_bytes_max = 16 * 1024;
  size_t body_bytes_max = 1 << 20;
  size_t stream_bytes_max = 1 << 20;  // queued for one client; then full()
  int timeout_seconds = 30;           // to send a request, to read an answer, between requests
};

/// The administrative port: an HTTP server for a few requests a second (health, metrics, streams of
/// changes), on a thread of its own. Handlers run on that thread and must not block.
class AdminServer {
 public:
  using Handler = std::function<AdminResponse(const AdminRequest&)>;
  using AsyncHandler = std::function<void(const AdminRequest&, AdminReply)>;

  explicit AdminServer(AdminServerOptions options);
  ~AdminServer();  // stop()

  /// Routes are exact paths, added before start(). A path without a route is 404, one without this
  /// method 405.
  void add(std::string method, std::string path, Handler handler);
  void add_async(std::string method, std::string path, AsyncHandler handler);
  /// kIo with the address and the cause.
  Status start();
  uint16_t port() const;
  /// Closes all connections and joins the thread; not from a handler.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace
