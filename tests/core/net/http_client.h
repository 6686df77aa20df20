#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/http_server.h"
#include "core/net/request_head.h"

namespace millrace {

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

inline std::string post(std::string_view body, std::string_view headers = "") {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

inline void answer_with(HttpReply& reply, std::string_view body, int status = 200) {
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
  /// Eight that the server has answered "small".
  std::vector<std::unique_ptr<Client>> accepted_clients() {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<Client>(port()));
      clients.back()->send(post("small"));
      EXPECT_EQ(clients.back()->read().body, "small");
    }
    return clients;
  }

  HttpServerOptions options_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace millrace
