#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/item_cache.h"
#include "cache/query_cache.h"
#include "cache/warm_restart.h"
#include "core/base/clock.h"
#include "core/base/random.h"
#include "core/ops/catalog.h"
#include "core/ops/long_work.h"
#include "core/ops/operation.h"
#include "core/store/engine.h"
#include "core/store/log_rewrite.h"
#include "streams/lineage_control.h"
#include "streams/log_needs.h"
#include "streams/shard_index.h"
#include "streams/streams.h"
#include "tests/sim/history.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_flusher.h"
#include "tests/sim/slow_fills.h"

namespace millrace::sim {

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ns_ / 1'000'000; }
  int64_t monotonic_ns() const override { return now_ns_; }
  void advance_ms(int64_t ms) { now_ns_ += ms * 1'000'000; }

 private:
  int64_t now_ns_ = 1'790'000'000'000'000'000;
};

struct NodeOptions {
  EngineOptions engine;
  size_t cache_bytes = 0;  // of the item cache and the query cache each; 0: off
  uint32_t stale_if_error_s = 0;
  bool item_cache_observes = true;
  bool query_cache_observes = true;
};

/// Everything of a node that is below sockets and threads, on one thread. Destroying it is what a
/// crash does to memory.
class SimNode {
 public:
  /// Every answer is added to `answers`.
  static Result<std::unique_ptr<SimNode>> boot(const NodeOptions& options, SimDisk& disk,
                                               ManualClock& clock, Random& random,
                                               History& answers);

  struct Answer {
    int status = 0;
    std::string headers;
    std::string body;
  };
  /// Runs an operation such as "PutItem"; a write's answer comes from a later step().
  void request(const std::string& operation, const std::string& body,
               std::function<void(const Answer&)> answered);
  /// Runs an operation and steps until it is answered; none when the engine has stopped.
  std::optional<Answer> call(const std::string& operation, const std::string& body);

  /// Commits one batch, or begins to, or ends what was begun; LevelDB's background work is done when
  /// it returns. The cache's warm restart makes a step too, and forgoes what the disk refuses.
  void step();
  /// Commits all that waits and may be committed.
  void commit_all();
  Status maintain();

  Engine& engine() { return *engine_; }
  Node& node() { return *node_; }
  Catalog& catalog() { return catalog_; }
  streams::ShardIndex& index() { return *index_; }
  streams::Streams& streams() { return *streams_; }
  LogRewriter& rewriter() { return *rewriter_; }
  streams::LineageControl& lineage() { return *lineage_; }
  LongWork& long_work() { return *long_work_; }
  /// Items that the warm restart has brought back.
  uint64_t warmed() const { return warm_restart_ ? warm_restart_->progress().filled : 0; }
  SlowFills* slow_fills() { return slow_fills_.get(); }
  void drain() { env_.drain(); }

 private:
  SimNode(SimDisk& disk, ManualClock& clock, Random& random, History& answers)
      : env_(disk, clock),
        flusher_(random),
        clock_(clock),
        answers_(answers),
        catalog_("us-east-1", "000000000000") {}

  SimEnv env_;
  SimFlusher flusher_;
  ManualClock& clock_;
  History& answers_;
  Catalog catalog_;
  std::unique_ptr<cache::ItemCache> item_cache_;
  std::unique_ptr<cache::QueryCache> query_cache_;
  std::unique_ptr<SlowFills> slow_fills_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<cache::WarmRestart> warm_restart_;
  std::unique_ptr<LogRewriter> rewriter_;
  std::unique_ptr<streams::ShardIndex> index_;
  std::unique_ptr<streams::Streams> streams_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<streams::LineageControl> lineage_;
  std::unique_ptr<LongWork> long_work_;
  OperationTable operations_;
};

}  // namespace millrace::sim
