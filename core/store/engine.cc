#include "core/store/engine.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include "core/base/check.h"
#include "core/store/command_queue.h"
#include "core/store/drop_done.h"
#include "core/store/tables.h"

namespace millrace {
namespace {

constexpr Lsn kNewest = std::numeric_limits<Lsn>::max();

// Wakes maintenance for what the log needs of it (spare segments) at least this often.
constexpr uint64_t kMaintenanceLogBytes = 8u << 20;

constexpr int64_t kSecondNs = 1'000'000'000;
// The disk's room is looked at this often, and whenever so much has been logged.
constexpr int64_t kMeasureNs = kSecondNs;
// Near the budget all that could give space back is asked to, this often at most, and seldom for
// more than a tenth of the time: what is kept for good does not go for being compacted again.
constexpr int64_t kReclaimNs = 10 * kSecondNs;
constexpr int64_t kReclaimRest = 10;
constexpr int64_t kReclaimRestNsMax = 600 * kSecondNs;

// What takes milliseconds to evaluate and to flush holds up all that comes meanwhile, and what was
// held up takes as long again to go through. If others had to wait for a large command, the next
// one rests this many times as long as it took, so that fewer than one in a hundred of them is held
// up, unless it takes long itself; with more clients that send large ones that is shared, down to
// the least rest.
constexpr int64_t kLargeRest = 400;
constexpr int64_t kLargeRestLeast = 4;
// A disk that once stood still must not keep large commands waiting.
constexpr int64_t kLargeRestNsMax = 2 * kSecondNs;

}  // namespace

struct Engine::State final : Flush {
  State(EngineOptions engine_options, Disk& the_disk, Clock& the_clock)
      : options(std::move(engine_options)),
        disk(the_disk),
        clock(the_clock),
        disk_budget(the_disk, options.folder, options.disk_bytes_max),
        queue(options.queue_bytes_max, options.batch_bytes) {}

  const EngineOptions options;
  Disk& disk;
  Clock& clock;
  DiskBudget disk_budget;
  std::unique_ptr<Tables> tables;
  std::unique_ptr<Log> log;
  std::vector<CommitObserver*> observers;
  KnownItems* known_items = nullptr;
  Flusher* flusher = nullptr;
  std::vector<std::function<void()>> publication_listeners;
  std::function<void()> maintenance_wakeup = [] {};
  std::function<void()> step_wakeup = [] {};
  std::function<void(int64_t)> step_wakeup_in = [](int64_t) {};

  CommandQueue queue;

  mutable std::mutex mutex;  // guards what follows
  Status stopped;            // why nothing is written any more
  Status tables_error;       // why the last maintain() failed
  std::vector<Generation> refused_drops;

  /// The commit token: whoever turns it to true is the committer until it turns it back.
  std::atomic<bool> committing{false};
  // The committer's.
  int64_t last_time_ms = 0;
  uint64_t bytes_since_wakeup = 0;
  Lsn first_lsn_free = 0;  // LSNs below it are taken by changes that were undone
  CommandBatch batch;
  /// What the batch stages, while it is written; none: it stages nothing.
  FramePtr frame;
  Status written;
  ViewPtr base;  // what it was evaluated on
  int64_t taken_ns = 0;

  // Maintenance's.
  int64_t measured_ns = 0;
  uint64_t measured_log_bytes = 0;
  std::optional<int64_t> reclaim_began_ns;  // when it was first seen to be under way
  int64_t reclaim_next_ns = 0;

  /// Maintenance wants the active memory table behind a new one; then: it is.
  std::atomic<bool> rotation_wanted{false}, rotated{false};
  std::atomic<bool> starved{false};  // commands wait for room in the memory tables
  std::atomic<bool> crowded{false};  // large ones do
  std::atomic<int64_t> large_rest_until_ns{0};
  std::atomic<uint64_t> batches{0}, commands{0}, changes{0}, log_bytes{0};

  bool too_crowded_for_large();
  bool large_may_go() const {
    return !crowded.load(std::memory_order_seq_cst) && clock.monotonic_ns() >= large_rest_until_ns;
  }
  void take_batch();
  void note_large();
  void look_for_room();
  void refuse_all(const Status& status);
  void evaluate_batch();
  bool finish_batch();
  bool give_token_back(bool published);
  Status frame_refused();
  Status undo(const Frame& frame, const View& base);
  void publish(const FramePtr& frame);
  Status look_at_disk();
  bool finish_drop(Engine& engine, Generation generation);

