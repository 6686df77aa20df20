#include "server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "connection.h"

namespace millrace::linearizability {

namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kPoll{2};

/// A loopback port that nobody listens on, below those that the kernel gives to clients: one that
/// reconnects while its server is down could otherwise connect to itself.
int free_port() {
  std::random_device random;
  for (;;) {
    const int port = 10000 + static_cast<int>(random() % 22000);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool free = ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (free) return port;
  }
}

}  // namespace

Server::Server(std::string binary, std::string folder, std::string lossy_library)
    : binary_(std::move(binary)),
      folder_(std::move(folder)),
      lossy_library_(std::move(lossy_library)),
      port_(free_port()),
      admin_port_(free_port()) {}

Server::~Server() {
  if (child_ != 0) end(SIGKILL);
}

void Server::launch(const std::vector<std::string>& flags) {
  std::vector<std::string> words{binary_,
                                 "--data",
                                 folder_ + "/data",
                                 "--listen",
                                 "127.0.0.1:" + std::to_string(port_),
                                 "--admin",
                                 "127.0.0.1:" + std::to_string(admin_port_)};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = folder_ + "/log";
  child_ = ::fork();
  if (child_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, 1);
  ::dup2(out, 2);
  if (!lossy_library_.empty()) {
    ::setenv("LD_PRELOAD", lossy_library_.c_str(), 1);
    ::setenv("LOSSY_DIR", (folder_ + "/data").c_str(), 1);
  }
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

bool Server::wait_until_ready() {
  const auto deadline = steady_clock::now() + kPatience;
  while (steady_clock::now() < deadline) {
    Connection connection(port_);
    if (connection.send("ListTables", "{}")) {
      const auto answer = connection.receive();
      if (answer && answer->status == 200) return true;
    }
    int status = 0;
    if (ended(false, status)) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return false;
}

bool Server::ended(bool block, int& status) {
  if (child_ == 0) return true;
  if (::waitpid(child_, &status, block ? 0 : WNOHANG) != child_) return false;
  child_ = 0;
  return true;
}

bool Server::end(int signal) {
  if (child_ == 0) return false;
  ::kill(child_, signal);
  int status = 0;
  const auto deadline = steady_clock::now() + kPatience;
  while (!ended(signal == SIGKILL, status)) {
    if (steady_clock::now() > deadline) {
      ::kill(child_, SIGKILL);
      ended(true, status);
      return false;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return signal == SIGKILL || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace millrace::linearizability
