#include "sidecar/handler_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

extern char** environ;

namespace millrace::sidecar {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// A verdict with its reason; more is not one.
constexpr size_t kVerdictBytesMax = 64u << 10;

void close_file(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

std::string describe_end(int status) {
  if (WIFEXITED(status)) return "it exited with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status))
    return std::string("it was killed by signal ") + strsignal(WTERMSIG(status));
  return "it ended";
}

}  // namespace

Verdict parse_verdict(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line == "ok") return {Verdict::Kind::kOk, {}};
  if (line == "retry") return {Verdict::Kind::kRetry, {}};
  if (line == "fail") return {Verdict::Kind::kFailed, {}};
  if (line.starts_with("fail ")) return {Verdict::Kind::kFailed, std::string(line.substr(5))};
  return {Verdict::Kind::kBroken, "it said '" + std::string(line.substr(0, 100)) +
                                      "', which is none of ok, retry and fail REASON"};
}

HandlerProcess::~HandlerProcess() {
  if (running()) kill_it();
}

Status HandlerProcess::start() {
  int input[2] = {-1, -1}, output[2] = {-1, -1};
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    for (int* fd : {&input[0], &input[1]}) close_file(*fd);
    return make_error(ErrorCode::kIo, std::string("no pipe to the handler: ") + strerror(errno));
  }
  std::vector<char*> arguments;
  for (const std::string& word : command_) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close_file(input[0]);
  close_file(output[1]);
  if (error != 0) {
    close_file(input[1]);
    close_file(output[0]);
    return make_error(ErrorCode::kConfig,
                      "cannot run the handler '" + command_[0] + "': " + strerror(error));
  }
  pid_ = pid;
  input_ = input[1];
  output_ = output[0];
  fcntl(input_, F_SETFL, O_NONBLOCK);
  fcntl(output_, F_SETFL, O_NONBLOCK);
  read_.clear();
  return {};
}

bool HandlerProcess::wait_for(int fd, short events, int64_t deadline_ns) const {
  for (;;) {
    const int64_t left_ms = (deadline_ns - clock_.monotonic_ns()) / kNsPerMs;
    if (left_ms <= 0) return false;
    pollfd waited{fd, events, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
    if (ready > 0) return true;
  }
}

bool HandlerProcess::write(std::string_view bytes, int64_t deadline_ns, std::string& trouble) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(input_, bytes.data(), bytes.size());
    if (size > 0) {
      bytes.remove_prefix(static_cast<size_t>(size));
    } else if (errno == EAGAIN) {
      if (wait_for(input_, POLLOUT, deadline_ns)) continue;
      trouble = "it did not read the event in time";
      return false;
    } else if (errno != EINTR) {
      trouble = "";  // it has closed its input: how it ended says more
      return false;
    }
  }
  return true;
}

bool HandlerProcess::read_line(std::string& line, int64_t deadline_ns, std::string& trouble) {
  for (;;) {
    const size_t end = read_.find('\n');
    if (end != std::string::npos) {
      line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return true;
    }
    if (read_.size() > kVerdictBytesMax) {
      trouble = "its verdict is longer than 64 KB";
      return false;
    }
    char piece[4096];
    const ssize_t size = ::read(output_, piece, sizeof piece);
    if (size > 0) {
      read_.append(piece, static_cast<size_t>(size));
    } else if (size == 0) {
      trouble = "";
      return false;
    } else if (errno == EAGAIN) {
      if (wait_for(output_, POLLIN, deadline_ns)) continue;
      trouble = "it gave no verdict in time";
      return false;
    } else if (errno != EINTR) {
      trouble = strerror(errno);
      return false;
    }
  }
}

Verdict HandlerProcess::handle(std::string_view line, int64_t timeout_ms) {
  const int64_t deadline_ns = clock_.monotonic_ns() + timeout_ms * kNsPerMs;
  // What it said before it was asked is no answer.
  pollfd unasked{output_, POLLIN, 0};
  if (!read_.empty() || (::poll(&unasked, 1, 0) > 0 && (unasked.revents & POLLIN) != 0))
    return broken("it said more than one line for an event");
  std::string trouble, said;
  if (!write(line, deadline_ns, trouble) || !read_line(said, deadline_ns, trouble))
    return broken(std::move(trouble));
  Verdict verdict = parse_verdict(said);
  return verdict.kind == Verdict::Kind::kBroken ? broken(std::move(verdict.reason)) : verdict;
}

/// Ends it. An empty reason: it has closed a pipe, most probably by ending itself.
Verdict HandlerProcess::broken(std::string reason) {
  close_pipes();
  int status = 0;
  if (reason.empty()) {
    // It may be about to end.
    const int64_t deadline_ns = clock_.monotonic_ns() + 1000 * kNsPerMs;
    pid_t ended = 0;
    while ((ended = waitpid(pid_, &status, WNOHANG)) == 0 && clock_.monotonic_ns() < deadline_ns) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    reason = ended > 0 ? describe_end(status) : "it closed its input or output";
    if (ended > 0) pid_ = -1;
  }
  if (running()) kill_it();
  return {Verdict::Kind::kBroken, std::move(reason)};
}

void HandlerProcess::stop(int64_t grace_ms) {
  if (!running()) return;
  close_pipes();
  const int64_t deadline_ns = clock_.monotonic_ns() + grace_ms * kNsPerMs;
  int status = 0;
  while (clock_.monotonic_ns() < deadline_ns) {
    if (waitpid(pid_, &status, WNOHANG) != 0) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill_it();
}

void HandlerProcess::kill_it() {
  close_pipes();
  ::kill(-pid_, SIGKILL);  // with what it has started
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void HandlerProcess::close_pipes() {
  close_file(input_);
  close_file(output_);
}

}  // namespace millrace::sidecar