  // The flush of the batch.
  void write() override { written = log->write(frame); }
  bool begin(AsyncWrite& write) override { return log->begin_write(frame, write); }
  void end(AsyncWrite& write) override { written = log->end_write(frame, write); }
  void finish() override;
};

namespace {

class BatchCommit final : public Commit {
 public:
  BatchCommit(const View& base, KnownItems* known_items, Tables& tables, FrameBuilder& builder,
              int64_t time_ms, const DiskBudget& disk_budget)
      : base_(base),
        known_items_(known_items),
        tables_(tables),
        builder_(builder),
        time_ms_(time_ms),
        disk_budget_(disk_budget) {}

  Result<bool> get(std::string_view key, std::string& image) override {
    // Staged changes are in the memory tables already, above every published LSN.
    if (std::optional<bool> found = base_.get_in_memory(key, kNewest, image)) return *found;
    if (known_items_ != nullptr) {
      if (std::optional<bool> found = known_items_->known(key, image)) return *found;
    }
    return base_.get_in_files(key, image);
  }
  Lsn put(std::string_view key, std::string_view image, bool existed,
          std::optional<std::string_view> old_image, IndexChangesView index_changes) override {
    Lsn lsn = builder_.add_change(existed ? ChangeKind::kModify : ChangeKind::kInsert, key, image,
                                  old_image, index_changes);
    tables_.insert(key, lsn, image);
    tables_.insert_index_changes(index_changes, lsn, image);
    return lsn;
  }
  Lsn remove(std::string_view key, std::optional<std::string_view> old_image,
             IndexChangesView index_changes) override {
    Lsn lsn = builder_.add_change(ChangeKind::kRemove, key, {}, old_image, index_changes);
    tables_.insert(key, lsn, std::nullopt);
    tables_.insert_index_changes(index_changes, lsn, std::nullopt);
    return lsn;
  }
  void set_field(EntryField tag, std::string_view value) override {
    builder_.add_field(tag, value);
  }
  Lsn next_lsn() const override { return builder_.next_lsn(); }
  int64_t time_ms() const override { return time_ms_; }
  Status may_grow() const override { return disk_budget_.may_grow(); }

 private:
  const View& base_;
  KnownItems* const known_items_;
  Tables& tables_;
  FrameBuilder& builder_;
  const int64_t time_ms_;
  const DiskBudget& disk_budget_;
};

}  // namespace

Engine::Engine(EngineOptions options, Disk& disk, Clock& clock)
    : state_(std::make_unique<State>(std::move(options), disk, clock)) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options, Disk& disk, leveldb::Env* env,
                                             Clock& clock) {
  RETURN_IF_ERROR(disk.create_folder(options.folder));
  TablesOptions tables_options{options.folder + "/tables",      options.memory_table_bytes,
                               options.memory_tables_bytes_max, options.checkpoint_bytes,
                               options.block_cache_bytes,       options.table_file_bytes};
  LogOptions log_options = options.log;
  log_options.folder = options.folder + "/log";
  std::unique_ptr<Engine> engine(new Engine(std::move(options), disk, clock));
  State& state = *engine->state_;

  ASSIGN_OR_RETURN(state.tables, Tables::open(std::move(tables_options), env, disk));
  const auto& checkpoint = state.tables->recovered_checkpoint();
  Lsn last = checkpoint ? checkpoint->lsn : 0;
  auto replay = [&](const FramePtr& frame, const std::function<Status()>& make_lasting) -> Status {
    if (last == 0 && frame->previous_checksum() != 0) {
      return make_error(
          ErrorCode::kCorruption,
          "the tables have no checkpoint, but the log does not begin at its beginning: " +
              state.options.folder +
              "/tables was removed or replaced; restore the whole data folder");
    }
    last = frame->last_lsn();
    state.last_time_ms = std::max(state.last_time_ms, frame->last_time_ms());
    return state.tables->replay(frame, make_lasting);
  };
  // Seconds times 2^20: a log that begins anew, after its folder was lost, repeats no LSN.
  Lsn first = static_cast<Lsn>(std::max<int64_t>(clock.wall_ms() / 1000, 1)) << 20;
  ASSIGN_OR_RETURN(state.log, Log::open(disk, std::move(log_options), first, checkpoint, replay));
  for (const SegmentInfo& segment : state.log->segments()) {
    state.last_time_ms = std::max(state.last_time_ms, segment.last_time_ms);
  }
  if (last == 0) last = state.log->durable_lsn();
  state.tables->publish(last, nullptr);
  RETURN_IF_ERROR(state.look_at_disk());
  return engine;
}

