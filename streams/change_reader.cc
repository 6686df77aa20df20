#include "streams/change_reader.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "core/model/schema.h"

namespace millrace::streams {
namespace {

// Log passed in one read() that finds little: bounds its time.
constexpr size_t kLogBytesPerRead = 4u << 20;

}  // namespace

Lsn first_whole_lsn(Log& log, const Catalog& catalog, const TableFilter& filter) {
  const auto wanted = [&](Generation generation) {
    TablePtr table = generation < kFirstUserGeneration ? nullptr : catalog.find(generation);
    return table != nullptr && filter.matches(table->name);
  };
  const Lsn first = log.first_retained_lsn();
  // A log that cannot be read says so to whoever reads it.
  auto left_out = log.left_out_through(wanted);
  return left_out ? std::max(first, *left_out + 1) : first;
}

ChangeReader::ChangeReader(Log& log, const Catalog& catalog, ChangeFilter filter, Lsn from)
    : log_(log),
      catalog_(catalog),
      filter_(std::move(filter)),
      next_(from),
      cursor_(std::in_place, log, from) {
  for (TablePtr& table : catalog_.all()) tables_[table->generation] = std::move(table);
}

void ChangeReader::seek(Lsn lsn) {
  next_ = lsn;
  frame_ = nullptr;
  cursor_.emplace(log_, lsn);
}

Result<bool> ChangeReader::load_frame(ChangeBatch& batch) {
  ASSIGN_OR_RETURN(FramePtr frame, cursor_->next());
  for (const LeftOut& left_out : cursor_->take_left_out()) {
    TablePtr table = wanted_table(left_out.generation);
    if (table == nullptr) continue;
    seek(next_);  // and says so each time
    return make_error(ErrorCode::kTrimmed, "the log no longer holds all changes of table '" +
                                               table->name + "' up to LSN " +
                                               std::to_string(left_out.last_lsn));
  }
  if (frame == nullptr) return false;
  batch.log_bytes += frame->size();
  frame_ = std::move(frame);
  entry_ = frame_->begin();
  return true;
}

Result<ChangeBatch> ChangeReader::read(size_t count_max, size_t bytes_max) {
  ChangeBatch batch;
  batch.more = true;
  for (;;) {
    if (frame_ == nullptr) {
      if (batch.log_bytes >= kLogBytesPerRead) break;
      Result<bool> loaded = load_frame(batch);
      // What has been read is handed over; the error comes again.
      if (!loaded && !batch.changes.empty()) break;
      RETURN_IF_ERROR(loaded);
      if (!*loaded) {
        batch.more = false;
        break;
      }
    }
    bool full = false;
    for (; entry_ != frame_->end(); ++entry_) {
      Lsn behind = entry_->first_lsn() + entry_->change_count();
      if (behind <= next_) continue;
      if (!take_entry(*entry_, count_max, bytes_max, batch)) {
        full = true;
        break;
      }
      next_ = behind;
    }
    if (full) break;
    next_ = frame_->last_lsn() + 1;
    frame_ = nullptr;
  }
  batch.through = next_ - 1;
  return batch;
}

bool ChangeReader::take_entry(const EntryView& entry, size_t count_max, size_t bytes_max,
                              ChangeBatch& batch) {
  const size_t count = batch.changes.size(), bytes = batch.bytes;
  for (const ChangeView& change : entry) {
    if (change.lsn < next_) continue;
    TablePtr table = wanted_table(change.key);
    if (table == nullptr) {
      if (change.key.size() >= 8 && get_big_endian64(change.key.data()) == kCatalogGeneration) {
        note_definition(change);
        batch.definitions_changed = true;
      }
      continue;
    }
    if (change.key.size() < 16 ||
        !filter_.range.contains(get_big_endian64(change.key.data() + 8))) {
      continue;
    }
    Change wanted{std::move(table), entry, change};
    if (filter_.events != nullptr && !filter_.events->matches(wanted)) continue;
    batch.bytes += change.key.size() + (change.new_image ? change.new_image->size() : 0) +
                   (change.old_image ? change.old_image->size() : 0);
    batch.changes.push_back(std::move(wanted));
  }
  if (count > 0 && batch.changes.size() > count &&
      (batch.changes.size() > count_max || batch.bytes > bytes_max)) {
    batch.changes.resize(count);
    batch.bytes = bytes;
    return false;
  }
  if (batch.changes.size() > count && (batch.frames.empty() || batch.frames.back() != frame_)) {
    batch.frames.push_back(frame_);
  }
  return true;
}

TablePtr ChangeReader::wanted_table(std::string_view key) {
  return key.size() < 8 ? nullptr : wanted_table(get_big_endian64(key.data()));
}

TablePtr ChangeReader::wanted_table(Generation generation) {
  if (generation < kFirstUserGeneration) return nullptr;
  if (generation == last_generation_) return last_table_;
  auto found = tables_.find(generation);
  if (found == tables_.end()) {
    // Not a table's (an index's, perhaps), or one of which neither log nor catalogue knows any
    // more.
    TablePtr table = catalog_.find(generation);
    if (table == nullptr) return nullptr;
    found = tables_.emplace(generation, std::move(table)).first;
  }
  last_generation_ = generation;
  last_table_ = filter_.tables.matches(found->second->name) ? found->second : nullptr;
  return last_table_;
}

void ChangeReader::note_definition(const ChangeView& change) {
  last_generation_ = 0;
  last_table_ = nullptr;
  if (!change.new_image) {
    // Changes of a deleted table may still lie ahead, until it is forgotten.
    auto removed = split_store_key(change.key);
    if (!removed) return;
    std::erase_if(tables_, [&](const auto& each) {
      return Catalog::deleted_name(each.first) == removed->partition_scalar;
    });
    return;
  }
  auto table = Catalog::decode(ItemView(*change.new_image));
  if (!table) return;
  // The catalogue's own, where it has one: there are many readers.
  const Generation generation = table->generation;
  TablePtr shared = catalog_.find(generation);
  tables_[generation] = shared ? shared : std::make_shared<const Table>(std::move(*table));
}

}  // namespace millrace::streams
