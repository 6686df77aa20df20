#include "core/store/view.h"

#include "core/store/leveldb_status.h"

namespace millrace {
namespace {

// Merges the walks over the memory tables, newest first, and LevelDB's iterator below them. All
// sources stand at their next key in the direction of the walk; where several have the same key,
// the newest wins and all of them move on.
class MergedRange final : public View::Range {
 public:
  MergedRange(std::unique_ptr<leveldb::Iterator> table,
              std::shared_ptr<const leveldb::Snapshot> snapshot,
              std::vector<std::shared_ptr<const MemoryTable>> memory, Lsn lsn, std::string begin,
              std::string end, bool reverse)
      : snapshot_(std::move(snapshot)),
        memory_(std::move(memory)),
        table_(std::move(table)),
        begin_(std::move(begin)),
        end_(std::move(end)),
        reverse_(reverse) {
    for (const auto& source : memory_) walks_.emplace_back(*source, lsn);
    if (reverse_) {
      for (auto& walk : walks_) walk.seek_before(end_);
      if (end_.empty()) {
        table_->SeekToLast();
      } else {
        table_->Seek(slice(end_));
        if (table_->Valid()) {
          table_->Prev();
        } else {
          table_->SeekToLast();
        }
      }
    } else {
      for (auto& walk : walks_) walk.seek(begin_);
      table_->Seek(slice(begin_));
    }
    choose();
  }

  bool valid() const override { return valid_; }
  std::string_view key() const override { return key_; }
  std::string_view image() const override { return image_; }

  void next() override {
    advance();
    choose();
  }

  Status status() const override {
    if (table_->status().ok()) return {};
    return table_error(table_->status());
  }

 private:
  // Whether `a` comes before `b` in the direction of the walk.
  bool precedes(std::string_view a, std::string_view b) const { return reverse_ ? a > b : a < b; }

  void choose() {
    for (;;) {
      const MemoryTable::Walk* best = nullptr;
      for (const auto& walk : walks_) {
        if (walk.valid() && (best == nullptr || precedes(walk.key(), best->key()))) best = &walk;
      }
      bool from_table = table_->Valid() &&
                        (best == nullptr || precedes(string_view_of(table_->key()), best->key()));
      // A failed LevelDB iterator is not valid, but what it would have held is missing: the walk
      // ends.
      valid_ = (from_table || best != nullptr) && table_->status().ok();
      if (!valid_) return;
      key_ = from_table ? string_view_of(table_->key()) : best->key();
      valid_ = reverse_ ? key_ >= begin_ : end_.empty() || key_ < end_;
      if (!valid_) return;
      if (from_table) {
        image_ = string_view_of(table_->value());
        return;
      }
      if (auto version = best->version(); version.image) {
        image_ = *version.image;
        return;
      }
      advance();  // removed
    }
  }

  void advance() {
    // key_ may point into LevelDB's iterator, which moves last.
    for (auto& walk : walks_) {
      if (walk.valid() && walk.key() == key_) reverse_ ? walk.previous() : walk.next();
    }
    if (table_->Valid() && string_view_of(table_->key()) == key_) {
      reverse_ ? table_->Prev() : table_->Next();
    }
  }

  std::shared_ptr<const leveldb::Snapshot> snapshot_;
  std::vector<std::shared_ptr<const MemoryTable>> memory_;
  std::vector<MemoryTable::Walk> walks_;
  std::unique_ptr<leveldb::Iterator> table_;
  const std::string begin_;
  const std::string end_;
  const bool reverse_;
  bool valid_ = false;
  std::string_view key_;
  std::string_view image_;
};

}  // namespace

View::View(leveldb::DB* db, std::shared_ptr<const leveldb::Snapshot> snapshot,
           std::vector<std::shared_ptr<const MemoryTable>> newest_first, Lsn lsn)
    : db_(db), snapshot_(std::move(snapshot)), newest_first_(std::move(newest_first)), lsn_(lsn) {}

Result<bool> View::get(std::string_view key, std::string& image) const {
  if (std::optional<bool> found = get_in_memory(key, lsn_, image)) return *found;
  return get_in_files(key, image);
}

std::optional<bool> View::get_in_memory(std::string_view key, Lsn lsn, std::string& image) const {
  for (const auto& table : newest_first_) {
    if (auto version = table->get(key, lsn)) {
      if (version->image) image.assign(*version->image);
      return version->image.has_value();
    }
  }
  return std::nullopt;
}

Result<bool> View::get_in_files(std::string_view key, std::string& image) const {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.snapshot = snapshot_.get();
  leveldb::Status status = db_->Get(options, slice(key), &image);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return table_error(status);
}

std::unique_ptr<View::Range> View::range(std::string begin, std::string end, bool reverse) const {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.snapshot = snapshot_.get();
  return std::make_unique<MergedRange>(
      std::unique_ptr<leveldb::Iterator>(db_->NewIterator(options)), snapshot_, newest_first_, lsn_,
      std::move(begin), std::move(end), reverse);
}

uint64_t View::approximate_file_bytes(std::string_view begin, std::string_view end) const {
  const leveldb::Range range(slice(begin), slice(end));
  uint64_t bytes = 0;
  db_->GetApproximateSizes(&range, 1, &bytes);
  return bytes;
}

}  // namespace millrace
