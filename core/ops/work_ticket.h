#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "core/base/result.h"

namespace millrace {

/// Held by the commands that one step of the long work has submitted; `ended` is called when the
/// last of them is gone. Thread-safe.
class WorkTicket {
 public:
  explicit WorkTicket(std::function<void(Status)> ended) : ended_(std::move(ended)) {}
  WorkTicket(const WorkTicket&) = delete;
  WorkTicket& operator=(const WorkTicket&) = delete;
  ~WorkTicket() { ended_(std::move(failure_)); }

  /// The first failure is the one that is told.
  void fail(const Error& error) {
    std::lock_guard lock(mutex_);
    if (failure_) failure_ = error;
  }

 private:
  const std::function<void(Status)> ended_;
  std::mutex mutex_;
  Status failure_;
};

/// How much one command of the long work may look at: what a client's write that comes right behind
/// it waits for.
struct WorkBounds {
  size_t items = 32;
  size_t bytes = 64 << 10;  // of the items; one may be more
};

}  // namespace millrace