Status Engine::submit(std::unique_ptr<Command>&& command) {
  State& state = *state_;
  {
    std::lock_guard lock(state.mutex);
    if (!state.stopped) return state.stopped;
  }
  RETURN_IF_ERROR(state.disk_budget.may_write());
  return state.queue.push(std::move(command));
}

void Engine::State::refuse_all(const Status& status) {
  for (auto& command : queue.take_all()) command->done(status);
}

void Engine::State::take_batch() {
  taken_ns = clock.monotonic_ns();
  batch = queue.take(large_may_go());
}

void Engine::State::note_large() {
  if (batch.empty() || !CommandQueue::is_large(*batch.front()) || !queue.has_next(false)) return;
  const int64_t now_ns = clock.monotonic_ns();
  const auto clients = static_cast<int64_t>(1 + queue.large_count());
  const int64_t rest_ns = std::max(kLargeRest / clients, kLargeRestLeast) * (now_ns - taken_ns);
  large_rest_until_ns = now_ns + std::min(rest_ns, kLargeRestNsMax);
}

// Evaluates the batch; what it stages becomes the frame.
void Engine::State::evaluate_batch() {
  {
    std::lock_guard lock(mutex);
    written = stopped;
  }
  if (!written) return;
  base = tables->view();
  last_time_ms = std::max(last_time_ms, clock.wall_ms());
  FrameBuilder builder(std::max(log->next_lsn(), first_lsn_free));
  size_t bytes = 0;
  for (const auto& command : batch) bytes += command->bytes();
  builder.reserve(bytes);
  BatchCommit commit(*base, known_items, *tables, builder, last_time_ms, disk_budget);
  size_t evaluated = 0;
  // What commands stage may be far more than what they held: the frame must stay a frame.
  while (evaluated < batch.size() && builder.payload_bytes() < options.batch_bytes) {
    Command& command = *batch[evaluated++];
    builder.begin_entry(last_time_ms);
    const std::string_view traceparent = command.traceparent();
    if (!traceparent.empty()) builder.add_field(EntryField::kTraceparent, traceparent);
    command.evaluate(commit);
    builder.end_entry();
  }
  if (evaluated < batch.size()) queue.give_back(batch, evaluated);
  if (!builder.empty()) frame = log->seal(std::move(builder));
  batches.fetch_add(1, std::memory_order_relaxed);
  commands.fetch_add(batch.size(), std::memory_order_relaxed);
}

// What the batch staged is in the views from now on, unless it was not written. Every answer of a
// batch has waited for the flush, also a failed condition's: what it saw may have been staged by a
// command before it. True if changes were published.
bool Engine::State::finish_batch() {
  Status status = written;
  const bool published = frame != nullptr && written;
  note_large();
  if (published) {
    publish(frame);
  } else if (frame != nullptr) {
    status = frame_refused();
  }
  for (auto& command : batch) command->done(status);
  batch.clear();
  frame.reset();
  base.reset();
  return published;
}

void Engine::State::finish() {
  if (give_token_back(finish_batch())) step_wakeup();
}

// Why the frame was not written, for its commands; stops all writing unless nothing of it can have
// become durable.
Status Engine::State::frame_refused() {
  Error error = written.error();
  if (!log->failed()) {
    Status undone = undo(*frame, *base);
    if (undone) {
      CHECK(error.code == ErrorCode::kDiskFull);  // else the log would have failed
      disk_budget.note_full();
      return disk_is_full();
    }
    error = undone.error();
  }
  Status status = make_error(ErrorCode::kIo, "writing has stopped: " + error.message);
  std::lock_guard lock(mutex);
  stopped = status;
  return status;
}

// What a refused batch staged is in the active memory table, above every published LSN. Each of its
// keys gets back what it had, above that, and the LSNs go on behind both.
Status Engine::State::undo(const Frame& frame, const View& base) {
  std::set<std::string_view> keys;
  for (const EntryView& entry : frame) {
    for (const ChangeView& change : entry) {
      keys.insert(change.key);
      for (const IndexChange& index_change : change.index_changes) keys.insert(index_change.key);
    }
  }
  const Lsn lsn = frame.last_lsn() + 1;
  for (std::string_view key : keys) {
    std::string image;
    ASSIGN_OR_RETURN(const bool found, base.get(key, image));
    tables->insert(key, lsn, found ? std::optional<std::string_view>(image) : std::nullopt);
  }
  first_lsn_free = lsn + 1;
  // So that what was refused cannot fill the memory.
  if (tables->active_is_full()) {
    tables->rotate();
    maintenance_wakeup();
  }
  return {};
}

