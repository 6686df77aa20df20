#include "core/net/http_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "core/net/content_coding.h"

namespace millrace {
namespace {

constexpr uint32_t kNoDeadline = std::numeric_limits<uint32_t>::max();

// Long enough for a client on a slow line to read why it was refused.
constexpr uint32_t kLingerSeconds = 5;

// Answers to pipelined requests are gathered up to this before they are sent.
constexpr size_t kGatheredBytesMax = 256 * 1024;

// Requests up to this are not counted against receiving_bytes_max: there are at most
// connections_max of them.
constexpr size_t kUnclaimedBytes = 32 * 1024;

// How far the buffer of a request whose size is not known yet grows at a time.
constexpr size_t kGrowBytes = 16 * 1024;

// recv() and send() are cancellation points: that costs each call two atomic operations, a hit one
// hundredth of its time. ThreadSanitizer knows sockets by these functions alone.
#ifdef __SANITIZE_THREAD__
ssize_t system_receive(int socket, char* into, size_t room) {
  return ::recv(socket, into, room, MSG_DONTWAIT);
}
ssize_t system_send(int socket, const char* bytes, size_t size) {
  return ::send(socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}
#else
ssize_t system_receive(int socket, char* into, size_t room) {
  return ::syscall(SYS_recvfrom, socket, into, room, MSG_DONTWAIT, nullptr, nullptr);
}
ssize_t system_send(int socket, const char* bytes, size_t size) {
  return ::syscall(SYS_sendto, socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
}
#endif

}  // namespace

void InputBuffer::reserve(size_t size) {
  if (size <= capacity_) return;
  std::unique_ptr<char[]> larger(new char[size + HttpRequest::kBodyPadding]);
  if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
  std::memset(larger.get() + size, 0, HttpRequest::kBodyPadding);
  bytes_ = std::move(larger);
  capacity_ = size;
}

void InputBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  reserve(size_ + bytes.size());
  std::memcpy(bytes_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void InputBuffer::drop_front(size_t count) {
  size_ -= count;
  if (size_ == 0) {
    bytes_.reset();
    capacity_ = 0;
  } else if (count > 0) {
    std::memmove(bytes_.get(), bytes_.get() + count, size_);
  }
}

HttpConnection::HttpConnection(std::shared_ptr<HttpLoop> loop, int socket)
    : loop_(std::move(loop)), socket_(socket) {
  set_reading_deadline();
}

void HttpConnection::on_event(uint32_t events) {
  if (state_ == State::kClosed) return;
  if (events & (EPOLLERR | EPOLLHUP)) return close();
  if (events & EPOLLIN) readable_ = true;
  if (events & EPOLLRDHUP) readable_ = peer_closed_ = true;
  if ((events & EPOLLOUT) && !out_.empty() && !processing_) {
    flush();
    if (state_ == State::kReading && out_.empty() && !in_.empty()) return resume();
  }
  if (state_ == State::kReading && readable_) read();
  if (state_ == State::kLingering && readable_) discard();
}

/// One receive. False when there is nothing to go on with: no bytes, or the connection is closed.
bool HttpConnection::receive(char* into, size_t room, size_t& count) {
  ssize_t received;
  do {
    received = system_receive(socket_, into, room);
  } while (received < 0 && errno == EINTR);
  if (received <= 0) {
    if (received < 0 && errno == EAGAIN) {
      readable_ = false;
    } else {
      close();
    }
    return false;
  }
  count = static_cast<size_t>(received);
  // A short receive emptied the socket; the next bytes make a new edge. A close that has come
  // already does not.
  if (count < room && !peer_closed_) readable_ = false;
  return true;
}

void HttpConnection::read() {
  while (state_ == State::kReading && readable_ && out_.empty()) {
    size_t count = 0;
    if (chunked_ == nullptr && !in_.empty()) {
      in_.reserve(wanted_bytes_ > 0 ? wanted_bytes_ : in_.size() + kGrowBytes);
      if (!receive(in_.end(), in_.room(), count)) return;
      in_.grow(count);
      const size_t used = process(in_.data(), in_.size());
      in_.drop_front(used);
    } else {
      char* scratch = loop_->scratch();
      if (!receive(scratch, HttpLoop::kScratchBytes, count)) return;
      const size_t used = process(scratch, count);
      in_.append({scratch + used, count - used});
    }
    if (state_ == State::kReading) set_reading_deadline();
  }
}

void HttpConnection::resume() {
  if (state_ != State::kReading || !out_.empty()) return;
  if (!in_.empty()) {
    const size_t used = process(in_.data(), in_.size());
    in_.drop_front(used);
    if (state_ == State::kReading) set_reading_deadline();
  }
  if (state_ == State::kReading && readable_) read();
}

/// Handles the requests at the start of `bytes`; returns how many bytes were used. What it answers
/// goes out in one send at its end.
size_t HttpConnection::process(char* bytes, size_t size) {
  processing_ = true;
  size_t used = 0;
  while (state_ == State::kReading && used < size && out_.size() < kGatheredBytesMax) {
    const size_t step = chunked_ ? process_chunked(bytes + used, size - used)
                                 : process_one(bytes + used, size - used);
    if (step == 0) break;
    used += step;
  }
  processing_ = false;
  // Few large answers together would take memory that nobody has counted yet.
  if (out_.size() > kGatheredBytesMax || (!out_.empty() && !loop_->flush_later(this))) flush();
  // Refused or closed: whatever is left belongs to nobody.
  if (state_ != State::kReading && state_ != State::kHandling) return size;
  if (state_ == State::kReading && out_.empty() && used < size && wanted_bytes_ == 0 &&
      chunked_ == nullptr && size - used >= 4) {
    // Either an incomplete head, or requests left because enough was gathered: look again later.
    if (used > 0) loop_->schedule_resume(this);
  }
  return used;
}

size_t HttpConnection::process_one(char* bytes, size_t size) {
  if (size < wanted_bytes_) return 0;
  const HttpServerOptions& options = loop_->shared().options;
  RequestHead head;
  int status = 0;
  const HeadOutcome outcome = parse_request_head({bytes, size}, head, status);
  if (outcome == HeadOutcome::kBad) {
    refuse(status);
    return 0;
  }
  const bool complete = outcome == HeadOutcome::kComplete;
  if ((complete ? head.size : size) > options.header_bytes_max) {
    refuse(431);
    return 0;
  }
  if (!complete) return 0;
  if (head.chunked) return begin_chunked(head, bytes, size);
  if (head.content_length > options.body_bytes_max) {
    refuse(413);
    return 0;
  }
  const size_t total = head.size + head.content_length;
  if (total > size) {
    if (!claim(total)) {
      refuse(throttled());
      return 0;
    }
    wanted_bytes_ = total;
    send_continue(head);
    return 0;
  }
  wanted_bytes_ = 0;
  dispatch(head, {bytes + head.size, head.content_length});
  return total;
}

size_t HttpConnection::begin_chunked(const RequestHead& head, const char* bytes, size_t size) {
  chunked_ = std::make_unique<ChunkedRequest>(loop_->shared().options.body_bytes_max);
  chunked_->head.assign(bytes, head.size);
  if (size == head.size) send_continue(head);
  return head.size;
}

size_t HttpConnection::process_chunked(const char* bytes, size_t size) {
  size_t used = 0;
  switch (chunked_->body.feed({bytes, size}, used)) {
    case ChunkedBody::Outcome::kMore:
      if (claim(chunked_->body.body().capacity())) return used;
      refuse(throttled());
      return 0;
    case ChunkedBody::Outcome::kBad:
      refuse(400);
      return 0;
    case ChunkedBody::Outcome::kTooLarge:
      refuse(413);
      return 0;
    case ChunkedBody::Outcome::kDone:
      break;
  }
  const std::unique_ptr<ChunkedRequest> request = std::move(chunked_);
  RequestHead head;
  int status = 0;
  parse_request_head(request->head, head, status);  // parsed well before
  std::string& body = request->body.body();
  const size_t body_size = body.size();
  body.append(HttpRequest::kBodyPadding, '\0');
  dispatch(head, {body.data(), body_size});
  return used;
}

/// A client that asks before it sends its body is told to go on, once.
void HttpConnection::send_continue(const RequestHead& head) {
  if (!head.expects_continue || head.http_1_0 || std::exchange(continued_, true)) return;
  if (out_.empty()) out_ = loop_->take_buffer();
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::dispatch(const RequestHead& head, std::string_view body) {
  unclaim();
  continued_ = false;
  request_timed_ = false;
  context_.keep_alive = head.keep_alive;
  context_.http_1_0 = head.http_1_0;
  context_.head_only = head.method == "HEAD";
  context_.coding = head.accepted_coding;
  make_request_id(context_.request_id);
  HttpRequest request;
  request.method = head.method;
  request.path = head.path;
  request.query = head.query;
  request.target = head.target;
  request.content_type = head.content_type;
  request.origin = head.origin;
  request.traceparent = head.traceparent;
  request.body = body;
  request.no_cache = head.no_cache;
  request.raw_headers = head.raw_headers;
  state_ = State::kHandling;
  deadline_seconds_ = kNoDeadline;
  if (head.gzip) return dispatch_gzip(request);
  call_handler(request);
}

void HttpConnection::dispatch_gzip(HttpRequest& request) {
  std::string plain;
  const GunzipOutcome outcome = gunzip(request.body, loop_->shared().options.body_bytes_max, plain);
  if (outcome != GunzipOutcome::kDone) {
    // The request itself was read whole, so the connection stays usable.
    return answer_here(refusal(outcome == GunzipOutcome::kTooLarge ? 413 : 400));
  }
  const size_t size = plain.size();
  plain.append(HttpRequest::kBodyPadding, '\0');
  request.body = {plain.data(), size};
  call_handler(request);
}

void HttpConnection::call_handler(const HttpRequest& request) {
  HttpShared& shared = loop_->shared();
  if (shared.answer_bytes.load(std::memory_order_relaxed) > shared.options.answer_bytes_max) {
    return answer_here(throttled());
  }
  retain();
  shared.handler(request, HttpReply(this));
}

/// Answers a request that cannot be gone on with; the connection closes behind the answer.
void HttpConnection::refuse(const HttpResponse& response) {
  wanted_bytes_ = 0;
  chunked_ = nullptr;
  unclaim();
  context_ = AnswerContext{};
  context_.keep_alive = false;
  make_request_id(context_.request_id);
  linger_ = true;
  state_ = State::kHandling;
  answer_here(response);
}

void HttpConnection::answer_here(const HttpResponse& response) {
  if (state_ != State::kHandling) return;
  if (out_.empty()) out_ = loop_->take_buffer();
  if (loop_->shared().draining.load(std::memory_order_relaxed)) context_.keep_alive = false;
  render_answer(context_, response, out_);
  finish_answer();
}

void HttpConnection::answer_rendered(std::string answer) {
  if (state_ != State::kHandling) return;
  if (out_.empty()) {
    out_ = std::move(answer);
  } else {
    out_.append(answer);
  }
  finish_answer();
}

void HttpConnection::finish_answer() {
  const bool keep =
      context_.keep_alive && !loop_->shared().draining.load(std::memory_order_relaxed);
  state_ = keep ? State::kReading : State::kClosing;
  if (processing_) return;
  set_reading_deadline();
  flush();
  if (state_ == State::kReading && (readable_ || !in_.empty())) loop_->schedule_resume(this);
}

void HttpConnection::flush_gathered() {
  if (state_ == State::kClosed || out_.empty()) return;
  flush();
  if (state_ == State::kReading && out_.empty() && (readable_ || !in_.empty())) resume();
}

void HttpConnection::flush() {
  while (sent_bytes_ < out_.size()) {
    const ssize_t sent = system_send(socket_, out_.data() + sent_bytes_, out_.size() - sent_bytes_);
    if (sent >= 0) {
      sent_bytes_ += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      count_unread(out_.capacity());
      // An edge will say when there is room. A client that does not read is not waited for longer
      // than one that does not write.
      if (state_ != State::kHandling) {
        deadline_seconds_ = loop_->now_seconds() +
                            static_cast<uint32_t>(loop_->shared().options.header_timeout_seconds);
      }
      return;
    } else if (errno != EINTR) {
      return close();
    }
  }
  sent_bytes_ = 0;
  count_unread(0);
  loop_->give_buffer(std::exchange(out_, {}));
  sent_all();
}

void HttpConnection::sent_all() {
  if (state_ != State::kClosing) return;
  if (!linger_) return close();
  // Closing with unread input would reset the connection and lose the answer on its way.
  ::shutdown(socket_, SHUT_WR);
  state_ = State::kLingering;
  deadline_seconds_ = loop_->now_seconds() + kLingerSeconds;
  if (readable_ && !processing_) discard();
}

void HttpConnection::discard() {
  size_t count = 0;
  while (readable_ && receive(loop_->scratch(), HttpLoop::kScratchBytes, count)) {
  }
}

void HttpConnection::on_deadline() {
  deadline_seconds_ = kNoDeadline;
  close();
}

void HttpConnection::on_drain() {
  if (state_ == State::kReading && !begun() && !readable_ && out_.empty()) return close();
  if (state_ == State::kLingering) return close();
  // The others close behind the answer that they wait for or are about to ask for.
}

void HttpConnection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  deadline_seconds_ = kNoDeadline;
  ::close(socket_);
  socket_ = -1;
  chunked_ = nullptr;
  unclaim();
  count_unread(0);
  loop_->remove(this);
}

/// Counts a request that is being received with its size so far; false if all together are too
/// much.
bool HttpConnection::claim(size_t bytes) {
  if (bytes <= std::max(kUnclaimedBytes, claimed_bytes_)) return true;
  HttpShared& shared = loop_->shared();
  const size_t more = bytes - claimed_bytes_;
  const size_t others = shared.receiving_bytes.fetch_add(more) - claimed_bytes_;
  claimed_bytes_ = bytes;
  return others == 0 || others + bytes <= shared.options.receiving_bytes_max;
}

/// Counts what the client has not read with that of all others.
void HttpConnection::count_unread(size_t bytes) {
  if (bytes == unread_bytes_) return;
  loop_->shared().answer_bytes.fetch_add(bytes - unread_bytes_, std::memory_order_relaxed);
  unread_bytes_ = bytes;
}

void HttpConnection::unclaim() {
  if (claimed_bytes_ > 0) loop_->shared().receiving_bytes.fetch_sub(claimed_bytes_);
  claimed_bytes_ = 0;
}

/// A request begun has its time from its first byte on; between requests the longer one counts.
void HttpConnection::set_reading_deadline() {
  const HttpServerOptions& options = loop_->shared().options;
  if (!begun()) {
    request_timed_ = false;
    deadline_seconds_ = loop_->now_seconds() + static_cast<uint32_t>(options.idle_timeout_seconds);
  } else if (!std::exchange(request_timed_, true)) {
    deadline_seconds_ =
        loop_->now_seconds() + static_cast<uint32_t>(options.header_timeout_seconds);
  }
}

}  // namespace millrace
