#include <utility>

#include "core/net/http_connection.h"
#include "core/net/http_server.h"

namespace millrace {

std::string_view HttpRequest::header(std::string_view name) const {
  return find_header(raw_headers, name);
}

HttpReply::HttpReply(HttpReply&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

HttpReply& HttpReply::operator=(HttpReply&& other) noexcept {
  if (this != &other) {
    HttpReply dropped(std::move(*this));
    connection_ = std::exchange(other.connection_, nullptr);
  }
  return *this;
}

HttpReply::~HttpReply() {
  if (connection_ != nullptr) send(refusal(500));
}

void HttpReply::send(const HttpResponse& response) {
  HttpConnection* connection = std::exchange(connection_, nullptr);
  CHECK(connection != nullptr);
  HttpLoop& loop = connection->loop();
  if (loop.on_this_thread()) {
    connection->answer_here(response);
    connection->release();
    return;
  }
  // The context is the request's and stays as it is until this answer arrives.
  AnswerContext context = connection->context();
  if (loop.shared().draining.load(std::memory_order_relaxed)) context.keep_alive = false;
  std::string bytes;
  render_answer(context, response, bytes);
  loop.post_answer(connection, std::move(bytes));
}

std::string_view HttpReply::request_id() const {
  CHECK(connection_ != nullptr);
  const auto& id = connection_->context().request_id;
  return {id.data(), id.size()};
}

}  // namespace millrace
