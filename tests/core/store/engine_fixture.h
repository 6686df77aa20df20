#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "core/base/clock.h"
#include "core/store/engine.h"

namespace millrace {

/// Stands still until it is moved.
class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ns_ / 1'000'000; }
  int64_t monotonic_ns() const override { return now_ns_; }
  void advance_s(int64_t seconds) { advance_ns(seconds * 1'000'000'000); }
  void advance_ns(int64_t ns) { now_ns_ += ns; }

 private:
  std::atomic<int64_t> now_ns_{1'790'000'000'000'000'000};
};

/// A command made of functions.
class Lambda final : public Command {
 public:
  Lambda(std::function<void(Commit&)> evaluate, std::function<void(const Status&)> done = {},
         size_t bytes = 100)
      : evaluate_(std::move(evaluate)), done_(std::move(done)), bytes_(bytes) {}
  size_t bytes() const override { return bytes_; }
  void evaluate(Commit& commit) override { evaluate_(commit); }
  void done(const Status& status) override {
    if (done_) done_(status);
  }

 private:
  std::function<void(Commit&)> evaluate_;
  std::function<void(const Status&)> done_;
  const size_t bytes_;
};

}  // namespace millrace
