#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace millrace::linearizability {

/// The real binary over one data folder, started and ended at will. Its log is `folder`/log.
class Server {
 public:
  /// With `lossy_library`, the layer of tests/kill/lossy, a kill loses what was not flushed.
  Server(std::string binary, std::string folder, std::string lossy_library);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }

  /// Starts it, without waiting.
  void launch(const std::vector<std::string>& flags);
  /// Whether it answers within 30 seconds; false also if it ends.
  bool wait_until_ready();
  /// SIGKILL or SIGTERM; returns once it has ended: whether it did so within 30 seconds and, for
  /// SIGTERM, with status 0.
  bool end(int signal);

 private:
  bool ended(bool block, int& status);

  const std::string binary_, folder_, lossy_library_;
  int port_ = 0, admin_port_ = 0;
  pid_t child_ = 0;
};

}  // namespace millrace::linearizability
