#include <leveldb/write_batch.h>

#include <algorithm>

#include "core/store/leveldb_status.h"
#include "core/store/tables.h"

namespace millrace {
namespace {

// Maintenance calls once a second while the tables fail.
constexpr int kReopenAfterCallsMax = 32;

}  // namespace

// What LevelDB does in the background, CompactRange too, keeps its failure to itself; then every
// write is refused, also one of nothing.
Status Tables::background_failure() const {
  leveldb::WriteBatch nothing;
  const leveldb::Status status = db_->Write(leveldb::WriteOptions(), &nothing);
  return status.IsNotSupportedError() ? Status() : checked(status);
}

// Whether it was LevelDB that failed for good.
void Tables::look_at_failure() {
  const Status failure = background_failure();
  broken_ = !failure && failure.error().code != ErrorCode::kCorruption;
  calls_until_reopen_ = reopen_after_calls_;
  if (!failure) env_.look_again();
}

// Tries; while it fails it is tried less and less often.
Status Tables::reopen(Log& log) {
  if (still_compacting() || env_.is_working()) {
    return make_error(ErrorCode::kIo, "tables: LevelDB is still at what failed");
  }
  Status opened = open_beside(log);
  reopen_after_calls_ = opened ? 1 : std::min(2 * reopen_after_calls_, kReopenAfterCallsMax);
  calls_until_reopen_ = reopen_after_calls_;
  return opened;
}

// Once it has ended what it was at, the failed one writes and removes nothing any more, so a second
// one may stand beside it; but views read its files until they are released.
Status Tables::open_beside(Log& log) {
  if (!previous_.expired()) {
    return make_error(ErrorCode::kIo, "tables: a reader still holds those that failed before");
  }
  env_.hold_removals();
  ASSIGN_OR_RETURN(std::shared_ptr<leveldb::DB> db, open_leveldb());
  // Of what was written since the checkpoint any part may be lost.
  if (last_applied_) RETURN_IF_ERROR(write_again(log, *db, last_applied_->last_lsn()));
  resume_key_.clear();
  removals_ = {};
  for (Drop& drop : drops_) {
    drop.next.clear();
    if (drop.state != Drop::State::kDurable) drop.state = Drop::State::kReclaiming;
  }
  broken_ = false;
  checkpoint_.reset();
  checkpoint_wanted_ = true;
  previous_ = db_;
  // If nobody reads it any more, it ends here, and not under the mutex.
  const auto failed = std::make_pair(db_, view());
  std::lock_guard lock(mutex_);
  written_bytes_ = 0;
  db_ = std::move(db);
  snapshot_ = snapshot();
  publish_locked(view_->lsn());
  return {};
}

Status Tables::write_again(Log& log, leveldb::DB& db, Lsn through) const {
  LogCursor cursor(log, recovered_ ? recovered_->lsn + 1 : log.first_retained_lsn());
  while (cursor.position() <= through) {
    ASSIGN_OR_RETURN(const FramePtr frame, cursor.next());
    // The last one is made readable only after the tables had it.
    if (!frame) return make_error(ErrorCode::kIo, "tables: the log cannot be read to its end yet");
    leveldb::WriteBatch batch;
    auto write = [&](std::string_view key, std::optional<std::string_view> image) {
      image ? batch.Put(slice(key), slice(*image)) : batch.Delete(slice(key));
    };
    for (const EntryView& entry : *frame) {
      for (const ChangeView& change : entry) {
        write(change.key, change.new_image);
        for_each_index_change(change.index_changes, change.new_image, write);
      }
    }
    RETURN_IF_ERROR(checked(db.Write(leveldb::WriteOptions(), &batch)));
  }
  return {};
}

}  // namespace millrace
