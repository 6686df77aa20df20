#include "connectors/http.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace millrace::connectors {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

namespace {

// Of an answer: the failures of the largest batch fit in well.
constexpr size_t kAnswerBytesMax = 1u << 20;
constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kExcerptCharactersMax = 200;

}  // namespace

/// What became of one request: an answer, or an error in its place.
struct HttpConnector::Answer {
  Status error;
  unsigned status = 0;
  std::string body;
  int64_t retry_after_ms = 0;
};

/// One connection, kept while the receiver keeps it, and one request on it at a time. All handlers
/// run in run(); those that are left when it is destroyed never run.
class HttpConnector::Client {
 public:
  explicit Client(const HttpOptions& options)
      : options_(options), resolver_(context_), stream_(context_) {}

  /// Begins a request. None is under way.
  void send(std::string body, std::span<const Lsn> lsns);
  /// Whether the request has come to its end; waits for that up to `wait_ms`.
  bool run(int wait_ms);
  Answer take() { return std::exchange(answer_, {}); }

 private:
  void connect();
  void write();
  void read(error_code write_error);
  void end(const char* what, error_code error);
  void finish();
  int64_t retry_after_ms() const;
  std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds(options_.timeout_ms);
  }

  const HttpOptions& options_;
  asio::io_context context_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{2 * kReadBytes};
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  bool connected_ = false;
  bool reused_ = false;  // the request went out on a connection that an earlier one had opened
  bool under_way_ = false;
  Answer answer_;
};

void HttpConnector::Client::send(std::string body, std::span<const Lsn> lsns) {
  request_ = {http::verb::post, options_.url.target, 11};
  for (const auto& [name, value] : options_.headers) request_.set(name, value);
  request_.set(http::field::host, options_.url.authority());
  request_.set(http::field::user_agent, "millrace");
  request_.set(http::field::content_type, "application/json");
  request_.set("x-millrace-connector", options_.connector);
  request_.set("x-millrace-first-lsn", std::to_string(lsns.front()));
  request_.set("x-millrace-last-lsn", std::to_string(lsns.back()));
  request_.body() = std::move(body);
  request_.prepare_payload();
  under_way_ = true;
  reused_ = connected_;
  if (!connected_) return connect();
  stream_.expires_after(timeout());
  write();
}

void HttpConnector::Client::connect() {
  connected_ = false;
  reused_ = false;
  buffer_.clear();
  stream_.close();
  resolver_.async_resolve(
      options_.url.host, std::to_string(options_.url.port), tcp::resolver::numeric_service,
      [this](error_code error, const tcp::resolver::results_type& found) {
        if (error) return end("cannot be resolved", error);
        stream_.expires_after(timeout());
        stream_.async_connect(found, [this](error_code failed, const tcp::endpoint&) {
          if (failed) return end("cannot be reached", failed);
          error_code ignored;
          stream_.socket().set_option(tcp::no_delay(true), ignored);
          connected_ = true;
          write();
        });
      });
}

void HttpConnector::Client::write() {
  // A receiver may answer, with a refusal, and close before it has read all; so an error here is
  // told only if there is no answer either.
  http::async_write(stream_, request_, [this](error_code error, size_t) { read(error); });
}

void HttpConnector::Client::read(error_code write_error) {
  parser_.emplace();
  parser_->body_limit(kAnswerBytesMax);
  http::async_read(stream_, buffer_, *parser_, [this, write_error](error_code error, size_t) {
    if (!error) return finish();
    if (write_error) error = write_error;
    // The receiver may have closed a kept connection just when the request went out.
    if (reused_ && !parser_->got_some() && error != beast::error::timeout) return connect();
    end(parser_->got_some() ? "broke off its answer" : "gave no answer", error);
  });
}

void HttpConnector::Client::finish() {
  stream_.expires_never();
  answer_.status = parser_->get().result_int();
  answer_.retry_after_ms = retry_after_ms();
  connected_ = parser_->keep_alive();
  if (!connected_) stream_.close();
  answer_.body = std::move(parser_->get().body());
  under_way_ = false;
}

