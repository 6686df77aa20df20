#include "core/net/admin_exchange.h"

#include <utility>

namespace millrace {

AdminResponse admin_error(int status, const std::string& message) {
  AdminResponse response;
  response.status = status;
  response.body = R"({"error":")" + message + "\"}\n";
  return response;
}

void AdminReply::Exchange::send(AdminResponse response) {
  if (std::exchange(stage_, Stage::kDone) != Stage::kUnanswered) return;
  post_([connection = connection_, response = std::move(response)]() mutable {
    if (auto found = connection.lock()) found->answer(std::move(response));
  });
}

void AdminReply::Exchange::open(std::string content_type) {
  if (stage_ != Stage::kUnanswered) return;
  stage_ = Stage::kStreaming;
  post_([connection = connection_, type = std::move(content_type)] {
    if (auto found = connection.lock()) found->open_stream(type);
  });
}

bool AdminReply::Exchange::write(std::string_view bytes) {
  if (stage_ != Stage::kStreaming) return false;
  {
    std::lock_guard lock(mutex_);
    if (gone_) return false;
    queued_.append(bytes);
    if (std::exchange(wake_pending_, true)) return true;
  }
  wake_connection();
  return true;
}

void AdminReply::Exchange::wake_connection() {
  post_([connection = connection_] {
    if (auto found = connection.lock()) found->pump();
  });
}

std::string AdminReply::Exchange::take_queued() {
  std::lock_guard lock(mutex_);
  wake_pending_ = false;
  in_flight_ = queued_.size();
  return std::exchange(queued_, {});
}

void AdminReply::Exchange::written() {
  std::function<void()> resume;
  {
    std::lock_guard lock(mutex_);
    in_flight_ = 0;
    if (queued_.size() < stream_bytes_max_) resume = std::exchange(resume_, nullptr);
  }
  if (resume) resume();
}

void AdminReply::Exchange::when_writable(std::function<void()> resume) {
  const bool now = !full();
  if (now) {
    post_(std::move(resume));
    return;
  }
  std::lock_guard lock(mutex_);
  // It may have emptied meanwhile: then the next pump finds it and resumes.
  resume_ = std::move(resume);
  if (gone_ || queued_.size() + in_flight_ < stream_bytes_max_) {
    post_(std::exchange(resume_, nullptr));
  }
}

void AdminReply::Exchange::when_gone(std::function<void()> left) {
  std::lock_guard lock(mutex_);
  if (gone_) {
    post_(std::move(left));
  } else {
    left_ = std::move(left);
  }
}

void AdminReply::Exchange::finish() {
  if (std::exchange(stage_, Stage::kDone) != Stage::kStreaming) return;
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
  }
  wake_connection();
}

void AdminReply::Exchange::drop() {
  if (stage_ == Stage::kUnanswered) send(admin_error(500, "internal error"));
  {
    // Whoever dropped the reply may be gone with it.
    std::lock_guard lock(mutex_);
    resume_ = nullptr;
    left_ = nullptr;
  }
  if (stage_ != Stage::kStreaming) return;
  stage_ = Stage::kDone;
  post_([connection = connection_] {
    if (auto found = connection.lock()) found->cut();
  });
}

void AdminReply::Exchange::connection_gone() {
  std::function<void()> resume, left;
  {
    std::lock_guard lock(mutex_);
    gone_ = true;
    queued_.clear();
    in_flight_ = 0;
    resume = std::exchange(resume_, nullptr);
    left = std::exchange(left_, nullptr);
  }
  if (resume) resume();
  if (left) left();
}

AdminReply::AdminReply(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
AdminReply::AdminReply(AdminReply&&) noexcept = default;
AdminReply& AdminReply::operator=(AdminReply&& other) noexcept {
  if (this != &other) {
    if (exchange_) exchange_->drop();
    exchange_ = std::move(other.exchange_);
  }
  return *this;
}
AdminReply::~AdminReply() {
  if (exchange_) exchange_->drop();
}
void AdminReply::send(AdminResponse response) { exchange_->send(std::move(response)); }
void AdminReply::open(std::string content_type) { exchange_->open(std::move(content_type)); }
bool AdminReply::write(std::string_view bytes) { return exchange_->write(bytes); }
bool AdminReply::full() const { return exchange_->full(); }
void AdminReply::when_writable(std::function<void()> resume) {
  exchange_->when_writable(std::move(resume));
}
void AdminReply::when_gone(std::function<void()> left) { exchange_->when_gone(std::move(left)); }
bool AdminReply::gone() const { return exchange_->gone(); }
void AdminReply::finish() { exchange_->finish(); }

}  // namespace millrace
