#include "core/net/admin_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/net/admin_exchange.h"
#include "core/net/percent_coding.h"

namespace millrace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

class Session;

struct Route {
  std::map<std::string, AdminServer::AsyncHandler> by_method;
};

/// What outlives the server while a reply refers to it. The event loop is entered by post() only,
/// which does nothing once the server has stopped.
struct Core {
  explicit Core(AdminServerOptions o) : options(std::move(o)) {}

  void post(std::function<void()> work) {
    std::lock_guard lock(mutex);
    if (!stopped) asio::post(context, std::move(work));
  }

  const AdminServerOptions options;
  std::map<std::string, Route> routes;
  std::set<Session*> sessions;  // the server thread's
  std::mutex mutex;
  bool stopped = false;  // guarded by mutex
  asio::io_context context{1};
};

AdminRequest from_beast(http::request<http::string_body>& message) {
  AdminRequest request;
  request.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  const size_t mark = target.find('?');
  request.path = percent_decode(target.substr(0, mark), false);
  if (mark != std::string_view::npos) request.query = parse_query(target.substr(mark + 1));
  request.content_type = std::string(message[http::field::content_type]);
  request.body = std::move(message.body());
  request.from_web_page = message.find(http::field::origin) != message.end();
  return request;
}

class Session : public AdminConnection, public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Core> core, tcp::socket socket)
      : core_(std::move(core)), stream_(std::move(socket)) {
    core_->sessions.insert(this);
  }
  ~Session() override { core_->sessions.erase(this); }

  void read();
  void close();
  /// The server stops: a stream that has been finished may have its end written, for a second.
  void end();
  void answer(AdminResponse response) override;
  void open_stream(const std::string& content_type) override;
  void pump() override;
  void cut() override { close(); }

 private:
  using Parser = http::request_parser<http::string_body>;
  void set_timeout() {
    stream_.expires_after(std::chrono::seconds(ending_ ? 1 : core_->options.timeout_seconds));
  }
  void on_read(error_code error);
  void route(AdminRequest request);
  void watch_for_leaving();

  const std::shared_ptr<Core> core_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool streaming_ = false;
  bool writing_ = false;
  bool closed_ = false;
  bool ending_ = false;
  std::shared_ptr<AdminReply::Exchange> exchange_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response<http::empty_body>> stream_head_;
  std::optional<http::response_serializer<http::empty_body>> stream_serializer_;
  std::string chunk_;
  char leaving_[256];
};

void Session::read() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(core_->options.header_bytes_max));
  parser_->body_limit(core_->options.body_bytes_max);
  set_timeout();
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, size_t) { self->on_read(error); });
}

void Session::on_read(error_code error) {
  if (closed_ || error == http::error::end_of_stream) return close();
  if (error) {
    keep_alive_ = false;
    if (error == http::error::body_limit) return answer(admin_error(413, "body too large"));
    if (error == http::error::header_limit) return answer(admin_error(431, "head too large"));
    if (error.category() == make_error_code(http::error::bad_method).category()) {
      return answer(admin_error(400, "not a valid request"));
    }
    return close();
  }
  keep_alive_ = parser_->get().keep_alive();
  head_only_ = parser_->get().method() == http::verb::head;
  // A handler may take its time; the connection is watched for the client's leaving only while
  // streaming.
  stream_.expires_never();
  route(from_beast(parser_->get()));
}

void Session::route(AdminRequest request) {
  // A browser names the page that it POSTs for. Any page could else reset or flush what runs on its
  // reader's machine.
  if (request.from_web_page) return answer(admin_error(403, "web pages are not served"));
  const auto found = core_->routes.find(request.path);
  if (found == core_->routes.end()) return answer(admin_error(404, "no such path"));
  auto& by_method = found->second.by_method;
  auto handler = by_method.find(request.method);
  if (handler == by_method.end() && head_only_) handler = by_method.find("GET");
  if (handler == by_method.end()) return answer(admin_error(405, "method not allowed"));
  exchange_ = std::make_shared<AdminReply::Exchange>(
      [core = core_](std::function<void()> work) { core->post(std::move(work)); },
      core_->options.stream_bytes_max, weak_from_this());
  watch_for_leaving();
  handler->second(request, AdminReply(exchange_));
}

/// A client that asked waits for its answer: it sends nothing, so a read that ends means it has
/// left. Bytes of a next request are not taken: then the connection closes behind this answer.
void Session::watch_for_leaving() {
  stream_.socket().async_wait(
      tcp::socket::wait_read, [self = shared_from_this(), exchange = exchange_](error_code error) {
        if (error || self->closed_ || self->exchange_ != exchange) return;
        error_code ignored;
        self->stream_.socket().non_blocking(true, ignored);
        const size_t size = self->stream_.socket().receive(asio::buffer(self->leaving_),
                                                           tcp::socket::message_peek, ignored);
        if (ignored == asio::error::would_block) return self->watch_for_leaving();
        if (ignored || size == 0) return self->close();
        self->keep_alive_ = self->keep_alive_ && !self->streaming_;
      });
}

void Session::answer(AdminResponse response) {
  if (closed_) return;
  exchange_ = nullptr;
  response_.emplace(static_cast<http::status>(response.status), 11);
  response_->set(http::field::content_type, response.content_type);
  response_->set(http::field::cache_control, "no-store");
  response_->keep_alive(keep_alive_);
  response_->body() = std::move(response.body);
  response_->prepare_payload();
  if (head_only_) response_->body().clear();
  set_timeout();
  http::async_write(stream_, *response_, [self = shared_from_this()](error_code error, size_t) {
    if (error || !self->keep_alive_) return self->close();
    self->read();
  });
}

void Session::open_stream(const std::string& content_type) {
  if (closed_) return;
  streaming_ = true;
  writing_ = true;
  stream_head_.emplace(http::status::ok, 11);
  stream_head_->set(http::field::content_type, content_type);
  stream_head_->set(http::field::cache_control, "no-store");
  stream_head_->chunked(true);
  stream_head_->keep_alive(false);
  stream_serializer_.emplace(*stream_head_);
  set_timeout();
  http::async_write_header(stream_, *stream_serializer_,
                           [self = shared_from_this()](error_code error, size_t) {
                             self->writing_ = false;
                             if (error) return self->close();
                             self->pump();
                           });
}

/// Writes what is queued as one chunk, and the last one when the stream is finished.
void Session::pump() {
  if (closed_ || writing_ || !streaming_ || exchange_ == nullptr) return;
  // Whether it is finished first: bytes are queued before.
  const bool finished = exchange_->finished();
  chunk_ = exchange_->take_queued();
  if (chunk_.empty() && !finished) {
    stream_.expires_never();
    return;
  }
  writing_ = true;
  set_timeout();
  auto done = [self = shared_from_this()](error_code error, size_t) {
    self->writing_ = false;
    if (error) return self->close();
    if (self->exchange_ == nullptr) return self->close();  // that was the last chunk
    self->exchange_->written();
    self->pump();
  };
  if (!chunk_.empty()) {
    asio::async_write(stream_, http::make_chunk(asio::buffer(chunk_)), std::move(done));
    return;
  }
  exchange_ = nullptr;
  asio::async_write(stream_, http::make_chunk_last(), std::move(done));
}

void Session::close() {
  if (std::exchange(closed_, true)) return;
  if (auto exchange = std::exchange(exchange_, nullptr)) exchange->connection_gone();
  stream_.expires_never();
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.close();
}

void Session::end() {
  const bool being_finished = streaming_ && (exchange_ == nullptr || exchange_->finished());
  if (closed_ || !being_finished) return close();
  ending_ = true;
  set_timeout();
}

}  // namespace

struct AdminServer::State : std::enable_shared_from_this<AdminServer::State> {
  explicit State(AdminServerOptions options) : core(std::make_shared<Core>(std::move(options))) {}
  Status listen();
  void accept();

  const std::shared_ptr<Core> core;
  std::optional<tcp::acceptor> acceptor;
  std::thread thread;
  uint16_t port = 0;
};

Status AdminServer::State::listen() {
  const AdminServerOptions& options = core->options;
  error_code error;
  tcp::resolver resolver(core->context);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  acceptor.emplace(core->context);
  if (!error) {
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(tcp::acceptor::max_listen_connections, error);
  }
  if (error) {
    return make_error(ErrorCode::kIo, "cannot listen on " + options.host + ":" +
                                          std::to_string(options.port) + ": " + error.message());
  }
  port = acceptor->local_endpoint(error).port();
  return {};
}

void AdminServer::State::accept() {
  acceptor->async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !self->acceptor->is_open()) return;
    if (!error && self->core->sessions.size() < self->core->options.connections_max) {
      // Else a line that soon follows another waits 40 ms for the client's delayed acknowledgement.
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Session>(self->core, std::move(socket))->read();
    }
    self->accept();
  });
}

AdminServer::AdminServer(AdminServerOptions options)
    : state_(std::make_shared<State>(std::move(options))) {}

AdminServer::~AdminServer() { stop(); }

void AdminServer::add(std::string method, std::string path, Handler handler) {
  add_async(std::move(method), std::move(path),
            [handler = std::move(handler)](const AdminRequest& request, AdminReply reply) {
              reply.send(handler(request));
            });
}

void AdminServer::add_async(std::string method, std::string path, AsyncHandler handler) {
  state_->core->routes[std::move(path)].by_method[std::move(method)] = std::move(handler);
}

Status AdminServer::start() {
  RETURN_IF_ERROR(state_->listen());
  state_->accept();
  state_->thread = std::thread([core = state_->core] { core->context.run(); });
  return {};
}

uint16_t AdminServer::port() const { return state_->port; }

void AdminServer::stop() {
  if (!state_->thread.joinable()) return;
  Core& core = *state_->core;
  core.post([state = state_] {
    error_code ignored;
    state->acceptor->close(ignored);
    // A session that closes may go, and leave the set.
    const std::set<Session*> sessions = state->core->sessions;
    for (Session* session : sessions) {
      if (auto held = session->weak_from_this().lock()) held->end();
    }
  });
  {
    std::lock_guard lock(core.mutex);
    core.stopped = true;
  }
  // Without acceptor and sessions, a second later at most, nothing is left to wait for: the loop
  // ends by itself.
  state_->thread.join();
}

}  // namespace millrace