void HttpConnector::Client::end(const char* what, error_code error) {
  connected_ = false;
  stream_.close();
  std::string cause = error.message();
  if (error == beast::error::timeout)
    cause = "not within " + std::to_string(options_.timeout_ms) + " ms";
  if (error == http::error::end_of_stream) cause = "it closed the connection";
  if (error == http::error::body_limit)
    cause = "more than " + std::to_string(kAnswerBytesMax) + " bytes";
  answer_.error =
      make_error(ErrorCode::kUnavailable, options_.url.text() + " " + what + ": " + cause);
  under_way_ = false;
}

/// Retry-After in seconds; a date is not understood.
int64_t HttpConnector::Client::retry_after_ms() const {
  const auto text = parser_->get()[http::field::retry_after];
  uint32_t seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  return int64_t{seconds} * 1000;
}

bool HttpConnector::Client::run(int wait_ms) {
  const auto until = SteadyClock::now() + std::chrono::milliseconds(wait_ms);
  context_.restart();
  context_.poll();
  while (under_way_ && context_.run_one_until(until) > 0) {
  }
  return !under_way_;
}

HttpConnector::HttpConnector(HttpOptions options) : options_(std::move(options)) {}
HttpConnector::~HttpConnector() = default;

Result<size_t> HttpConnector::deliver(std::span<const Record> records) {
  if (failed_) return size_t{0};
  size_t count = 0;
  while (count < records.size() &&
         gathered_.add(records[count], options_.region, options_.account, options_.batch))
    ++count;
  return count;
}

void HttpConnector::poll(int wait_ms, Progress& progress) {
  if (failed_) return;
  if (sent_.empty()) send(progress);
  if (sent_.empty() || !client_->run(wait_ms)) return;
  take(client_->take(), progress);
  if (!failed_) send(progress);
}

/// Sends what was gathered, if anything.
void HttpConnector::send(Progress& progress) {
  if (gathered_.empty()) return;
  try {
    if (client_ == nullptr) client_ = std::make_unique<Client>(options_);
  } catch (const std::exception& error) {  // no file descriptor is left
    failed_ = true;
    progress.failure = make_error(ErrorCode::kUnavailable, error.what());
    return;
  }
  sent_ = std::exchange(gathered_, {});
  client_->send(sent_.take_body(), sent_.lsns());
  client_->run(0);
}

void HttpConnector::take(const Answer& answer, Progress& progress) {
  size_t acknowledged = 0;
  Status status = judge(answer, acknowledged);
  for (size_t i = 0; i < acknowledged; ++i) progress.acknowledged.push_back(sent_.ticket(i));
  sent_ = {};
  if (status) return;
  failed_ = true;
  progress.failure = status.error();
  progress.retry_after_ms = answer.retry_after_ms;
}

/// What the answer means for the batch that was sent.
Status HttpConnector::judge(const Answer& answer, size_t& acknowledged) const {
  RETURN_IF_ERROR(answer.error);
  const std::span<const Lsn> lsns = sent_.lsns();
  std::string text = options_.url.text() + " answered " + std::to_string(answer.status);
  if (answer.status >= 200 && answer.status < 300) {
    Result<size_t> count = acknowledged_by(answer.body, lsns);
    if (!count) return make_error(count.error().code, text + ": " + count.error().message);
    acknowledged = *count;
    if (acknowledged == lsns.size()) return {};
    text += " and failed the change with LSN " + std::to_string(lsns[acknowledged]);
  } else {
    text += lsns.size() == 1 ? " to the change with LSN " + std::to_string(lsns.front())
                             : " to the " + std::to_string(lsns.size()) + " changes from LSN " +
                                   std::to_string(lsns.front()) + " on";
    if (answer.status >= 300 && answer.status < 400)
      text += " (redirections are not followed: configure the URL that they lead to)";
    if (answer.status == 413) text += " (lower the connector's batch_bytes)";
  }
  return make_error(ErrorCode::kUnavailable, text + excerpt(answer.body));
}

/// The beginning of an answer's body for a log line; nothing if it echoes a header's value.
std::string HttpConnector::excerpt(const std::string& body) const {
  for (const auto& [name, value] : options_.headers) {
    if (!value.empty() && body.find(value) != std::string::npos) return {};
  }
  std::string shown = body.substr(0, kExcerptCharactersMax);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return shown.empty() ? shown : ": " + shown;
}

void HttpConnector::reset() {
  client_.reset();
  sent_ = {};
  gathered_ = {};
  failed_ = false;
}

}  // namespace millrace::connectors
