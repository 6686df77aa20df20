#include "connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace millrace::linearizability {

namespace {
constexpr int kTimeoutSeconds = 30;
constexpr std::string_view kLength = "\r\nContent-Length: ";
}  // namespace

bool Connection::connect() {
  if (socket_ >= 0) return true;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout{kTimeoutSeconds, 0};
  const int on = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
  close();
  return false;
}

bool Connection::send(std::string_view operation, std::string_view body) {
  if (!connect()) return false;
  std::string request =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\n"
      "X-Amz-Target: DynamoDB_20120810.";
  request.append(operation).append(kLength).append(std::to_string(body.size()));
  request.append("\r\n\r\n").append(body);
  std::string_view left = request;
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      close();
      return false;
    }
    left.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::optional<Connection::Answer> Connection::receive() {
  received_.clear();
  size_t head = std::string::npos, length = 0;
  while (head == std::string::npos || received_.size() < head + length) {
    char piece[16384];
    const ssize_t got = ::recv(socket_, piece, sizeof piece, 0);
    if (got <= 0) {
      timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      close();
      return std::nullopt;
    }
    received_.append(piece, static_cast<size_t>(got));
    if (head != std::string::npos) continue;
    head = received_.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const size_t field = received_.find(kLength);
    if (field < head) length = std::strtoul(&received_[field + kLength.size()], nullptr, 10);
    head += 4;
  }
  // "HTTP/1.1 200 OK"
  return Answer{std::atoi(&received_[9]), received_.substr(head, length)};
}

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace millrace::linearizability
