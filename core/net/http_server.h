#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/net/io_threads.h"

namespace millrace {

/// A parsed request. Views point into the connection's buffer and die when the handler returns.
struct HttpRequest {
  /// Bytes that may be read (not trusted) after `body`: simdjson's padding.
  static constexpr size_t kBodyPadding = 64;

  std::string_view method;
  std::string_view path;    // without query
  std::string_view query;   // after '?'
  std::string_view target;  // X-Amz-Target
  std::string_view content_type;
  std::string_view origin;
  std::string_view traceparent;
  std::string_view body;  // decoded if it came gzipped
  bool no_cache = false;  // Cache-Control says no-cache or no-store
  /// All headers as received, for the rare ones: first value of `name`, case-insensitive.
  std::string_view header(std::string_view name) const;
  std::string_view raw_headers;
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type = "application/x-amz-json-1.0";
  /// Complete lines, each ending in CRLF; may be empty.
  std::string_view extra_headers;
  std::string_view body;
  /// CRC-32 of `body`, if known; else it is computed.
  std::optional<uint32_t> crc32;
};

class HttpConnection;

/// The answer to one request, given exactly once, from any thread; dropping it unanswered answers
/// 500. Move-only and small (a pointer). May outlive its connection and the server; then it does
/// nothing.
class HttpReply {
 public:
  HttpReply() = default;
  HttpReply(HttpReply&&) noexcept;
  HttpReply& operator=(HttpReply&&) noexcept;
  ~HttpReply();
  /// Copies what `response` views. On the connection's own thread it goes straight into its output
  /// buffer; from elsewhere it is posted there.
  void send(const HttpResponse& response);
  /// The request's x-amzn-RequestId (52 characters, as DynamoDB's).
  std::string_view request_id() const;

 private:
  friend class HttpConnection;
  explicit HttpReply(HttpConnection* connection) : connection_(connection) {}
  HttpConnection* connection_ = nullptr;  // one reference to it
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  // 0 picks one
  size_t header_bytes_max = 16 * 1024;
  size_t body_bytes_max = 16u << 20;  // BatchWriteItem's 16 MB
  size_t connections_max = 10000;
  /// Of large requests that are being received, all connections together; a request beyond it gets
  /// DynamoDB's throttling error (one alone is always taken). Without it connections_max ×
  /// body_bytes_max would be the bound.
  size_t receiving_bytes_max = 512u << 20;
  /// Of answers that clients have not read yet, all connections together; while there are more, new
  /// requests get DynamoDB's throttling error.
  size_t answer_bytes_max = 512u << 20;
  int header_timeout_seconds = 30;  // for a request begun
  int idle_timeout_seconds = 300;   // between requests
};

/// A lean HTTP/1.1 server for the data port: keep-alive, one answer at a time in the order of
/// requests (a pipelined request waits in the buffer), Content-Length and chunked bodies, gzip
/// bodies, Expect: 100-continue, bounded everywhere. One accept loop; a connection stays on one io
/// thread. One receive and one send a request and nothing else. Each answer carries
/// x-amzn-RequestId, X-Amz-Crc32, Content-Length, and Date.
class HttpServer {
 public:
  using Handler = std::function<void(const HttpRequest&, HttpReply)>;

  HttpServer(IoThreads& threads, HttpServerOptions options, Handler handler);
  ~HttpServer();
  /// Binds and begins to accept; kIo with the address and the cause.
  Status start();
  uint16_t port() const;
  /// Stops accepting, lets requests under way finish (their connections close after the answer),
  /// closes idle connections; calls `done` on an io thread when none is left or `timeout_ms`
  /// passed.
  void drain(int timeout_ms, std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace
