#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "streams/change_handler.h"
#include "streams/consumer_group.h"

namespace millrace::streams {

struct HandlerRunnerOptions {
  std::string member = "handler";  // what people see
  int64_t session_timeout_ms = 10'000;
  size_t batch_records = 100;  // read at once
  size_t batch_bytes = 1 << 20;
  int64_t pause_ms_min = 100;  // after a retry; doubled with each further one of the same change
  int64_t pause_ms_max = 30'000;
};

/// A member of a subscription that gives its changes to a handler, shard by shard in their order,
/// and acknowledges what is done with: at the end of each shard's batch, and every second in
/// between, so that a handler may take long. Stepped: it owns no thread, and time is the clock that
/// was passed in. Not thread-safe.
class HandlerRunner {
 public:
  /// All outlive it but the group, which it shares.
  HandlerRunner(std::shared_ptr<ConsumerGroup> group, ChangeHandler& handler, const Clock& clock,
                HandlerRunnerOptions options = {});
  ~HandlerRunner();  // stop()
  HandlerRunner(const HandlerRunner&) = delete;
  HandlerRunner& operator=(const HandlerRunner&) = delete;

  /// Joins where it has no session, reads a batch and hands over what may be. True if there is more
  /// to do at once; otherwise step again when the log has grown, and at least three times within
  /// the session's timeout. Errors of joining and of reading; the next step tries again.
  Result<bool> step();
  /// Leaves: its shards go to others at once, with what was not acknowledged.
  void stop();

  struct Statistics {
    uint64_t done = 0;
    uint64_t retried = 0;
    uint64_t failed = 0;
  };
  const Statistics& statistics() const { return statistics_; }

 private:
  /// What was read of a shard under one lease and is not done with.
  struct Shard {
    Lease lease;
    std::deque<ChangeBatch> batches;
    size_t next = 0;  // of the first batch's changes
    int64_t pause_ms = 0;
    int64_t resumes_ns = 0;
  };
  Status join();
  bool has_room() const;
  Result<bool> read();
  void drop_lost();
  Status hand_over(Shard& shard);
  Status acknowledge(Shard& shard, Lsn done);
  ChangeHandler::Outcome handle(const Change& change);

  const std::shared_ptr<ConsumerGroup> group_;
  ChangeHandler& handler_;
  const Clock& clock_;
  const HandlerRunnerOptions options_;
  std::string session_;  // empty: none
  uint64_t received_ = 0;
  int64_t renewed_ns_ = 0;            // when the group last said what is held
  std::map<uint32_t, Shard> shards_;  // that have something
  Statistics statistics_;
};

}  // namespace millrace::streams
