#include "core/net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "core/net/gzip.h"
#include "core/net/request_head.h"

namespace millrace {
namespace {

struct Answered {
  int status = 0;
  std::string headers;
  std::string body;
  std::string header(std::string_view name) const {
    return std::string(find_header(headers, name));
  }
};

/// A client that sends any bytes and reads answers by Content-Length.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void half_close() { ::shutdown(socket_, SHUT_WR); }
  /// Status 0: the server closed the connection, or nothing came in time.
  Answered read(bool head_only = false) {
    size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    Answered answer;
    const size_t line = received_.find("\r\n");
    answer.status = std::stoi(received_.substr(9, 3));
    answer.headers = line < end ? received_.substr(line + 2, end - line) : "";
    received_.erase(0, end + 4);
    const std::string length = answer.header("Content-Length");
    const size_t size = head_only || length.empty() ? 0 : std::stoul(length);
    while (received_.size() < size) {
      if (!more()) return {};
    }
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }
  bool closed() { return received_.empty() && !more(); }

 private:
  bool more() {
    char bytes[65536];
    const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    received_.append(bytes, static_cast<size_t>(size));
    return true;
  }

  int socket_;
  std::string received_;
};

std::string post(std::string_view body, std::string_view headers = "") {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

void answer_with(HttpReply& reply, std::string_view body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  reply.send(response);
}

class HttpServerTest : public testing::Test {
 protected:
  void serve(HttpServer::Handler handler, size_t threads = 1) {
    options_.port = 0;
    threads_ = std::make_unique<IoThreads>(threads);
    server_ = std::make_unique<HttpServer>(*threads_, options_, std::move(handler));
    ASSERT_TRUE(server_->start());
    threads_->start();
  }
  void serve_echo(size_t threads = 1) {
    serve(
        [](const HttpRequest& request, HttpReply reply) {
          answer_with(reply, std::string(request.method) + " " + std::string(request.body));
        },
        threads);
  }
  void TearDown() override { stop(); }
  /// At the end of each test whose locals the handler uses.
  void stop() {
    server_.reset();
    threads_.reset();
  }
  uint16_t port() const { return server_->port(); }

  HttpServerOptions options_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWithDynamoDbsHeaders) {
  serve_echo();
  Client client(port());
  client.send(post("hello"));
  const Answered first = client.read();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "POST hello");
  EXPECT_EQ(first.header("x-amzn-RequestId").size(), 52u);
  EXPECT_EQ(first.header("X-Amz-Crc32"), std::to_string(crc32("POST hello")));
  EXPECT_EQ(first.header("Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(first.header("Date").size(), 29u);
  client.send(post("again"));
  const Answered second = client.read();
  EXPECT_EQ(second.body, "POST again");
  EXPECT_NE(second.header("x-amzn-RequestId"), first.header("x-amzn-RequestId"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  serve_echo();
  Client client(port());
  std::string all;
  for (int i = 0; i < 5000; ++i) all += post(std::to_string(i));
  std::thread sender([&] { client.send(all); });
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(client.read().body, "POST " + std::to_string(i));
  sender.join();
}

TEST_F(HttpServerTest, RequestsMayComeByteByByte) {
  serve_echo();
  Client client(port());
  for (char c : post("slow") + post("slower")) client.send({&c, 1});
  EXPECT_EQ(client.read().body, "POST slow");
  EXPECT_EQ(client.read().body, "POST slower");
}

TEST_F(HttpServerTest, TakesChunkedBodies) {
  serve_echo();
  Client client(port());
  client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
      post("next"));
  EXPECT_EQ(client.read().body, "POST abcde");
  EXPECT_EQ(client.read().body, "POST next");
}

TEST_F(HttpServerTest, TakesAndGivesGzip) {
  serve_echo();
  Client client(port());
  const std::string plain(5000, 'z');
  std::string packed;
  gzip(plain, packed);
  client.send(post(packed, "Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.header("Content-Encoding"), "gzip");
  EXPECT_EQ(answer.header("X-Amz-Crc32"), std::to_string(crc32(answer.body)));
  std::string back;
  ASSERT_EQ(gunzip(answer.body, 10000, back), GunzipOutcome::kDone);
  EXPECT_EQ(back, "POST " + plain);
  client.send(post("short", "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read().body, "POST short");
}

TEST_F(HttpServerTest, RefusesGzipBombsAndDamageButStaysUsable) {
  options_.body_bytes_max = 100000;
  serve_echo();
  Client client(port());
  std::string bomb;
  gzip(std::string(1 << 20, '\0'), bomb);
  client.send(post(bomb, "Content-Encoding: gzip\r\n"));
  const Answered refused = client.read();
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.body.find("RequestEntityTooLargeException"), std::string::npos);
  client.send(post("no gzip at all, but long enough", "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read().status, 400);
  client.send(post("fine"));
  EXPECT_EQ(client.read().body, "POST fine");
}

TEST_F(HttpServerTest, TellsAClientThatAsksToGoOn) {
  serve_echo();
  Client client(port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  client.send("abc");
  EXPECT_EQ(client.read().body, "POST abc");
}

TEST_F(HttpServerTest, RefusesABodyThatIsTooLargeWhileItIsBeingSent) {
  options_.body_bytes_max = 1000;
  serve_echo();
  const std::string large(4 << 20, 'x');
  Client client(port());
  std::thread sender([&] { client.send(post(large)); });
  const Answered refused = client.read();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("Connection"), "close");
  sender.join();
  Client chunked(port());
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n");
  EXPECT_EQ(chunked.read().status, 413);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttpAndCloses) {
  serve_echo();
  for (std::string_view bad :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Client client(port());
    client.send(bad);
    client.send(post("smuggled"));
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(answer.header("x-amzn-RequestId").size(), 52u);
    client.half_close();
    EXPECT_TRUE(client.closed()) << bad;
  }
  Client client(port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100000, 'a'));
  EXPECT_EQ(client.read().status, 431);
}

TEST_F(HttpServerTest, HeadHasLengthButNoBody) {
  serve_echo();
  Client client(port());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + post("next"));
  const Answered head = client.read(true);
  EXPECT_EQ(head.header("Content-Length"), "5");
  EXPECT_EQ(client.read().body, "POST next");
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  serve_echo();
  Client client(port());
  client.send(post("bye", "Connection: close\r\n"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.closed());
  Client old(port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read().body, "GET ");
  EXPECT_TRUE(old.closed());
}

TEST_F(HttpServerTest, AHalfClosedClientStillGetsItsAnswer) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  Client client(port());
  client.send(post("x"));
  client.half_close();
  HttpReply reply = given.get_future().get();
  answer_with(reply, "late");
  EXPECT_EQ(client.read().body, "late");
  EXPECT_TRUE(client.closed());
  stop();
}

TEST_F(HttpServerTest, ADroppedReplyIsAnInternalError) {
  serve([](const HttpRequest&, HttpReply) {});
  Client client(port());
  client.send(post("x"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("InternalServerError"), std::string::npos);
}

TEST_F(HttpServerTest, ARepliesLifeMayBeLongerThanItsConnections) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  auto client = std::make_unique<Client>(port());
  client->send(post("x"));
  HttpReply reply = given.get_future().get();
  EXPECT_EQ(reply.request_id().size(), 52u);
  client.reset();
  server_.reset();
  answer_with(reply, "to nobody");
  stop();
}

TEST_F(HttpServerTest, ALargeAnswerWaitsForASlowReader) {
  const std::string large(20 << 20, 'L');
  serve([&](const HttpRequest&, HttpReply reply) { answer_with(reply, large); });
  Client client(port());
  client.send(post("x") + post("y"));
  EXPECT_EQ(client.read().body.size(), large.size());
  EXPECT_EQ(client.read().body.size(), large.size());
  stop();
}

TEST_F(HttpServerTest, PostedWorkRunsBehindAllThatIsReady) {
  // Requests that have arrived together are all there when work posted by the first of them runs.
  std::vector<HttpReply> waiting;
  std::promise<void> blocked, go;
  serve([&](const HttpRequest& request, HttpReply reply) {
    if (request.body == "block") {
      answer_with(reply, "blocking");
      threads_->post_here([&] {
        blocked.set_value();
        go.get_future().wait();
      });
      return;
    }
    waiting.push_back(std::move(reply));
    if (waiting.size() > 1) return;
    threads_->post_here([&] {
      const std::string count = std::to_string(waiting.size());
      for (HttpReply& one : waiting) answer_with(one, count);
      waiting.clear();
    });
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<Client>(port()));
  clients[0]->send(post("block"));
  EXPECT_EQ(clients[0]->read().body, "blocking");
  blocked.get_future().wait();
  for (auto& client : clients) client->send(post("x"));
  go.set_value();
  for (auto& client : clients) EXPECT_EQ(client->read().body, "8");
  stop();
}

TEST_F(HttpServerTest, BoundsItsConnections) {
  options_.connections_max = 2;
  serve_echo();
  Client one(port()), two(port());
  one.send(post("1"));
  EXPECT_EQ(one.read().body, "POST 1");
  two.send(post("2"));
  EXPECT_EQ(two.read().body, "POST 2");
  Client three(port());
  EXPECT_TRUE(three.closed());
}

TEST_F(HttpServerTest, BoundsWhatIsBeingReceivedByAll) {
  options_.receiving_bytes_max = 250000;
  serve_echo();
  const std::string large(200000, 'x');
  const std::string request = post(large);
  Client one(port()), two(port());
  one.send(std::string_view(request).substr(0, 150000));
  // Until the server has read the first one's head, another may still be taken: that one leaves.
  Answered refused;
  for (int i = 0; i < 1000 && refused.status != 503; ++i) {
    Client other(port());
    other.send(std::string_view(request).substr(0, 100));
    other.half_close();
    refused = other.read();
  }
  EXPECT_EQ(refused.status, 503);
  one.send(std::string_view(request).substr(150000));
  EXPECT_EQ(one.read().body.size(), large.size() + 5);
  two.send(request);
  EXPECT_EQ(two.read().status, 200);
}

TEST_F(HttpServerTest, TimesOutARequestBegunAndAnIdleConnection) {
  options_.header_timeout_seconds = 1;
  options_.idle_timeout_seconds = 1;
  serve_echo();
  Client begun(port()), idle(port());
  begun.send("POST / HT");
  EXPECT_TRUE(begun.closed());
  EXPECT_TRUE(idle.closed());
}

TEST_F(HttpServerTest, DrainsRequestsUnderWay) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); }, 2);
  Client idle(port()), busy(port());
  busy.send(post("x"));
  HttpReply reply = given.get_future().get();
  std::promise<void> done;
  server_->drain(20000, [&] { done.set_value(); });
  EXPECT_TRUE(idle.closed());
  std::future<void> finished = done.get_future();
  EXPECT_EQ(finished.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  answer_with(reply, "last");
  const Answered answer = busy.read();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.header("Connection"), "close");
  finished.wait();
  stop();
}

TEST_F(HttpServerTest, DrainingEndsAtItsTimeout) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  Client busy(port());
  busy.send(post("x"));
  HttpReply reply = given.get_future().get();
  std::promise<void> done;
  server_->drain(10, [&] { done.set_value(); });
  done.get_future().wait();
  stop();
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  serve_echo();
  IoThreads threads(1);
  HttpServerOptions options;
  options.port = port();
  HttpServer second(threads, options, [](const HttpRequest&, HttpReply) {});
  const Status status = second.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find(std::to_string(port())), std::string::npos);
}

/// Answers on another thread, in any order across connections.
class Answerer {
 public:
  explicit Answerer(uint64_t seed) : random_(seed), thread_([this] { run(); }) {}
  ~Answerer() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void take(HttpReply reply, std::string body) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(reply), std::move(body));
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_ || !waiting_.empty()) {
      wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      std::vector<std::pair<HttpReply, std::string>> batch;
      batch.swap(waiting_);
      lock.unlock();
      std::shuffle(batch.begin(), batch.end(), random_);
      for (auto& [reply, body] : batch) answer_with(reply, body);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::pair<HttpReply, std::string>> waiting_;
  bool stop_ = false;
  std::mt19937_64 random_;
  std::thread thread_;
};

TEST_F(HttpServerTest, RandomTrafficIsAnsweredInOrderFromAnyThread) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  {
    Answerer answerer(seed);
    std::atomic<uint64_t> turn{0};
    serve(
        [&](const HttpRequest& request, HttpReply reply) {
          if (turn++ % 3 == 0) return answer_with(reply, request.body);
          answerer.take(std::move(reply), std::string(request.body));
        },
        2);
    std::vector<std::thread> clients;
    for (uint64_t c = 0; c < 6; ++c) {
      clients.emplace_back([&, c] {
        std::mt19937_64 random(seed + c);
        Client client(port());
        for (int round = 0; round < 100; ++round) {
          std::vector<std::string> bodies;
          std::string bytes;
          for (uint64_t n = 1 + random() % 6; n > 0; --n) {
            const uint64_t size = random() % 20 == 0 ? random() % 300000 : random() % 2000;
            bodies.emplace_back(size, static_cast<char>('a' + random() % 26));
            bytes += post(bodies.back());
          }
          const size_t cut = random() % bytes.size();
          std::thread sender([&] {
            client.send(std::string_view(bytes).substr(0, cut));
            client.send(std::string_view(bytes).substr(cut));
          });
          for (const std::string& body : bodies) ASSERT_EQ(client.read().body, body);
          sender.join();
        }
      });
    }
    for (std::thread& client : clients) client.join();
    server_.reset();
  }
}

}  // namespace
}  // namespace millrace