void Engine::State::publish(const FramePtr& frame) {
  for (CommitObserver* observer : observers) observer->on_commit(frame);
  bool wake = tables->publish(frame->last_lsn(), frame);
  log->make_readable(*frame);
  changes.fetch_add(frame->last_lsn() - frame->first_lsn() + 1, std::memory_order_relaxed);
  log_bytes.fetch_add(frame->size(), std::memory_order_relaxed);
  bytes_since_wakeup += frame->size();
  if (wake || bytes_since_wakeup >= std::min(kMaintenanceLogBytes, disk_budget.measure_bytes())) {
    bytes_since_wakeup = 0;
    maintenance_wakeup();
  }
}

// While the tables cannot be written nobody makes room, so that large commands need not wait for
// it.
bool Engine::State::too_crowded_for_large() {
  if (!tables->crowded()) return false;
  std::lock_guard lock(mutex);
  return tables_error.has_value();
}

// maintain() may make room between a look and the note that there is none: a second look, so that
// no wake-up is lost.
void Engine::State::look_for_room() {
  if (tables->full()) {
    starved.store(true, std::memory_order_seq_cst);
    if (!tables->full()) starved.store(false, std::memory_order_seq_cst);
  }
  if (queue.large_count() > 0 && too_crowded_for_large()) {
    crowded.store(true, std::memory_order_seq_cst);
    if (!too_crowded_for_large()) crowded.store(false, std::memory_order_seq_cst);
  }
}

bool Engine::step() {
  State& state = *state_;
  if (state.committing.exchange(true, std::memory_order_acq_rel)) return false;
  bool published = false;
  if (state.rotation_wanted.load(std::memory_order_relaxed) &&
      state.rotation_wanted.exchange(false)) {
    state.tables->rotate();
    state.rotated = true;
    state.maintenance_wakeup();
  }
  state.look_for_room();
  if (!state.starved.load(std::memory_order_seq_cst)) {
    state.take_batch();
    if (!state.batch.empty()) {
      state.evaluate_batch();
      if (state.frame != nullptr && state.flusher != nullptr) {
        state.flusher->flush(state);
        return false;
      }
      if (state.frame != nullptr) state.write();
      published = state.finish_batch();
    }
  } else {
    // Nobody makes room while the tables cannot be written: whoever waits is told.
    Status error;
    {
      std::lock_guard lock(state.mutex);
      error = state.tables_error;
    }
    if (!error) state.refuse_all(error);
  }
  return state.give_token_back(published);
}

// True if commands wait that a step could commit.
bool Engine::State::give_token_back(bool published) {
  // Before a look at what others want, who look at it after they have said so.
  committing.store(false, std::memory_order_seq_cst);
  if (published) {
    for (const auto& listener : publication_listeners) listener();
  }
  // What a thread wanted while the token was taken, getting false from its own step(), is seen
  // here.
  if (rotation_wanted) return true;
  if (starved.load(std::memory_order_seq_cst)) return false;
  if (queue.has_next(large_may_go())) return true;
  if (queue.large_count() == 0) return false;
  const int64_t rest_ns = large_rest_until_ns - clock.monotonic_ns();
  if (rest_ns > 0) {
    step_wakeup_in(rest_ns);
    return false;
  }
  // The rest may have ended since it was looked at; nobody else would wake a step for that.
  return !crowded.load(std::memory_order_seq_cst);
}

ViewPtr Engine::view() const { return state_->tables->view(); }

Lsn Engine::published_lsn() const { return state_->tables->published_lsn(); }

// Now and then, and often when there is little room.
Status Engine::State::look_at_disk() {
  const int64_t now = clock.monotonic_ns();
  const uint64_t logged = log_bytes.load(std::memory_order_relaxed);
  if (measured_ns != 0 && now - measured_ns < kMeasureNs &&
      disk_budget.level() != DiskBudget::Level::kExhausted &&
      logged - measured_log_bytes < std::min(kMaintenanceLogBytes, disk_budget.measure_bytes())) {
    return {};
  }
  measured_ns = now;
  measured_log_bytes = logged;
  RETURN_IF_ERROR(disk_budget.measure());
  if (disk_budget.level() == DiskBudget::Level::kRoomy) return {};
  if (tables->reclaiming()) {
    if (!reclaim_began_ns) reclaim_began_ns = now;
    reclaim_next_ns =
        now + std::clamp(kReclaimRest * (now - *reclaim_began_ns), kReclaimNs, kReclaimRestNsMax);
    return {};
  }
  reclaim_began_ns.reset();
  if (now < reclaim_next_ns) return {};
  reclaim_next_ns = now + kReclaimNs;
  // What is in memory only holds the log, and what was deleted its place in the tables.
  rotation_wanted = true;
  step_wakeup();
  tables->reclaim_space();
  return {};
}

