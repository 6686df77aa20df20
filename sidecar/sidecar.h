#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cache/item_cache.h"
#include "cache/query_cache.h"
#include "core/base/advanced_clock.h"
#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/net/admin_server.h"
#include "core/net/http_server.h"
#include "core/net/io_threads.h"
#include "core/ops/catalog.h"
#include "core/ops/long_work.h"
#include "core/ops/operation.h"
#include "core/store/data_folder.h"
#include "core/store/disk_env.h"
#include "core/store/engine.h"
#include "sidecar/cache_policies.h"
#include "sidecar/cache_warmer.h"
#include "sidecar/change_streams.h"
#include "sidecar/commit_scheduler.h"
#include "sidecar/config.h"
#include "sidecar/connector_runner.h"
#include "sidecar/hit_verifier.h"
#include "sidecar/log_flusher.h"
#include "sidecar/log_keeper.h"
#include "sidecar/request_metrics.h"
#include "sidecar/step_thread.h"
#include "sidecar/stream_control.h"
#include "sidecar/subscription_server.h"
#include "streams/deleted_tables.h"
#include "streams/lineage_control.h"
#include "streams/shard_index.h"
#include "streams/shard_keeper.h"
#include "streams/streams.h"
#include "streams/subscriptions.h"

namespace millrace::sidecar {

/// A running node with everything around it: the store, its readers, the two ports, the threads.
/// This is the one place that knows how they are put together.
class Sidecar {
 public:
  /// Opens the data folder, recovers, and serves. `clock` and `disk` outlive it; `disk` is a
  /// MemoryDisk if the configuration says so. kConfig for settings that do not go together, other
  /// errors for what the machine refused; each says what to do.
  static Result<std::unique_ptr<Sidecar>> start(const Config& config, Clock& clock, Disk& disk);
  ~Sidecar();

  /// Lets requests under way and deliveries end, within bounds, takes a checkpoint, and stops
  /// everything. To be called once, before the destructor.
  Status stop();

  Address listen_address() const;
  Address admin_address() const;
  const DataFolder& folder() const { return folder_; }

 private:
  Sidecar(const Config& config, Clock& clock, Disk& disk, std::optional<FolderLock> lock,
          DataFolder folder);
  Status open_admin();
  void open_caches();
  Status open_store();
  Status open_readers();
  Status open_connectors();
  Status open_port();
  void start_threads();
  void stop_threads();
  /// Whether requests are answered well; says why if not. Any thread.
  Status readiness() const;
  EngineOptions engine_options() const;
  Caches caches() const { return {cache_.get(), query_cache_.get()}; }
  void tell_of_disk();
  void reset(AdminReply reply);
  enum class Phase : uint8_t { kStarting, kServing, kStopping };
  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  Status serving() const;
  /// What the administrative port answers before and after that.
  std::optional<AdminResponse> not_serving() const;
  void add_stream_control();
  AdminResponse advance_clock(const AdminRequest& request);
  void wake_readers();
  bool maintain();
  bool index_shards();
  bool work_long();
  void refused(const Error& error);

  const Config config_;
  AdvancedClock clock_;
  Disk& disk_;
  const std::optional<FolderLock> lock_;  // none: in memory
  DataFolder folder_;
  std::atomic<Phase> phase_{Phase::kStarting};
  std::atomic<bool> log_failed_{false};
  DiskBudget::Level disk_level_ = DiskBudget::Level::kRoomy;  // as last told; maintenance's

  std::unique_ptr<DiskEnv> memory_env_;  // LevelDB's disk, if in memory

  // In the order of who needs whom: each outlives those below it.
  Catalog catalog_;
  std::unique_ptr<cache::ItemCache> cache_;
  std::unique_ptr<cache::QueryCache> query_cache_;
  std::optional<CachePolicies> cache_policies_;
  NewestEntry newest_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<streams::ShardIndex> shard_index_;
  std::unique_ptr<streams::Streams> streams_;
  OperationTable operations_;
  std::unique_ptr<RequestMetrics> request_metrics_;
  std::unique_ptr<HitVerifier> hit_verifier_;  // none: hits are not checked
  IoThreads io_threads_;
  std::unique_ptr<CommitScheduler> scheduler_;
  std::unique_ptr<LogFlusher> log_flusher_;  // none: nothing waits for the disk
  std::unique_ptr<Node> node_;
  std::unique_ptr<LongWork> long_work_;
  std::vector<std::unique_ptr<ConnectorRunner>> connectors_;
  std::unique_ptr<streams::Subscriptions> subscriptions_;
  std::unique_ptr<LogKeeper> log_keeper_;
  std::unique_ptr<streams::DeletedTables> deleted_tables_;
  int64_t forget_next_ns_ = 0;  // maintenance's
  std::unique_ptr<streams::LineageControl> lineage_;
  std::unique_ptr<StreamControl> stream_control_;
  std::unique_ptr<streams::ShardKeeper> shard_keeper_;
  StepThread maintenance_;
  StepThread indexing_;
  StepThread long_working_;
  std::optional<CacheWarmer> cache_warmer_;  // none: off
  std::unique_ptr<ChangeStreams> change_streams_;
  std::unique_ptr<SubscriptionServer> subscription_server_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<AdminServer> admin_;
};

}  // namespace millrace::sidecar
