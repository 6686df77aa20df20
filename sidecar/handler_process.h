#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace millrace::sidecar {

/// What a handler says of one event.
struct Verdict {
  enum class Kind : uint8_t {
    kOk,      // done with
    kRetry,   // give it again later
    kFailed,  // never to be given again
    kBroken,  // no verdict: the handler has ended, hangs, or says something else; it is gone
  };
  Kind kind = Kind::kBroken;
  std::string reason;  // of kFailed, the handler's; of kBroken, what it did
};

/// `ok`, `retry`, `fail` or `fail REASON`; kBroken for any other line.
Verdict parse_verdict(std::string_view line);

/// A handler of `millrace subscribe`: a program that reads events from its standard input, one a
/// line, and writes one line for each, its verdict, to its standard output. Its standard error and
/// environment are this process's, which ignores SIGPIPE. Not thread-safe.
class HandlerProcess {
 public:
  /// `command` is a program, found along PATH, and its arguments.
  HandlerProcess(std::vector<std::string> command, const Clock& clock)
      : command_(std::move(command)), clock_(clock) {}
  /// Kills it if it runs.
  ~HandlerProcess();
  HandlerProcess(const HandlerProcess&) = delete;
  HandlerProcess& operator=(const HandlerProcess&) = delete;

  bool running() const { return pid_ > 0; }
  /// kConfig, with the cause, if there is no such program. It has a process group of its own, so
  /// that an interrupt from the terminal does not end it within an event.
  Status start();
  /// Gives it one event, a line with its end, and waits for the verdict, for `timeout_ms` together.
  Verdict handle(std::string_view line, int64_t timeout_ms);
  /// Closes its input and waits for its end, for `grace_ms`; then kills it.
  void stop(int64_t grace_ms);

 private:
  Verdict broken(std::string reason);
  bool write(std::string_view bytes, int64_t deadline_ns, std::string& trouble);
  bool read_line(std::string& line, int64_t deadline_ns, std::string& trouble);
  bool wait_for(int fd, short events, int64_t deadline_ns) const;
  void kill_it();
  void close_pipes();

  const std::vector<std::string> command_;
  const Clock& clock_;
  pid_t pid_ = -1;
  int input_ = -1;   // its standard input
  int output_ = -1;  // its standard output
  std::string read_;
};

}  // namespace millrace::sidecar
