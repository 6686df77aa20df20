#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/clock_watch.h"
#include "core/base/result.h"
#include "core/ops/backfill.h"
#include "core/ops/operation.h"
#include "core/ops/work_ticket.h"
#include "core/store/engine.h"

namespace millrace {

/// Work on a whole table in bounded commands below client traffic: backfill of indexes, deletion of
/// items that have expired. It owns no thread: whoever calls step() does a little of it. At most
/// one step's commands are with the engine at a time, so clients' commands are never behind more
/// than those, and while clients write they are smaller. Nothing is lost by a crash: what is to be
/// done is read from definitions, the TTL indexes and the noted progress.
class LongWork final : public CommitObserver {
 public:
  /// `node` outlives it; `wake` is called, from any thread, when step() has something to do again.
  /// Add it to the engine's observers after the catalogue.
  LongWork(Node& node, std::function<void()> wake);
  ~LongWork() override;

  /// Submits the next commands, if there are any and no others are on their way. To be called after
  /// a wake-up, and once a second; one thread at a time. The errors are the disk's, also those that
  /// the commands of earlier steps met.
  Status step();

  /// How long the next step() should wait, so that clients' writes go before it: while there are
  /// any, several times as long as the last step's commands took. The stepping thread's.
  int64_t rest_ns() const;

  /// Whether expiry pauses because the wall clock was moved. Any thread.
  bool clock_is_off() const { return clock_.is_off(); }

  /// What has been submitted so far. Any thread.
  struct Statistics {
    uint64_t backfill_steps, expiry_steps;
  };
  Statistics statistics() const {
    return {backfill_steps_.load(std::memory_order_relaxed),
            expiry_steps_.load(std::memory_order_relaxed)};
  }

  void on_commit(const FramePtr& frame) override;

 private:
  struct Shared;  // with the commands, which may outlive this

  using Commands = std::vector<std::unique_ptr<Command>>;

  std::shared_ptr<WorkTicket> new_ticket();
  bool clients_write() const;
  WorkBounds bounds();
  void refresh();
  Result<Commands> next_commands(const std::shared_ptr<WorkTicket>& ticket);
  Result<Commands> next_of_backfill(const std::shared_ptr<WorkTicket>& ticket, WorkBounds bounds);
  Result<Commands> next_of_expiry(const std::shared_ptr<WorkTicket>& ticket, WorkBounds bounds);
  void begin_expiry();

  Node& node_;
  const ClockWatch clock_;
  const std::shared_ptr<Shared> shared_;
  std::atomic<bool> definitions_changed_{true};
  std::atomic<uint64_t> backfill_steps_{0}, expiry_steps_{0};

  // The stepping thread's.
  std::vector<BackfillTarget> backfills_;
  size_t next_backfill_ = 0;
  struct Expiring {
    TablePtr table;
    std::string next;    // where its walk goes on
    bool walked = true;  // to the end, till all begin anew
  };
  std::vector<Expiring> expiring_;  // tables with TTL; they take turns
  size_t next_expiring_ = 0;
  int64_t expiry_second_ = 0;    // of the walks
  int64_t expiry_due_ns_ = 0;    // when they may begin anew
  bool backfill_first_ = false;  // they take turns
  uint64_t commands_seen_ = 0;   // of the engine's, own ones included
};

}  // namespace millrace
