// The data port's reading of requests, whole: any bytes, in any pieces, through real connections.
// What reaches the handler must not depend on how the bytes were cut, nor on whether answers come
// at once or later.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "core/base/check.h"
#include "core/net/content_coding.h"
#include "core/net/http_loop.h"
#include "fuzz_target.h"

namespace {

using millrace::HttpLoop;
using millrace::HttpReply;
using millrace::HttpRequest;
using millrace::HttpResponse;
using millrace::HttpShared;

/// Sends `bytes` in pieces of `piece` and returns what the handler saw, a line a request.
std::string seen_by_handler(std::string_view bytes, size_t piece, bool answer_later) {
  auto shared = std::make_shared<HttpShared>();
  shared->options.header_bytes_max = 2000;
  shared->options.body_bytes_max = 20000;
  std::string seen;
  std::optional<HttpReply> waiting;
  const auto answer = [](HttpReply& reply) {
    HttpResponse response;
    response.body = "{}";
    reply.send(response);
  };
  shared->handler = [&](const HttpRequest& request, HttpReply reply) {
    // The padding behind a body may be read.
    volatile char last = request.body.data()[request.body.size() + HttpRequest::kBodyPadding - 1];
    (void)last;
    seen.append(request.method).append(" ").append(request.path).append("?").append(request.query);
    seen.append(" ").append(request.target).append(" ").append(request.header("host"));
    seen.append(" ").append(request.body).append("\n");
    if (!answer_later) return answer(reply);
    waiting.emplace(std::move(reply));
  };
  auto loop = std::make_shared<HttpLoop>(shared, [] {});
  loop->bind_to_this_thread();
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  shared->connections = 1;
  loop->add(ends[0]);
  const auto turn = [&] {
    loop->run_ready();
    while (waiting) {
      HttpReply reply = std::move(*waiting);
      waiting.reset();
      answer(reply);
      loop->run_inbox();
      loop->run_ready();
    }
    char answers[65536];
    while (::recv(ends[1], answers, sizeof answers, 0) > 0) {
    }
  };
  while (!bytes.empty()) {
    const ssize_t sent = ::send(ends[1], bytes.data(), std::min(piece, bytes.size()), MSG_NOSIGNAL);
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    turn();
    if (sent <= 0 && errno != EAGAIN) break;  // refused and closed
  }
  ::shutdown(ends[1], SHUT_WR);
  turn();
  turn();
  CHECK(shared->connections == 0);  // closed, whatever it was
  loop->close();
  ::close(ends[1]);
  return seen;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::string packed;
  for (const char* half : {"{\"TableName\"", ":\"t\"}"}) {
    millrace::encode(millrace::ContentCoding::kGzip, half, packed);
  }
  return {
      "POST /?x=y HTTP/1.1\r\nHost: a\r\nX-Amz-Target: T.Op\r\nContent-Length: 4\r\n\r\n{\"\"}",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;e=1\r\n{\"\"}\r\n0\r\nT: "
      "v\r\n\r\n",
      "GET http://h/p?q HTTP/1.1\r\nhost:b\r\nAccept-Encoding: *, gzip;q=1\r\nConnection: "
      "close\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: " +
          std::to_string(packed.size()) + "\r\n\r\n" + packed,
      "PUT /a HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: "
      "1\r\n\r\nz",
      "\r\nHEAD * HTTP/1.1\r\nHost: a\r\nX: \t \r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 60000) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = seen_by_handler(bytes, bytes.size() + 1, false);
  const size_t piece = size < 400 ? 1 : 1 + size / 100;
  CHECK(seen_by_handler(bytes, piece, false) == whole);
  CHECK(seen_by_handler(bytes, piece * 7, true) == whole);
  CHECK(seen_by_handler(bytes, bytes.size() + 1, true) == whole);
  return 0;
}