bool Engine::State::finish_drop(Engine& engine, Generation generation) {
  auto refused = [this](Generation again) {
    std::lock_guard lock(mutex);
    refused_drops.push_back(again);
  };
  if (!engine.submit(std::make_unique<DropDone>(generation, refused))) return false;
  step_wakeup();
  return true;
}

Result<bool> Engine::maintain() {
  State& state = *state_;
  std::vector<Generation> again;
  {
    std::lock_guard lock(state.mutex);
    again.swap(state.refused_drops);
  }
  for (Generation generation : again) {
    if (state.finish_drop(*this, generation)) continue;
    std::lock_guard lock(state.mutex);
    state.refused_drops.push_back(generation);
  }
  if (state.rotated.exchange(false)) state.tables->want_checkpoint();
  Result<bool> more = state.tables->maintain(
      *state.log, [&](Generation generation) { return state.finish_drop(*this, generation); });
  if (Status measured = state.look_at_disk(); more && !measured) more = measured.error();
  {
    std::lock_guard lock(state.mutex);
    state.tables_error =
        more ? Status{}
             : make_error(ErrorCode::kIo, "the tables cannot be written: " + more.error().message);
  }
  // Who waits for room is let in, or told that nobody makes any.
  bool wake = !more && state.starved.load(std::memory_order_seq_cst);
  if (more && !state.tables->full()) wake |= state.starved.exchange(false);
  if (!state.too_crowded_for_large()) wake |= state.crowded.exchange(false);
  if (wake) state.step_wakeup();
  if (!more) return more.error();
  // A compaction may take seconds, in which the log needs spares as ever.
  if (*more && !state.tables->compacting()) return true;
  if (state.disk_budget.level() != DiskBudget::Level::kRoomy) return *more;
  ASSIGN_OR_RETURN(const bool more_of_spare, state.log->prepare_spare());
  return *more || more_of_spare;
}

Status Engine::health() const {
  const State& state = *state_;
  if (state.log->failed()) {
    return make_error(ErrorCode::kIo, "the change log could not be flushed; start again");
  }
  std::lock_guard lock(state.mutex);
  RETURN_IF_ERROR(state.stopped);
  return state.tables_error;
}

Status Engine::checkpoint() {
  {
    // After a failed flush the memory table holds what is in no view and perhaps not in the log.
    std::lock_guard lock(state_->mutex);
    RETURN_IF_ERROR(state_->stopped);
  }
  return state_->tables->checkpoint(*state_->log);
}

Log& Engine::log() { return *state_->log; }

void Engine::add_observer(CommitObserver* observer) { state_->observers.push_back(observer); }

void Engine::set_flusher(Flusher* flusher) { state_->flusher = flusher; }

void Engine::set_known_items(KnownItems* items) { state_->known_items = items; }

void Engine::add_publication_listener(std::function<void()> listener) {
  state_->publication_listeners.push_back(std::move(listener));
}

void Engine::set_wakeups(std::function<void()> maintenance_wakeup,
                         std::function<void()> step_wakeup,
                         std::function<void(int64_t)> step_wakeup_in) {
  state_->maintenance_wakeup = std::move(maintenance_wakeup);
  state_->step_wakeup = std::move(step_wakeup);
  if (step_wakeup_in) state_->step_wakeup_in = std::move(step_wakeup_in);
}

Engine::Statistics Engine::statistics() const {
  const State& state = *state_;
  return {state.batches.load(std::memory_order_relaxed),
          state.commands.load(std::memory_order_relaxed),
          state.changes.load(std::memory_order_relaxed),
          state.log_bytes.load(std::memory_order_relaxed),
          state.queue.bytes(),
          state.tables->memory_bytes(),
          state.tables->checkpoint_lsn(),
          state.disk_budget.level(),
          state.disk_budget.figures()};
}

}  // namespace millrace
