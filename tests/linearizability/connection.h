#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::linearizability {

/// One connection to the data port of a node on this machine, with one request at a time.
class Connection {
 public:
  explicit Connection(int port) : port_(port) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  struct Answer {
    int status = 0;
    std::string body;
  };

  /// Connects if need be. False: nothing was sent, or not all.
  bool send(std::string_view operation, std::string_view body);
  /// The answer to what was sent; none if the connection ended or nothing came for 30 seconds,
  /// which timed_out() tells apart.
  std::optional<Answer> receive();
  bool timed_out() const { return timed_out_; }
  void close();

 private:
  bool connect();

  const int port_;
  int socket_ = -1;
  bool timed_out_ = false;
  std::string received_;
};

}  // namespace millrace::linearizability
