#include "sidecar/sidecar.h"

#include <leveldb/env.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <utility>

#include "core/base/random.h"
#include "sidecar/event_log.h"
#include "streams/streams_operations.h"

namespace millrace::sidecar {
namespace {

// Bounds of the parts of a shutdown; a supervisor's usual patience is thirty seconds and more.
constexpr int kDrainRequestsMs = 5000;
constexpr int64_t kDrainConnectorsNs = int64_t{5} * 1000 * 1000 * 1000;

// Between two walks for deleted tables' leftovers.
constexpr int64_t kForgetNs = int64_t{1000} * 1000 * 1000;

// Clocks are set by less.
constexpr int64_t kAheadToldMs = 60'000;

// What trimming gives back at once of a log in memory.
constexpr uint64_t kMemorySegmentBytes = 4u << 20;

constexpr size_t kMemoryParts = 16;

/// The CPUs available to the process, at most four: beyond that one committer is the limit.
size_t default_threads() {
  cpu_set_t cpus;
  size_t count = 1;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) count = static_cast<size_t>(CPU_COUNT(&cpus));
  return std::clamp<size_t>(count, 1, 4);
}

/// So many that log, tables (LevelDB opens a thousand files) and connectors find descriptors: a log
/// that cannot open its next segment stops all writing.
size_t connections_max(size_t wanted) {
  constexpr rlim_t kOthers = 1500;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const rlim_t descriptors = limit.rlim_cur;
  return std::min<rlim_t>(wanted,
                          std::max(descriptors / 4, descriptors - std::min(descriptors, kOthers)));
}

/// An error that is no mistake in the configuration, whatever the part that found it calls it.
Error not_started(const Error& error) { return make_error(ErrorCode::kIo, error.message); }

/// What a data folder was given when it was created it keeps: `wanted` of the configuration, if it
/// is not empty, must be the same.
Status check_kept(const std::string& name, const std::string& wanted, const std::string& kept,
                  const std::string& path) {
  if (wanted.empty() || wanted == kept) return {};
  return make_error(ErrorCode::kConfig,
                    "the data folder " + path + " was created with the " + name + " " + kept +
                        " and keeps it, so it cannot have " + wanted + "; leave --" + name +
                        " (in a file: " + name + ") out, or name another folder");
}

Result<DataFolder> open_folder(const Config& config, Disk& disk) {
  DataFolderIdentity identity;
  if (!config.region.empty()) identity.region = config.region;
  if (!config.account.empty()) identity.account = config.account;
  ASSIGN_OR_RETURN(identity.iterator_key, new_iterator_key());
  Result<DataFolder> folder = DataFolder::open(config.data, disk, identity);
  if (!folder) return not_started(folder.error());
  RETURN_IF_ERROR(check_kept("region", config.region, folder->region(), folder->path()));
  RETURN_IF_ERROR(check_kept("account", config.account, folder->account(), folder->path()));
  return folder;
}

/// The times of changes never go back.
void log_if_ahead(int64_t newest_ms, int64_t now_ms) {
  if (newest_ms - now_ms < kAheadToldMs) return;
  log_event(Severity::kWarning, "clock",
            {{"message",
              "the newest change has a time that is yet to come; until then all changes get that "
              "time, and the log is kept for longer"},
             {"seconds", std::to_string((newest_ms - now_ms) / 1000)}});
}

/// Of a port that could not be had: names its setting, and what can be done about it.
Status listening(const std::string& flag, const Status& started) {
  if (started) return {};
  Error error = started.error();
  // Both ports tell the cause in the system's words.
  if (error.message.ends_with(std::strerror(EADDRINUSE))) {
    error.message += "; another process has this port: stop it, or name another port";
  } else if (error.message.ends_with(std::strerror(EACCES))) {
    error.message += "; this user may not have this port: name another, such as one from 1024 on";
  }
  error.message = flag + ": " + error.message;
  return error;
}

}  // namespace

Result<std::unique_ptr<Sidecar>> Sidecar::start(const Config& config, Clock& clock, Disk& disk) {
  std::optional<FolderLock> lock;
  if (!config.in_memory) {
    Result<FolderLock> acquired = FolderLock::acquire(config.data);
    if (!acquired) return not_started(acquired.error());
    lock = std::move(acquired).value();
  }
  ASSIGN_OR_RETURN(DataFolder folder, open_folder(config, disk));

  std::unique_ptr<Sidecar> sidecar(
      new Sidecar(config, clock, disk, std::move(lock), std::move(folder)));
  // The administrative port first: a long recovery is seen there as alive and not ready.
  RETURN_IF_ERROR(listening("--admin", sidecar->open_admin()));
  RETURN_IF_ERROR(sidecar->open_store());
  RETURN_IF_ERROR(sidecar->open_readers());
  RETURN_IF_ERROR(sidecar->open_connectors());
  sidecar->start_threads();
  RETURN_IF_ERROR(listening("--listen", sidecar->open_port()));
  sidecar->phase_.store(Phase::kServing, std::memory_order_release);
  return sidecar;
}

Sidecar::Sidecar(const Config& config, Clock& clock, Disk& disk, std::optional<FolderLock> lock,
                 DataFolder folder)
    : config_(config),
      clock_(clock),
      disk_(disk),
      lock_(std::move(lock)),
      folder_(std::move(folder)),
      catalog_(folder_.region(), folder_.account()),
      io_threads_(config.threads != 0 ? config.threads : default_threads()),
      maintenance_({.name = "maintenance", .idle_ms = 1000}, [this] { return maintain(); }),
      indexing_({.name = "shard-index", .idle_ms = 1000, .apart_us = 50'000},
                [this] { return index_shards(); }),
      long_working_({.name = "long-work", .idle_ms = 1000}, [this] { return work_long(); }) {}

/// The memory budget's sixteenths: nine for memory tables of three each (writers wait from five on
/// that LevelDB does not have; what it has of one that it is being given takes three at most), two
/// for waiting writes; the data port has two for requests and three for answers.
EngineOptions Sidecar::engine_options() const {
  EngineOptions options;
  options.folder = folder_.path();
  options.log.sync = config_.durability == Durability::kFlush;
  const size_t part = config_.memory_bytes / kMemoryParts;
  options.memory_table_bytes = 3 * part;
  options.memory_tables_bytes_max = 5 * part;
  options.checkpoint_bytes = options.memory_table_bytes;
  options.queue_bytes_max = 2 * part;
  options.disk_bytes_max = config_.disk_bytes;
  uint64_t disk_bytes = config_.disk_bytes;
  if (disk_bytes == 0) {
    auto used = disk_.used_bytes(folder_.path());
    auto free = disk_.free_bytes(folder_.path());
    // Opening the store will say what is wrong with a disk that does not answer.
    if (used && free) disk_bytes = *used + *free;
  }
  if (disk_bytes != 0) options.fit_to_disk(disk_bytes);
  return options;
}

void Sidecar::open_caches() {
  if (config_.cache.bytes > 0) {
    cache::ItemCacheOptions options;
    options.bytes_max = config_.cache.bytes;
    options.policy = config_.cache.policy;
    cache_ = std::make_unique<cache::ItemCache>(options, clock_);
  }
  if (config_.cache.query_bytes > 0) {
    cache::QueryCacheOptions options;
    options.bytes_max = config_.cache.query_bytes;
    options.policy = config_.cache.policy;
    query_cache_ = std::make_unique<cache::QueryCache>(options, clock_);
  }
}

Status Sidecar::open_store() {
  open_caches();
  EngineOptions options = engine_options();
  leveldb::Env* env = leveldb::Env::Default();
  if (config_.in_memory) {
    memory_env_ = std::make_unique<DiskEnv>(disk_);
    env = memory_env_.get();
    // A recycled segment would keep its memory; a new one's zeros take none.
    options.log.spare_segments = 0;
    options.log.segment_bytes = kMemorySegmentBytes;
  }
  ASSIGN_OR_RETURN(engine_, Engine::open(options, disk_, env, clock_));
  RETURN_IF_ERROR(catalog_.load(*engine_->view()));
  std::vector<SegmentInfo> segments = engine_->log().segments();
  const int64_t newest_ms = segments.empty() ? 0 : segments.back().last_time_ms;
  newest_.begin(engine_->log().durable_lsn(), newest_ms);
  log_if_ahead(newest_ms, clock_.wall_ms());

  engine_->add_observer(&catalog_);
  cache_policies_.emplace(config_.cache.tables, catalog_, caches());
  cache_policies_->log_absent();
  engine_->add_observer(&*cache_policies_);
  if (cache_ != nullptr) {
    engine_->add_observer(cache_.get());
    engine_->set_known_items(cache_.get());
  }
  if (query_cache_ != nullptr) engine_->add_observer(query_cache_.get());
  engine_->add_observer(&newest_);
  scheduler_ = std::make_unique<CommitScheduler>(*engine_, io_threads_,
                                                 [this](const Error& error) { refused(error); });
  if (options.log.sync && !config_.in_memory) {
    log_flusher_ = std::make_unique<LogFlusher>(io_threads_, clock_);
    engine_->set_flusher(log_flusher_.get());
  }
  engine_->set_wakeups([this] { maintenance_.wake(); }, [this] { scheduler_->schedule(); },
                       [this](int64_t delay_ns) { scheduler_->schedule_in(delay_ns); });
  engine_->add_publication_listener([this] { wake_readers(); });
  return {};
}

Status Sidecar::open_readers() {
  ASSIGN_OR_RETURN(shard_index_, streams::ShardIndex::open(disk_, folder_.path() + "/shards",
                                                           engine_->log(), catalog_));
  streams_ = std::make_unique<streams::Streams>(engine_->log(), catalog_, *shard_index_, clock_,
                                                folder_.iterator_key(),
                                                streams::StreamsOptions{
                                                    .shown_ms = config_.streams.shown_ms,
                                                    .retention_ms = config_.streams.retention_ms,
                                                });
  catalog_.set_stream_shards(config_.streams.shards);
  add_dynamodb_operations(operations_);
  streams::add_streams_operations(operations_, *streams_);
  request_metrics_ = std::make_unique<RequestMetrics>(operations_, io_threads_.count());
  if (config_.cache.verify > 0 && (cache_ != nullptr || query_cache_ != nullptr)) {
    hit_verifier_ = std::make_unique<HitVerifier>(config_.cache.verify, io_threads_.count(),
                                                  Random(random_seed()));
  }
  node_ = std::unique_ptr<Node>(new Node{
      .engine = *engine_,
      .catalog = catalog_,
      .clock = clock_,
      .submit =
          [this](std::unique_ptr<Command> command) { scheduler_->submit(std::move(command)); },
      .cache = cache_.get(),
      .pages = query_cache_.get(),
      .capacity_of_hits = config_.cache.capacity_of_hits,
      .hit_checks = hit_verifier_.get(),
      .observer = request_metrics_.get(),
  });
  long_work_ = std::make_unique<LongWork>(*node_, [this] { long_working_.wake(); });
  engine_->add_observer(long_work_.get());
  LogKeeper::Readers readers{catalog_, *streams_, *shard_index_, [this] {
                               std::vector<streams::ReaderNeeds> needs = subscriptions_->needs();
                               for (const auto& connector : connectors_)
                                 needs.push_back(connector->needs());
                               return needs;
                             }};
  if (cache_ != nullptr && config_.cache.warm_restart && !config_.in_memory) {
    cache_warmer_.emplace(*cache_, CacheWarmer::Store{*engine_, catalog_, disk_, folder_}, clock_);
  }
  log_keeper_ = std::make_unique<LogKeeper>(*engine_, clock_, std::move(readers));
  subscriptions_ = std::make_unique<streams::Subscriptions>(*node_, Random(random_seed()));
  subscription_server_ = std::make_unique<SubscriptionServer>(*node_, *subscriptions_, newest_);
  deleted_tables_ = std::make_unique<streams::DeletedTables>(*node_, *streams_);
  lineage_ = std::make_unique<streams::LineageControl>(*node_, *streams_, *shard_index_);
  stream_control_ =
      std::make_unique<StreamControl>(catalog_, *streams_, *lineage_, [this] { indexing_.wake(); });
  shard_keeper_ = std::make_unique<streams::ShardKeeper>(
      catalog_, *streams_, *shard_index_, *lineage_, clock_,
      streams::ShardKeeperOptions{
          .shard_age_ms = config_.streams.shard_age_ms,
          .split_writes_per_second = config_.streams.split_writes_per_second,
      });
  change_streams_ = std::make_unique<ChangeStreams>(*engine_, catalog_);
  return {};
}

/// And the subscriptions. Before any thread runs and any client is served: a connector that begins
/// at the latest change begins before the first of this run, and every change that a client makes
/// carries its old image.
Status Sidecar::open_connectors() {
  for (const ConnectorConfig& connector : config_.connectors) {
    ASSIGN_OR_RETURN(std::unique_ptr<ConnectorRunner> runner,
                     ConnectorRunner::open(connector, *node_));
    connectors_.push_back(std::move(runner));
  }
  Status opened = subscriptions_->open();
  if (!opened) return not_started(opened.error());
  return {};
}

void Sidecar::start_threads() {
  io_threads_.start();
  if (log_flusher_ != nullptr) log_flusher_->start();
  maintenance_.start();
  maintenance_.wake();
  indexing_.start();
  long_working_.start();
  long_working_.wake();
  if (cache_warmer_) cache_warmer_->start();
  change_streams_->start();
  subscription_server_->start();
  for (const auto& connector : connectors_) connector->start();
}

Status Sidecar::open_port() {
  HttpServerOptions options;
  options.host = config_.listen.host;
  options.port = config_.listen.port;
  options.connections_max = connections_max(options.connections_max);
  options.receiving_bytes_max = 2 * (config_.memory_bytes / kMemoryParts);
  options.answer_bytes_max = 3 * (config_.memory_bytes / kMemoryParts);
  server_ = std::make_unique<HttpServer>(
      io_threads_, options, [this](const HttpRequest& request, HttpReply reply) {
        millrace::serve(*node_, operations_, request, std::move(reply));
      });
  return server_->start();
}

void Sidecar::wake_readers() {
  indexing_.wake();
  change_streams_->wake();
  subscription_server_->wake();
  for (const auto& connector : connectors_) connector->wake();
}

bool Sidecar::maintain() {
  Result<bool> more = engine_->maintain();
  // Also when that failed: what fails for want of space gets it back by trimming.
  Status trimmed = log_keeper_->trim_if_due();
  if (!trimmed) log_event(Severity::kError, "trim", {{"message", trimmed.error().message}});
  Result<bool> rewriting = log_keeper_->rewrite();
  if (!rewriting) log_event(Severity::kError, "rewrite", {{"message", rewriting.error().message}});
  tell_of_disk();
  if (!more) {
    log_event(Severity::kError, "maintenance", {{"message", more.error().message}});
    return false;  // again in a second
  }
  // A walk over all definitions, where a unit of the rest may take a millisecond.
  if (const int64_t now_ns = clock_.monotonic_ns(); now_ns >= forget_next_ns_) {
    forget_next_ns_ = now_ns + kForgetNs;
    deleted_tables_->forget_due();
  }
  return *more || (rewriting && *rewriting);
}

void Sidecar::tell_of_disk() {
  Engine::Statistics statistics = engine_->statistics();
  if (statistics.disk_level == disk_level_) return;
  disk_level_ = statistics.disk_level;
  const bool roomy = disk_level_ == DiskBudget::Level::kRoomy;
  const char* message = "there is room again; all writes go on";
  if (disk_level_ == DiskBudget::Level::kLow)
    message = "near the disk budget: writes that grow are throttled, deletions go on";
  if (disk_level_ == DiskBudget::Level::kExhausted)
    message = "the disk budget is used up: all writes are throttled";
  log_event(roomy ? Severity::kInfo : Severity::kWarning, "disk",
            {{"message", message},
             {"used_bytes", std::to_string(statistics.disk.used_bytes)},
             {"room_bytes", std::to_string(statistics.disk.room_bytes)},
             {"budget_bytes", std::to_string(statistics.disk.budget_bytes)}});
}

bool Sidecar::work_long() {
  long_working_.pause(long_work_->rest_ns());
  Status status = long_work_->step();
  if (!status) log_event(Severity::kError, "long-work", {{"message", status.error().message}});
  return false;  // woken when there is more
}

bool Sidecar::index_shards() {
  const bool changes_wait = stream_control_->step();
  Result<bool> more = shard_index_->step();
  if (!more) {
    log_event(Severity::kError, "shard-index", {{"message", more.error().message}});
    return changes_wait;
  }
  shard_keeper_->step();
  return *more || changes_wait;
}

void Sidecar::refused(const Error& error) {
  if (error.code != ErrorCode::kIo || log_failed_.exchange(true)) return;
  log_event(Severity::kError, "log", {{"message", error.message}});
}

Status Sidecar::stop() {
  phase_.store(Phase::kStopping, std::memory_order_release);
  auto drained = std::make_shared<std::promise<void>>();
  server_->drain(kDrainRequestsMs, [drained] { drained->set_value(); });
  drained->get_future().wait_for(std::chrono::milliseconds(kDrainRequestsMs + 1000));
  int64_t deadline_ns = clock_.monotonic_ns() + kDrainConnectorsNs;
  for (const auto& connector : connectors_) connector->stop(deadline_ns);
  stop_threads();
  if (cache_warmer_) cache_warmer_->save();
  return engine_->checkpoint();
}

/// The network threads first: committing, they wake all others.
void Sidecar::stop_threads() {
  if (io_threads_.running()) {
    io_threads_.stop();
    io_threads_.join();
  }
  if (log_flusher_ != nullptr) log_flusher_->stop();
  // Its streams end before the port does: in order, with all that was committed.
  if (change_streams_ != nullptr) change_streams_->stop();
  if (admin_ != nullptr) admin_->stop();
  if (subscription_server_ != nullptr) subscription_server_->stop();
  indexing_.stop();
  long_working_.stop();
  if (cache_warmer_) cache_warmer_->stop();
  maintenance_.stop();
}

Sidecar::~Sidecar() { stop_threads(); }

Address Sidecar::listen_address() const { return {config_.listen.host, server_->port()}; }
Address Sidecar::admin_address() const { return {config_.admin.host, admin_->port()}; }

}  // namespace millrace::sidecar
