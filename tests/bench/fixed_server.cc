// The HTTP server of the data port with a fixed answer of the size of a GetItem: what the front end
// costs by itself. `fixed_server PORT [THREADS] [inline|posted]`; posted answers come from behind
// the event queue, as a commit's do.

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "core/net/http_server.h"
#include "core/net/io_threads.h"

int main(int argc, char** argv) {
  using namespace millrace;
  HttpServerOptions options;
  options.port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  IoThreads threads(static_cast<size_t>(argc > 2 ? std::atoi(argv[2]) : 1));
  const bool posted = argc > 3 && std::string(argv[3]) == "posted";
  const std::string body(1300, 'x');
  // One thread only when posted.
  std::vector<HttpReply> waiting;
  const auto answer = [&body](HttpReply& reply) {
    HttpResponse response;
    response.body = body;
    response.crc32 = 0x1234;
    reply.send(response);
  };
  HttpServer server(threads, options, [&](const HttpRequest&, HttpReply reply) {
    if (!posted) return answer(reply);
    waiting.push_back(std::move(reply));
    if (waiting.size() > 1) return;
    threads.post_here([&] {
      for (HttpReply& one : waiting) answer(one);
      waiting.clear();
    });
  });
  if (Status status = server.start(); !status) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  threads.start();
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  std::promise<void>().get_future().wait();
}
