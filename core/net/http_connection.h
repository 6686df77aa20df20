#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/net/chunked_body.h"
#include "core/net/http_answer.h"
#include "core/net/http_loop.h"
#include "core/net/request_head.h"

namespace millrace {

/// Bytes that wait for the rest of their request. Always has HttpRequest::kBodyPadding readable
/// bytes behind its end.
class InputBuffer {
 public:
  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t room() const { return capacity_ - size_; }
  char* end() { return bytes_.get() + size_; }
  void grow(size_t by) { size_ += by; }
  /// Makes room for `size` bytes in all.
  void reserve(size_t size);
  void append(std::string_view bytes);
  /// Drops the first `count`; frees the memory when nothing is left.
  void drop_front(size_t count);

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// One connection: reads a request, gives it to the handler, sends the answer, in turn. Belongs to
/// its loop's io thread except where said otherwise. Lives while its loop or a reply refers to it.
///
/// Its socket is edge-triggered: `readable_` remembers an edge until a receive came back short, so
/// that a request that fits the buffer costs one receive.
class HttpConnection {
 public:
  HttpConnection(std::shared_ptr<HttpLoop> loop, int socket);

  void on_event(uint32_t events);
  void on_deadline();
  void on_drain();
  /// Goes on with input that waited for an answer.
  void resume();
  /// Sends what flush_later() put off, and goes on with input that waited for it.
  void flush_gathered();
  void answer_here(const HttpResponse& response);
  void answer_rendered(std::string answer);
  void close();
  uint32_t deadline_seconds() const { return deadline_seconds_; }

  // Thread-safe, for the holder of a reply.
  HttpLoop& loop() { return *loop_; }
  const AnswerContext& context() const { return context_; }
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  size_t index = 0;  // in its loop's list

 private:
  enum class State : uint8_t {
    kReading,    // a request, or idle
    kHandling,   // the handler has it
    kClosing,    // the last answer is being sent
    kLingering,  // it is sent; input is thrown away until the client has read it and closes
    kClosed,
  };
  struct ChunkedRequest {
    explicit ChunkedRequest(size_t body_bytes_max) : body(body_bytes_max) {}
    std::string head;
    ChunkedBody body;
  };
  ~HttpConnection() = default;

  void read();
  bool receive(char* into, size_t room, size_t& count);
  size_t process(char* bytes, size_t size);
  size_t process_one(char* bytes, size_t size);
  size_t process_chunked(const char* bytes, size_t size);
  size_t begin_chunked(const RequestHead& head, const char* bytes, size_t size);
  void dispatch(const RequestHead& head, std::string_view body);
  void dispatch_gzip(HttpRequest& request);
  void call_handler(const HttpRequest& request);
  void send_continue(const RequestHead& head);
  void refuse(int status) { refuse(refusal(status)); }
  void refuse(const HttpResponse& response);
  void finish_answer();
  void flush();
  void sent_all();
  void discard();
  void set_reading_deadline();
  bool claim(size_t bytes);
  void unclaim();
  void count_unread(size_t bytes);
  bool begun() const { return !in_.empty() || chunked_ != nullptr; }

  const std::shared_ptr<HttpLoop> loop_;
  int socket_;
  std::atomic<int> references_{1};
  State state_ = State::kReading;
  bool readable_ = false;
  bool peer_closed_ = false;    // the client will send no more
  bool processing_ = false;     // process() is on the stack: it flushes
  bool linger_ = false;         // input was left unread: closing at once would reset the answer
  bool continued_ = false;      // 100 Continue was sent for this request
  bool request_timed_ = false;  // the deadline is that of the request begun
  uint32_t deadline_seconds_;
  size_t wanted_bytes_ = 0;   // size of the request whose head is complete; 0: not known
  size_t claimed_bytes_ = 0;  // of all connections' receiving_bytes
  size_t sent_bytes_ = 0;     // of out_
  size_t unread_bytes_ = 0;   // of all connections' answer_bytes
  InputBuffer in_;
  std::string out_;
  std::unique_ptr<ChunkedRequest> chunked_;
  AnswerContext context_;
};

}  // namespace millrace
