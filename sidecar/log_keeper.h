#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "core/base/clock_watch.h"
#include "core/store/engine.h"
#include "core/store/log_rewrite.h"
#include "streams/log_needs.h"
#include "streams/streams.h"

namespace millrace::sidecar {

/// Remembers the last durable entry, for lag. Reading it is thread-safe.
class NewestEntry final : public CommitObserver {
 public:
  /// As recovery found it, before the first commit.
  void begin(Lsn lsn, int64_t time_ms) {
    lsn_ = lsn;
    time_ms_ = time_ms;
  }
  void on_commit(const FramePtr& frame) override {
    time_ms_.store(frame->last_time_ms(), std::memory_order_relaxed);
    lsn_.store(frame->last_lsn(), std::memory_order_relaxed);
  }
  Lsn lsn() const { return lsn_.load(std::memory_order_relaxed); }
  int64_t time_ms() const { return time_ms_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Lsn> lsn_{0};
  std::atomic<int64_t> time_ms_{0};
};

/// Gives back the part of the log that nobody may still ask for (invariant 6): below the last
/// checkpoint, the streams' 24 hours, and what living connectors need within them; and rewrites
/// segments within them most of which nobody needs. Used by one thread.
class LogKeeper {
 public:
  /// What the log's readers are, beside the followers of its tip.
  struct Readers {
    const Catalog& catalog;
    const streams::Streams& streams;
    const streams::ShardIndex& index;
    std::function<std::vector<streams::ReaderNeeds>()> needs;
  };
  LogKeeper(Engine& engine, const Clock& clock, Readers readers);

  /// Trims if a checkpoint was taken since the last time, or a minute has passed. While the wall
  /// clock is more than ten minutes away from where the monotonic one says it should be, nothing is
  /// trimmed.
  Status trim_if_due();

  /// One bounded unit of rewriting; true if there is more. After an error it rests for a minute.
  Result<bool> rewrite();

  /// Whether trimming pauses because of the clock.
  bool clock_is_off() const { return clock_is_off_; }

 private:
  LogNeeds log_needs() const;

  Engine& engine_;
  const Clock& clock_;
  const Readers readers_;
  const ClockWatch clock_watch_;
  Lsn trimmed_at_checkpoint_ = 0;
  int64_t trimmed_ns_ = 0;
  LogRewriter rewriter_;
  std::optional<int64_t> rewriting_failed_ns_;
  std::atomic<bool> clock_is_off_{false};
};

}  // namespace millrace::sidecar
