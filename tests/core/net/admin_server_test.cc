#include "core/net/admin_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "core/net/admin_client.h"
#include "core/net/percent_coding.h"

namespace millrace {
namespace {

class AdminServerTest : public testing::Test {
 protected:
  void start() {
    options_.port = 0;
    server_ = std::make_unique<AdminServer>(options_);
    add_routes(*server_);
    ASSERT_TRUE(server_->start());
    client_options_.port = server_->port();
  }
  virtual void add_routes(AdminServer& server) {
    server.add("GET", "/livez", [](const AdminRequest&) {
      return AdminResponse{200, "text/plain", "alive\n"};
    });
    server.add("GET", "/echo", [](const AdminRequest& request) {
      return AdminResponse{200, "text/plain", request.query.at("a") + "|" + request.query.at("b")};
    });
    server.add_async("GET", "/stream", [this](const AdminRequest&, AdminReply reply) {
      reply.open();
      stream_.set_value(std::move(reply));
    });
    server.add_async("GET", "/later", [this](const AdminRequest&, AdminReply reply) {
      stream_.set_value(std::move(reply));
    });
    server.add_async("GET", "/dropped", [](const AdminRequest&, AdminReply) {});
  }
  AdminClient client() { return AdminClient(client_options_); }

  AdminServerOptions options_;
  AdminClientOptions client_options_;
  std::unique_ptr<AdminServer> server_;
  std::promise<AdminReply> stream_;
};

TEST_F(AdminServerTest, AnswersItsRoutes) {
  start();
  EXPECT_EQ(client().get("/livez").value(), "alive\n");
  const std::string odd = "x&y=z %+é";
  EXPECT_EQ(client().get("/echo?a=" + percent_encode(odd) + "&b=1+2").value(), odd + "|1 2");
  const auto missing = client().get("/nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kResourceNotFound);
  const auto dropped = client().get("/dropped");
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().code, ErrorCode::kUnavailable);
}

TEST_F(AdminServerTest, AnswersLaterFromAnotherThread) {
  start();
  std::thread later([this] {
    AdminReply reply = stream_.get_future().get();
    reply.send({202, "text/plain", "late"});
  });
  const auto answer = client().get("/later");
  later.join();
  ASSERT_FALSE(answer);  // 202 is not what get() asks for
  EXPECT_NE(answer.error().message.find("202: late"), std::string::npos);
}

TEST_F(AdminServerTest, StreamsLinesAsTheyCome) {
  start();
  std::promise<void> saw_first;
  std::thread writer([&] {
    AdminReply reply = stream_.get_future().get();
    EXPECT_TRUE(reply.write("one\ntw"));
    saw_first.get_future().wait();
    EXPECT_TRUE(reply.write("o\nthree\n"));
    reply.finish();
  });
  std::vector<std::string> lines;
  const Status status = client().stream("/stream", [&](std::string_view line) {
    lines.emplace_back(line);
    if (lines.size() == 1) saw_first.set_value();
    return true;
  });
  writer.join();
  EXPECT_TRUE(status);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST_F(AdminServerTest, AStreamThatIsDroppedIsNotTakenForItsEnd) {
  start();
  std::thread writer([&] {
    AdminReply reply = stream_.get_future().get();
    reply.write("one\n");
  });
  const Status status = client().stream("/stream", [](std::string_view) { return true; });
  writer.join();
  EXPECT_FALSE(status);
}

TEST_F(AdminServerTest, AWriterIsToldThatItsClientHasLeft) {
  start();
  std::promise<void> gone;
  std::thread reader([&] {
    const Status status = client().stream("/stream", [](std::string_view) { return false; });
    EXPECT_TRUE(status);
  });
  AdminReply reply = stream_.get_future().get();
  reply.when_gone([&] { gone.set_value(); });
  EXPECT_TRUE(reply.write("line\n"));
  reader.join();
  gone.get_future().wait();
  EXPECT_TRUE(reply.gone());
  EXPECT_FALSE(reply.write("more\n"));
}

TEST_F(AdminServerTest, ASlowReaderFillsItsStreamAndNoMore) {
  options_.stream_bytes_max = 100000;
  start();
  std::promise<void> read_on;
  std::atomic<size_t> bytes{0};
  std::thread reader([&] {
    bool first = true;
    const Status status = client().stream("/stream", [&](std::string_view line) {
      if (std::exchange(first, false)) read_on.get_future().wait();
      bytes += line.size() + 1;
      return true;
    });
    EXPECT_TRUE(status);
  });
  AdminReply reply = stream_.get_future().get();
  std::string line(10000, 'x');
  line.back() = '\n';
  size_t written = 0;
  while (!reply.full()) {
    ASSERT_TRUE(reply.write(line));
    written += line.size();
  }
  read_on.set_value();
  for (int round = 0; round < 20; ++round) {
    std::promise<void> room;
    reply.when_writable([&] { room.set_value(); });
    room.get_future().wait();
    EXPECT_FALSE(reply.full());
    ASSERT_TRUE(reply.write(line));
    written += line.size();
  }
  reply.finish();
  reader.join();
  EXPECT_EQ(bytes.load(), written);
}

TEST_F(AdminServerTest, StopsWithStreamsOpenAndRepliesHeld) {
  start();
  std::thread reader([&] {
    const Status status = client().stream("/stream", [](std::string_view) { return true; });
    EXPECT_FALSE(status);
  });
  AdminReply reply = stream_.get_future().get();
  server_->stop();
  reader.join();
  EXPECT_TRUE(reply.gone());
  server_.reset();
  EXPECT_FALSE(reply.write("nobody"));
}

TEST_F(AdminServerTest, ErrorsSayWhatToDo) {
  start();
  AdminServer second([&] {
    AdminServerOptions options;
    options.port = server_->port();
    return options;
  }());
  const Status taken = second.start();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kIo);
  server_->stop();
  const auto refused = client().get("/livez");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("Is it running"), std::string::npos);
}

/// A server that answers so many requests on a connection, one connection after the other.
class CountingServer {
 public:
  explicit CountingServer(std::vector<int> requests) : requests_(std::move(requests)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CountingServer() {
    thread_.join();
    ::close(listener_);
  }
  uint16_t port() const { return port_; }

 private:
  void serve() {
    for (size_t connection = 0; connection < requests_.size(); ++connection) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      for (int i = 0; i < requests_[connection]; ++i) {
        std::string request;
        char byte;
        while (!request.ends_with("\r\n\r\n") && ::read(socket, &byte, 1) == 1) request += byte;
        const std::string body = std::to_string(connection) + "." + std::to_string(i);
        const std::string answer =
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        EXPECT_EQ(::write(socket, answer.data(), answer.size()), ssize_t(answer.size()));
      }
      // As from a server that ends an idle connection just as the next request is on its way.
      if (requests_[connection] > 1) {
        char byte;
        EXPECT_EQ(::read(socket, &byte, 1), 1);
      }
      ::close(socket);
    }
  }

  const std::vector<int> requests_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST(AdminClient, KeepsItsConnectionAndOpensAnotherWhereItWasClosed) {
  CountingServer server({2, 1, 1});
  AdminClientOptions options;
  options.port = server.port();
  AdminClient client(options);
  EXPECT_EQ(client.get("/").value(), "0.0");
  EXPECT_EQ(client.get("/").value(), "0.1");
  EXPECT_EQ(client.get("/").value(), "1.0") << "closed with the request unread";
  EXPECT_EQ(client.get("/").value(), "2.0") << "closed while idle, or just then";
}

TEST_F(AdminServerTest, AClientKeepsOneConnectionHoweverManyThreadsUseIt) {
  options_.connections_max = 1000;  // those that were closed may be counted for a while
  start();
  AdminClient client(client_options_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) EXPECT_EQ(client.get("/livez").value(), "alive\n");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(client.get("/nothing")) << "a refusal";
  EXPECT_EQ(client.get("/livez").value(), "alive\n");
}

TEST(PercentCoding, RoundTripsAllBytes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all), true), all);
  EXPECT_EQ(percent_decode("%4", false), "%4");
  EXPECT_EQ(percent_decode("%zz+", false), "%zz+");
}

}  // namespace
}  // namespace millrace
