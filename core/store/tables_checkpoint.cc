// How what LevelDB was given becomes durable.

#include "core/base/bytes.h"
#include "core/store/leveldb_status.h"
#include "core/store/tables.h"

namespace millrace {
namespace {

// Persisted: generation 0 is no table's.
std::string checkpoint_key() {
  std::string key;
  append_generation_prefix(0, key);
  return key + "checkpoint";
}

// Persisted: version, lsn, segment, offset, checksum of the frame before.
std::string encode_checkpoint(const LogCheckpoint& checkpoint) {
  std::string bytes;
  bytes.push_back(1);
  put_fixed64(bytes, checkpoint.lsn);
  put_fixed64(bytes, checkpoint.position.segment);
  put_fixed64(bytes, checkpoint.position.offset);
  put_fixed64(bytes, checkpoint.previous_checksum);
  return bytes;
}

Result<LogCheckpoint> decode_checkpoint(std::string_view bytes) {
  LogCheckpoint checkpoint;
  ByteReader reader(bytes);
  uint8_t version;
  if (!reader.u8(version) || version != 1 || !reader.fixed64(checkpoint.lsn) ||
      !reader.fixed64(checkpoint.position.segment) || !reader.fixed64(checkpoint.position.offset) ||
      !reader.fixed64(checkpoint.previous_checksum) || !reader.empty()) {
    return make_error(ErrorCode::kCorruption, "tables: the checkpoint record is damaged");
  }
  return checkpoint;
}

}  // namespace

Status Tables::read_checkpoint() {
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  std::string record;
  leveldb::Status status = db_->Get(read, checkpoint_key(), &record);
  if (status.IsNotFound()) return {};
  RETURN_IF_ERROR(checked(status));
  ASSIGN_OR_RETURN(recovered_, decode_checkpoint(record));
  checkpoint_lsn_ = recovered_->lsn;
  return {};
}

// LevelDB's memtable takes seconds to become a file beside a load, and memory tables are written
// meanwhile, or clients would wait for it. What they bring may become durable with this checkpoint,
// or not.
Status Tables::begin_checkpoint(Log& log) {
  LogCheckpoint record;
  if (last_applied_) {
    ASSIGN_OR_RETURN(record, log.checkpoint_at(last_applied_));
  } else if (recovered_) {
    record = *recovered_;
  } else {
    checkpoint_wanted_ = false;
    applied_bytes_ = 0;
    return {};
  }
  RETURN_IF_ERROR(
      checked(db_->Put(leveldb::WriteOptions(), checkpoint_key(), encode_checkpoint(record))));
  for (Drop& drop : drops_) {
    if (drop.state == Drop::State::kEmptied) drop.state = Drop::State::kInCheckpoint;
  }
  checkpoint_ = Checkpoint{record, last_applied_};
  checkpoint_wanted_ = false;
  applied_bytes_ = 0;
  // The record becomes durable with all that was written before it, or not at all.
  begin_compaction(std::nullopt);
  return {};
}

Status Tables::end_checkpoint() {
  RETURN_IF_ERROR(background_failure());
  recovered_ = checkpoint_->record;
  if (last_applied_ == checkpoint_->last_frame) last_applied_.reset();
  for (Drop& drop : drops_) {
    if (drop.state == Drop::State::kInCheckpoint) drop.state = Drop::State::kDurable;
  }
  checkpoint_.reset();
  {
    std::lock_guard lock(mutex_);
    checkpoint_lsn_ = recovered_->lsn;
  }
  return find_drops();
}

Status Tables::checkpoint(Log& log) {
  auto end_what_is_under_way = [this]() -> Status {
    wait_for_compaction();
    return !still_compacting() && checkpoint_ ? end_checkpoint() : Status();
  };
  RETURN_IF_ERROR(end_what_is_under_way());
  rotate();
  RETURN_IF_ERROR(log.sync());
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (full_.empty()) break;
    }
    RETURN_IF_ERROR(write_some(true));
  }
  if (!last_applied_) return {};
  RETURN_IF_ERROR(begin_checkpoint(log));
  return end_what_is_under_way();
}

}  // namespace millrace
