#include "core/net/http_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "core/base/check.h"
#include "core/net/http_connection.h"

namespace millrace {
namespace {

constexpr int kEventsPerRound = 256;
// A send wakes the client up: sends one after the other cost it, and so us, less than sends between
// requests. More at a time would let the first answers wait; 16 cost three hundredths more at 64
// connections.
constexpr size_t kAnswersGatheredMax = 32;

// Buffers above this are not kept: one large answer must not hold its memory for ever.
constexpr size_t kKeptBufferBytesMax = 256 * 1024;
// Ten cache lines over a power of two: buffers a multiple of 4 KB apart would share the same sets
// of the first-level cache, and answers that are gathered would push each other out of it.
constexpr size_t kNewBufferBytes = 16 * 1024 + 640;
constexpr size_t kSpareBuffersMax = 64;

}  // namespace

HttpLoop::HttpLoop(std::shared_ptr<HttpShared> shared, std::function<void()> wake)
    : shared_(std::move(shared)),
      wake_(std::move(wake)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      scratch_(new char[kScratchBytes + HttpRequest::kBodyPadding]()) {}

HttpLoop::~HttpLoop() {
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

void HttpLoop::add(int socket) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      ::close(socket);
      shared_->connections.fetch_sub(1);
      return;
    }
  }
  auto* connection = new HttpConnection(shared_from_this(), socket);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = connection;
  connection->index = connections_.size();
  connections_.push_back(connection);
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket, &event) != 0) {
    connection->close();
    if (!in_round_) finish_round();
  }
}

void HttpLoop::watch_listener(int socket, std::function<void()> ready) {
  listener_ready_ = std::move(ready);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket, &event);
}

void HttpLoop::unwatch_listener(int socket) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, socket, nullptr);
}

int HttpLoop::run_ready() {
  epoll_event events[kEventsPerRound];
  // What does not fit stays ready: the event loop sees the instance readable again.
  const int count = epoll_wait(epoll_fd_, events, kEventsPerRound, 0);
  in_round_ = true;
  for (int i = 0; i < count; ++i) {
    if (auto* connection = static_cast<HttpConnection*>(events[i].data.ptr)) {
      connection->on_event(events[i].events);
      if (to_flush_.size() >= kAnswersGatheredMax) flush_gathered();
    } else if (listener_ready_) {
      listener_ready_();
    }
  }
  finish_round();
  return count;
}

void HttpLoop::run_inbox() {
  {
    std::lock_guard lock(mutex_);
    wake_pending_ = false;
    taken_.swap(inbox_);
  }
  in_round_ = true;
  for (PostedAnswer& answer : taken_) {
    if (answer.connection == nullptr) continue;
    shared_->answer_bytes.fetch_sub(answer.bytes.size(), std::memory_order_relaxed);
    answer.connection->answer_rendered(std::move(answer.bytes));
    answer.connection->release();
  }
  taken_.clear();
  finish_round();
}

bool HttpLoop::flush_later(HttpConnection* connection) {
  if (!in_round_) return false;
  // One that is closed meanwhile is let go of at the round's end, behind all flushes.
  to_flush_.push_back(connection);
  return true;
}

void HttpLoop::flush_gathered() {
  // A flush may lead to the next request and so to the next answer.
  for (size_t i = 0; i < to_flush_.size(); ++i) {
    to_flush_[i]->flush_gathered();
  }
  to_flush_.clear();
}

/// Goes on with connections whose answer came outside their own event, then lets go of closed ones.
void HttpLoop::finish_round() {
  in_round_ = true;
  flush_gathered();
  while (!to_resume_.empty()) {
    HttpConnection* connection = to_resume_.back();
    to_resume_.pop_back();
    connection->resume();
    connection->release();
    flush_gathered();
  }
  in_round_ = false;
  CHECK(to_flush_.empty());
  std::vector<HttpConnection*> removed;
  removed.swap(removed_);
  for (HttpConnection* connection : removed) connection->release();
}

void HttpLoop::tick() {
  ++now_seconds_;
  in_round_ = true;
  // Backwards, since closing one moves the last into its place.
  for (size_t i = connections_.size(); i-- > 0;) {
    if (connections_[i]->deadline_seconds() <= now_seconds_) connections_[i]->on_deadline();
  }
  finish_round();
}

void HttpLoop::drain() {
  in_round_ = true;
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->on_drain();
  finish_round();
}

void HttpLoop::close() {
  std::vector<PostedAnswer> unsent;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    unsent.swap(inbox_);
  }
  for (PostedAnswer& answer : unsent) answer.connection->release();
  listener_ready_ = nullptr;
  in_round_ = true;
  while (!connections_.empty()) connections_.back()->close();
  finish_round();
}

void HttpLoop::post_answer(HttpConnection* connection, std::string answer) {
  bool must_wake = false;
  bool refused = false;
  {
    std::lock_guard lock(mutex_);
    refused = closed_;
    if (!refused) {
      shared_->answer_bytes.fetch_add(answer.size(), std::memory_order_relaxed);
      inbox_.push_back({connection, std::move(answer)});
      must_wake = !std::exchange(wake_pending_, true);
      // Under the lock: once close() has returned, nobody touches the event loop.
      if (must_wake) wake_();
    }
  }
  if (refused) connection->release();
}

std::string HttpLoop::take_buffer() {
  if (spare_buffers_.empty()) {
    std::string buffer;
    buffer.reserve(kNewBufferBytes);
    return buffer;
  }
  std::string buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  return buffer;
}

void HttpLoop::give_buffer(std::string buffer) {
  if (buffer.capacity() > kKeptBufferBytesMax || spare_buffers_.size() >= kSpareBuffersMax) return;
  buffer.clear();
  spare_buffers_.push_back(std::move(buffer));
}

void HttpLoop::schedule_resume(HttpConnection* connection) {
  connection->retain();
  to_resume_.push_back(connection);
  if (in_round_) return;
  std::lock_guard lock(mutex_);
  if (!closed_ && !std::exchange(wake_pending_, true)) wake_();
}

void HttpLoop::remove(HttpConnection* connection) {
  HttpConnection* last = connections_.back();
  connections_[connection->index] = last;
  last->index = connection->index;
  connections_.pop_back();
  removed_.push_back(connection);
  const size_t left = shared_->connections.fetch_sub(1) - 1;
  if (left == 0 && shared_->draining.load() && shared_->drained) shared_->drained();
}

}  // namespace millrace
