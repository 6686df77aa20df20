#include "core/net/admin_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "core/net/percent_coding.h"

namespace millrace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

// A subscription hands out a transaction whole: 44 MB of images at most, of which text may make six
// times as much.
constexpr size_t kWholeBodyBytesMax = 512u << 20;
constexpr size_t kPieceBytes = 64 * 1024;

}  // namespace

/// One request after the other on one connection. Operations are asynchronous since only those obey
/// a timeout; each is run to its end before the next.
class AdminClient::Connection {
 public:
  explicit Connection(const AdminClientOptions& options) : options_(options), stream_(context_) {}

  Status connect();
  /// Whether it is open and the server has said nothing since its last answer.
  bool idle();
  /// Sends a request and reads the head of its answer.
  Status ask(http::verb method, const std::string& target, const std::string& body, bool keep);
  /// ask() failed since the server had closed the connection.
  bool closed_unanswered() const { return closed_unanswered_; }
  Result<std::string> read_all();
  Status read_lines(const std::function<bool(std::string_view)>& line);
  /// Of an answer that was read whole: whether another request may follow.
  bool may_be_kept() const { return parser_->is_done() && parser_->keep_alive(); }
  int status() const { return static_cast<int>(parser_->get().result_int()); }
  Error refused(const std::string& body) const;

 private:
  /// Starts an operation with a completion handler, waits for it, gives its error.
  template <typename Start>
  error_code run(int timeout_ms, Start start);
  /// Reads more of the body into `piece_`; false at its end.
  Result<bool> read_piece(int timeout_ms, size_t& size);
  Error unreachable(const std::string& cause) const {
    return make_error(ErrorCode::kUnavailable, "cannot reach the sidecar at " + where() + ": " +
                                                   cause + ". Is it running with this --admin?");
  }
  Error broken(const error_code& error) const {
    return make_error(ErrorCode::kUnavailable,
                      "lost the sidecar at " + where() + ": " + error.message());
  }
  std::string where() const { return options_.host + ":" + std::to_string(options_.port); }

  const AdminClientOptions& options_;
  asio::io_context context_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::buffer_body>> parser_;  // of the last request
  bool closed_unanswered_ = false;
  std::string piece_ = std::string(kPieceBytes, '\0');
};

template <typename Start>
error_code AdminClient::Connection::run(int timeout_ms, Start start) {
  if (timeout_ms > 0) {
    stream_.expires_after(std::chrono::milliseconds(timeout_ms));
  } else {
    stream_.expires_never();
  }
  error_code result;
  start([&result](error_code error, auto&&...) { result = error; });
  context_.restart();
  context_.run();
  return result;
}

Status AdminClient::Connection::connect() {
  error_code error;
  tcp::resolver resolver(context_);
  const auto found = resolver.resolve(options_.host, std::to_string(options_.port), error);
  if (error) return unreachable(error.message());
  error = run(options_.connect_timeout_ms,
              [&](auto done) { stream_.async_connect(found, std::move(done)); });
  if (error) return unreachable(error.message());
  error_code ignored;  // as in the server: nothing waits for a delayed acknowledgement
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  return {};
}

bool AdminClient::Connection::idle() {
  error_code error;
  char byte;
  stream_.socket().non_blocking(true, error);
  if (!error) stream_.socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
  return error == asio::error::would_block;
}

Status AdminClient::Connection::ask(http::verb method, const std::string& target,
                                    const std::string& body, bool keep) {
  http::request<http::string_body> request(method, target, 11);
  request.set(http::field::host, where());
  request.set(http::field::user_agent, "millrace");
  request.keep_alive(keep);
  if (method == http::verb::post) {
    request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();
  }
  parser_.emplace();
  parser_->body_limit(boost::none);
  error_code error = run(options_.answer_timeout_ms,
                         [&](auto done) { http::async_write(stream_, request, std::move(done)); });
  if (!error) {
    error = run(options_.answer_timeout_ms, [&](auto done) {
      http::async_read_header(stream_, buffer_, *parser_, std::move(done));
    });
  }
  if (!error) return {};
  closed_unanswered_ = error != beast::error::timeout && !parser_->got_some();
  return broken(error);
}

