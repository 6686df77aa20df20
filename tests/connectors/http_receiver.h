#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/check.h"

namespace millrace::connectors {

/// A receiver on a loopback port that answers each request with the bytes that `reply` gives for it
/// and closes the connection when they end in kClose. One connection at a time.
class HttpReceiver {
 public:
  static constexpr char kClose = '\0';
  using Reply = std::function<std::string(size_t number, const std::string& request)>;

  explicit HttpReceiver(Reply reply) : reply_(std::move(reply)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(bind(listener_, generic, size) == 0 && listen(listener_, 8) == 0);
    CHECK(getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpReceiver() {
    ended_ = true;
    shutdown(listener_, SHUT_RDWR);
    {
      std::lock_guard lock(mutex_);
      if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
    }
    thread_.join();
    close(listener_);
  }

  uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  /// Head and body of each request, in order.
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

  /// An answer that keeps the connection.
  static std::string answer(int status, const std::string& body = {},
                            const std::string& headers = {}) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  void serve() {
    while (!ended_) {
      int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      ++connections_;
      {
        std::lock_guard lock(mutex_);
        connection_ = connection;
      }
      std::string request;
      while (!ended_ && receive(connection, request) && respond(connection, request)) {
      }
      std::lock_guard lock(mutex_);
      connection_ = -1;
      close(connection);
    }
  }

  static bool receive(int connection, std::string& request) {
    request.clear();
    size_t whole = std::string::npos;
    while (request.size() < whole) {
      char piece[4096];
      ssize_t size = recv(connection, piece, sizeof piece, 0);
      if (size <= 0) return false;
      request.append(piece, static_cast<size_t>(size));
      size_t head = request.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      size_t length = request.find("Content-Length: ");
      CHECK(length < head);
      whole = head + 4 + std::stoul(request.substr(length + 16));
    }
    return true;
  }

  bool respond(int connection, const std::string& request) {
    size_t number;
    {
      std::lock_guard lock(mutex_);
      number = requests_.size();
      requests_.push_back(request);
    }
    std::string bytes = reply_(number, request);
    bool closes = bytes.ends_with(kClose);
    if (closes) bytes.pop_back();
    size_t sent = 0;
    while (sent < bytes.size()) {
      ssize_t size = send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return false;
      sent += static_cast<size_t>(size);
    }
    return !closes;
  }

  const Reply reply_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  int connection_ = -1;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace millrace::connectors
