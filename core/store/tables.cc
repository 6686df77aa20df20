#include "core/store/tables.h"

#include <leveldb/write_batch.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/turns.h"
#include "core/store/leveldb_status.h"

namespace millrace {
namespace {

// Bytes that one maintain() writes at most: bounds how long it holds up what runs beside it.
constexpr size_t kWriteBytes = 128u << 10;
// What a removal that is looked up counts for in that.
constexpr size_t kLookupBytes = 256;
// While LevelDB compacts by hand, memory tables are looked at this often.
constexpr auto kCompactionWait = std::chrono::milliseconds(10);
constexpr Lsn kNewest = std::numeric_limits<Lsn>::max();

}  // namespace

Result<std::unique_ptr<Tables>> Tables::open(TablesOptions options, leveldb::Env* env, Disk& disk) {
  std::unique_ptr<Tables> tables(new Tables(std::move(options), env, disk));
  RETURN_IF_ERROR(tables->open_database());
  return tables;
}

// One memory table becomes one file of level 0: the fewer and larger, the less is rewritten by
// compaction.
size_t Tables::memtable_bytes() const {
  return options_.memory_table_bytes + options_.memory_table_bytes / 4;
}

leveldb::Options Tables::database_options() {
  leveldb::Options options;
  options.env = &env_;
  options.create_if_missing = true;
  options.block_cache = block_cache_.get();
  options.filter_policy = filter_.get();
  // Uncompressed blocks are served from the page cache by mmap, without a copy.
  options.compression = leveldb::kNoCompression;
  // A read checks the checksum of a whole block, which costs more than finding the item in it:
  // small blocks.
  options.block_size = 1024;
  // Every file costs three syncs.
  options.max_file_size = options_.table_file_bytes;
  // A compaction that did not check what it reads would give damage a new checksum.
  options.paranoid_checks = true;
  options.write_buffer_size = memtable_bytes();
  return options;
}

Result<std::shared_ptr<leveldb::DB>> Tables::open_leveldb() {
  leveldb::DB* opened = nullptr;
  RETURN_IF_ERROR(checked(leveldb::DB::Open(database_options(), options_.folder, &opened)));
  return std::shared_ptr<leveldb::DB>(opened, [this](leveldb::DB* db) {
    const TableEnv::Prompt prompt(env_);
    delete db;
  });
}

Tables::~Tables() { wait_for_compaction(); }

Status Tables::open_database() {
  block_cache_.reset(leveldb::NewLRUCache(options_.block_cache_bytes));
  filter_.reset(leveldb::NewBloomFilterPolicy(10));
  ASSIGN_OR_RETURN(db_, open_leveldb());

  RETURN_IF_ERROR(read_checkpoint());
  snapshot_ = snapshot();
  publish_locked(checkpoint_lsn_);
  return {};
}

std::shared_ptr<const leveldb::Snapshot> Tables::snapshot() const {
  return {db_->GetSnapshot(),
          [db = db_](const leveldb::Snapshot* held) { db->ReleaseSnapshot(held); }};
}

void Tables::publish_locked(Lsn lsn) {
  std::vector<std::shared_ptr<const MemoryTable>> newest_first{active_};
  for (auto it = full_.rbegin(); it != full_.rend(); ++it) newest_first.push_back(it->table);
  view_ = std::make_shared<View>(db_.get(), snapshot_, std::move(newest_first), lsn);
  published_lsn_.store(lsn, std::memory_order_release);
}

Status Tables::replay(const FramePtr& frame, const std::function<Status()>& make_lasting) {
  for (const EntryView& entry : *frame) {
    for (const ChangeView& change : entry) {
      insert(change.key, change.lsn, change.new_image);
      insert_index_changes(change.index_changes, change.lsn, change.new_image);
    }
  }
  publish(frame->last_lsn(), frame);
  while (full()) {
    RETURN_IF_ERROR(make_lasting());
    RETURN_IF_ERROR(write_some(true));
  }
  return {};
}

void Tables::insert_index_changes(IndexChangesView changes, Lsn lsn,
                                  std::optional<std::string_view> item_image) {
  for_each_index_change(changes, item_image,
                        [&](std::string_view key, std::optional<std::string_view> image) {
                          insert(key, lsn, image);
                        });
}

bool Tables::publish(Lsn lsn, const FramePtr& frame) {
  if (frame) {
    active_last_frame_ = frame;
    active_log_bytes_ += frame->size();
  }
  std::lock_guard lock(mutex_);
  const bool became_full = active_is_full();
  if (became_full) put_behind_locked();
  publish_locked(lsn);
  return became_full;
}

void Tables::rotate() {
  std::lock_guard lock(mutex_);
  if (active_->empty()) return;
  put_behind_locked();
  publish_locked(view_->lsn());
}

void Tables::put_behind_locked() {
  full_bytes_ += active_->bytes();
  full_.push_back({std::move(active_), active_last_frame_, active_log_bytes_});
  active_ = std::make_shared<MemoryTable>();
  active_log_bytes_ = 0;
}

// What maintenance could write, or 0 if it has nothing to write: what of a table LevelDB has counts
// as gone, though its memory is kept until that is all of it. So each bit that is written lets as
// much in, and nobody waits for a whole table at once.
size_t Tables::waiting_bytes() const {
  std::lock_guard lock(mutex_);
  if (full_.empty()) return 0;
  return full_bytes_ - written_bytes_ + active_->bytes();
}

ViewPtr Tables::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

size_t Tables::memory_bytes() const {
  std::lock_guard lock(mutex_);
  return full_bytes_;
}

Lsn Tables::checkpoint_lsn() const {
  std::lock_guard lock(mutex_);
  return checkpoint_lsn_;
}

// False, after a while: LevelDB takes nothing until the range is compacted that it is at.
Result<bool> Tables::write(leveldb::WriteBatch& batch) {
  const leveldb::Status status = db_->Write(leveldb::WriteOptions(), &batch);
  if (status.IsNotSupportedError()) {
    if (compacting_.valid()) compacting_.wait_for(kCompactionWait);
    return false;
  }
  RETURN_IF_ERROR(checked(status));
  return true;
}

// Whether a removal is to be written. What was put and removed before LevelDB got any of it leaves
// no trace there: a queue's past would else lie in the way of every walk to its head. Of other
// removals there is something to remove, or was.
bool Tables::removes_something(const MemoryTable::Walk& removal) const {
  if (!removal.has_older()) return true;
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  std::string image;
  return !db_->Get(options, slice(removal.key()), &image).IsNotFound();
}

// Writes up to kWriteBytes (or `all`) of the oldest full memory table: of each key its newest
// version. When it is done, a new snapshot takes the memory table's place in the view. What LevelDB
// is given may become durable at any time: the log must be so before.
Status Tables::write_some(bool all) {
  std::shared_ptr<MemoryTable> table;
  FramePtr last_frame;
  uint64_t log_bytes;
  {
    std::lock_guard lock(mutex_);
    if (full_.empty()) return {};
    table = full_.front().table;
    last_frame = full_.front().last_frame;
    log_bytes = full_.front().log_bytes;
  }
  MemoryTable::Walk walk(*table, kNewest);
  walk.seek(resume_key_);
  size_t bytes = 0;
  do {
    leveldb::WriteBatch batch;
    std::vector<std::string_view> removed;
    size_t lookups = 0;
    for (bytes = 0; walk.valid() && bytes + lookups * kLookupBytes < kWriteBytes; walk.next()) {
      MemoryTable::Version version = walk.version();
      bytes += walk.key().size();
      if (version.image) {
        batch.Put(slice(walk.key()), slice(*version.image));
        bytes += version.image->size();
      } else {
        if (walk.has_older()) ++lookups;
        if (removes_something(walk)) {
          batch.Delete(slice(walk.key()));
          removed.push_back(walk.key());
        }
      }
      end_turn();
    }
    ASSIGN_OR_RETURN(const bool written, write(batch));
    if (!written) return {};
    for (std::string_view key : removed) note_removal(key);
  } while (all && walk.valid());
  if (walk.valid()) {
    resume_key_ = walk.key();
    std::lock_guard lock(mutex_);
    written_bytes_ += bytes;
    return {};
  }
  resume_key_.clear();
  end_removals();
  last_applied_ = last_frame;
  applied_bytes_ += std::max<uint64_t>(table->bytes(), log_bytes);
  auto with_table = snapshot();
  std::lock_guard lock(mutex_);
  full_bytes_ -= table->bytes();
  written_bytes_ = 0;
  full_.pop_front();
  snapshot_ = std::move(with_table);
  publish_locked(view_->lsn());
  return {};
}

Result<bool> Tables::maintain(Log& log, const std::function<bool(Generation)>& dropped) {
  if (broken_) {
    if (--calls_until_reopen_ > 0) {
      return make_error(ErrorCode::kIo, "tables: waiting to be opened again");
    }
    RETURN_IF_ERROR(reopen(log));
  }
  const bool removing = previous_.expired() && env_.end_held_removals();
  Result<bool> more = do_some(log);
  if (!more) look_at_failure();
  if (more) more = *more || removing;
  report_drops(dropped);
  return more;
}

// One unit; true if there may be more.
Result<bool> Tables::do_some(Log& log) {
  const bool compacting = still_compacting();
  // LevelDB compacts by hand, and for a checkpoint, one range at a time.
  if (!compacting) {
    RETURN_IF_ERROR(background_failure());
    if (checkpoint_) {
      RETURN_IF_ERROR(end_checkpoint());
      return true;
    }
    // First, or there would be none while writers fill a memory table as fast as one is written.
    if (applied_bytes_ >= options_.checkpoint_bytes) {
      RETURN_IF_ERROR(begin_checkpoint(log));
      return true;
    }
  }
  bool waiting;
  {
    std::lock_guard lock(mutex_);
    waiting = !full_.empty();
  }
  // The log grows until a checkpoint ends: where that takes longer than until the next one is due,
  // writers wait for it at last.
  if (waiting && checkpoint_ && applied_bytes_ >= options_.checkpoint_bytes) {
    RETURN_IF_ERROR(background_failure());
    compacting_.wait_for(kCompactionWait);
    return true;
  }
  if (waiting) {
    if (resume_key_.empty()) RETURN_IF_ERROR(log.sync());
    RETURN_IF_ERROR(write_some(false));
    return true;
  }
  if (!compacting && checkpoint_wanted_) {
    RETURN_IF_ERROR(begin_checkpoint(log));
    return true;
  }
  for (Drop& drop : drops_) {
    if (drop.state != Drop::State::kReclaiming) continue;
    RETURN_IF_ERROR(reclaim_some(drop));
    return true;
  }
  if (!looked_for_drops_) {
    looked_for_drops_ = true;
    RETURN_IF_ERROR(find_drops());
    return true;
  }
  if (compacting) {
    RETURN_IF_ERROR(background_failure());
    compacting_.wait_for(kCompactionWait);
    return true;
  }
  if (!compactions_.empty()) {
    compact_some();
    return true;
  }
  if (!removed_ranges_.empty()) {
    compacts_removed_ = true;
    KeyRange range = std::move(removed_ranges_.front());
    removed_ranges_.pop_front();
    begin_compaction(std::move(range));
    return true;
  }
  return false;
}

}  // namespace millrace