Result<bool> AdminClient::Connection::read_piece(int timeout_ms, size_t& size) {
  size = 0;
  if (parser_->is_done()) return false;
  auto& body = parser_->get().body();
  body.data = piece_.data();
  body.size = piece_.size();
  body.more = true;
  error_code error = run(timeout_ms, [&](auto done) {
    http::async_read_some(stream_, buffer_, *parser_, std::move(done));
  });
  if (error == http::error::need_buffer) error = {};
  if (error) return broken(error);
  size = piece_.size() - parser_->get().body().size;
  return true;
}

Result<std::string> AdminClient::Connection::read_all() {
  std::string all;
  for (;;) {
    size_t size = 0;
    ASSIGN_OR_RETURN(const bool more, read_piece(options_.answer_timeout_ms, size));
    if (!more) return all;
    all.append(piece_, 0, size);
    if (all.size() > kWholeBodyBytesMax) {
      return make_error(ErrorCode::kUnavailable, "the answer of " + where() + " is too large");
    }
  }
}

Status AdminClient::Connection::read_lines(const std::function<bool(std::string_view)>& line) {
  std::string rest;
  for (;;) {
    size_t size = 0;
    ASSIGN_OR_RETURN(const bool more, read_piece(0, size));
    if (!more) return {};
    // What stood there before has no end of line.
    size_t search = rest.size();
    rest.append(piece_, 0, size);
    size_t begin = 0;
    for (size_t end; (end = rest.find('\n', search)) != std::string::npos; search = begin) {
      if (!line(std::string_view(rest).substr(begin, end - begin))) return {};
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > options_.line_bytes_max) {
      return make_error(ErrorCode::kUnavailable, "a line of " + where() + " is too long");
    }
  }
}

Error AdminClient::Connection::refused(const std::string& body) const {
  std::string message = body.substr(0, 1000);
  while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) message.pop_back();
  const ErrorCode code = status() == 404   ? ErrorCode::kResourceNotFound
                         : status() >= 500 ? ErrorCode::kUnavailable
                                           : ErrorCode::kValidation;
  return make_error(
      code, "the sidecar at " + where() + " answered " + std::to_string(status()) + ": " + message);
}

AdminClient::AdminClient(AdminClientOptions options) : options_(std::move(options)) {}
AdminClient::~AdminClient() = default;

Result<std::string> AdminClient::answer(std::string_view method, const std::string& target,
                                        const std::string& body) const {
  const http::verb verb = http::string_to_verb(beast::string_view(method.data(), method.size()));
  std::unique_ptr<Connection> connection;
  {
    std::lock_guard lock(mutex_);
    connection = std::move(kept_);
  }
  if (connection != nullptr && connection->idle()) {
    Status asked = connection->ask(verb, target, body, true);
    if (asked) return take_answer(std::move(connection));
    if (!connection->closed_unanswered()) return asked.error();
  }
  connection = std::make_unique<Connection>(options_);
  RETURN_IF_ERROR(connection->connect());
  RETURN_IF_ERROR(connection->ask(verb, target, body, true));
  return take_answer(std::move(connection));
}

Result<std::string> AdminClient::take_answer(std::unique_ptr<Connection> connection) const {
  ASSIGN_OR_RETURN(std::string body, connection->read_all());
  std::optional<Error> refusal;
  if (connection->status() != 200) refusal = connection->refused(body);
  if (connection->may_be_kept()) {
    std::lock_guard lock(mutex_);
    kept_ = std::move(connection);
  }
  if (refusal) return *std::move(refusal);
  return body;
}

Result<std::string> AdminClient::get(const std::string& target) const {
  return answer("GET", target, {});
}

Result<std::string> AdminClient::post(const std::string& target, const std::string& body) const {
  return answer("POST", target, body);
}

Status AdminClient::stream(const std::string& target,
                           const std::function<bool(std::string_view)>& line) const {
  Connection connection(options_);
  RETURN_IF_ERROR(connection.connect());
  RETURN_IF_ERROR(connection.ask(http::verb::get, target, {}, false));
  if (connection.status() == 200) return connection.read_lines(line);
  ASSIGN_OR_RETURN(const std::string body, connection.read_all());
  return connection.refused(body);
}

std::string AdminClient::percent_encode(std::string_view text) {
  return millrace::percent_encode(text);
}

}  // namespace millrace
