#include "core/store/table_env.h"

#include <leveldb/write_batch.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "core/base/turns.h"
#include "core/store/manifest_end.h"

namespace millrace {
namespace {

// A file goes to the disk in parts of this size while it is written: a flush of the log waits
// behind whatever the disk has been given, and the sync of a whole table file would hold it up for
// many milliseconds.
constexpr uint64_t kWriteBackBytes = 512 * 1024;

// Room for so many memtables counts as little.
constexpr uint64_t kRoomFactor = 4;

class NamedFile final : public leveldb::WritableFile {
 public:
  NamedFile(leveldb::WritableFile* target, Disk& disk, std::string path)
      : target_(target), disk_(disk), path_(std::move(path)) {}
  ~NamedFile() override {
    if (!name_is_durable_) (void)disk_.remove(path_);
  }

  leveldb::Status Append(const leveldb::Slice& data) override {
    end_turn();
    leveldb::Status status = target_->Append(data);
    bytes_ += data.size();
    if (status.ok() && bytes_ - written_back_ >= kWriteBackBytes) status = write_back();
    return status;
  }
  leveldb::Status Close() override { return target_->Close(); }
  // LevelDB flushes after every block of a table, that is after every kilobyte: a system call each.
  // Nobody reads a file before it has been synced or closed, and both flush it.
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    leveldb::Status status = target_->Sync();
    if (!status.ok() || name_is_durable_) return status;
    if (Status folder = disk_.sync_folder(path_.substr(0, path_.rfind('/'))); !folder) {
      return leveldb::Status::IOError(folder.error().message);
    }
    name_is_durable_ = true;
    return status;
  }

 private:
  leveldb::Status write_back() {
    leveldb::Status status = target_->Flush();
    if (!status.ok()) return status;
    // By a descriptor of its own, so that LevelDB's is still told of a failure by its sync.
    if (file_ == nullptr) {
      auto opened = disk_.open(path_, false);
      if (!opened) return leveldb::Status::IOError(opened.error().message);
      file_ = *std::move(opened);
    }
    file_->write_back(written_back_, bytes_ - written_back_);
    written_back_ = bytes_;
    return status;
  }

  const std::unique_ptr<leveldb::WritableFile> target_;
  Disk& disk_;
  const std::string path_;
  bool name_is_durable_ = false;
  std::unique_ptr<File> file_;  // for writing back; none before the first time
  uint64_t bytes_ = 0;          // appended
  uint64_t written_back_ = 0;   // of them
};

// A compaction reads a block for every few keys, and may write none of them.
class BlockFile final : public leveldb::RandomAccessFile {
 public:
  explicit BlockFile(leveldb::RandomAccessFile* target) : target_(target) {}

  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    end_turn();
    return target_->Read(offset, size, result, scratch);
  }

 private:
  const std::unique_ptr<leveldb::RandomAccessFile> target_;
};

// Whether this thread is doing what LevelDB scheduled.
thread_local bool does_scheduled_work = false;

// Of the last memtable that LevelDB began on this thread; 0: none.
thread_local uint64_t log_begun = 0;

// By its path.
uint64_t log_number(const std::string& path) {
  return std::strtoull(path.c_str() + path.rfind('/') + 1, nullptr, 10);
}

// Whether this thread is in compact_range().
thread_local bool compacts_range = false;

class NoLock final : public leveldb::FileLock {};

class NoFile final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice&) override { return leveldb::Status::OK(); }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
};

class FileInMemory final : public leveldb::SequentialFile {
 public:
  explicit FileInMemory(std::string content) : content_(std::move(content)) {}

  leveldb::Status Read(size_t size, leveldb::Slice* result, char* scratch) override {
    size = std::min(size, content_.size() - offset_);
    std::memcpy(scratch, content_.data() + offset_, size);
    *result = leveldb::Slice(scratch, size);
    offset_ += size;
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t size) override {
    offset_ += std::min<uint64_t>(size, content_.size() - offset_);
    return leveldb::Status::OK();
  }

 private:
  const std::string content_;
  size_t offset_ = 0;
};

}  // namespace

leveldb::Status TableEnv::NewSequentialFile(const std::string& path,
                                            leveldb::SequentialFile** file) {
  if (path.find("/MANIFEST-") == std::string::npos) return target()->NewSequentialFile(path, file);
  std::string content;
  leveldb::Status status = leveldb::ReadFileToString(target(), path, &content);
  if (!status.ok()) return status;
  content.resize(manifest_end(content));
  *file = new FileInMemory(std::move(content));
  return status;
}

leveldb::Status TableEnv::NewRandomAccessFile(const std::string& path,
                                              leveldb::RandomAccessFile** file) {
  leveldb::RandomAccessFile* opened = nullptr;
  leveldb::Status status = target()->NewRandomAccessFile(path, &opened);
  // A read that LevelDB answers with this means an item that is not there.
  if (status.IsNotFound()) return leveldb::Status::IOError("a table file is missing", path);
  if (status.ok()) *file = new BlockFile(opened);
  return status;
}

leveldb::Status TableEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  if (path.ends_with(".log")) {
    // The compaction itself begins with a new one.
    if (compacting_range_ && !compacts_range) {
      auto room = disk_.free_bytes(path.substr(0, path.rfind('/')));
      if (!room || *room < kRoomFactor * memtable_bytes_) {
        return leveldb::Status::NotSupported("a range is being compacted");
      }
    }
    log_begun = log_number(path);
    {
      std::lock_guard lock(progress_->mutex);
      progress_->logs.insert(log_begun);
    }
    memtable_is_full();
    *file = new NoFile;
    return leveldb::Status::OK();
  }
  {
    std::lock_guard lock(mutex_);
    held_removals_.erase(path);
  }
  leveldb::WritableFile* created = nullptr;
  leveldb::Status status = target()->NewWritableFile(path, &created);
  if (!status.ok()) return status;
  *file = new NamedFile(created, disk_, path);
  return status;
}

leveldb::Status TableEnv::GetChildren(const std::string& folder, std::vector<std::string>* names) {
  leveldb::Status status = target()->GetChildren(folder, names);
  std::lock_guard lock(progress_->mutex);
  // In front, so that they go before LevelDB removes what takes time.
  for (uint64_t log : progress_->logs) names->insert(names->begin(), std::to_string(log) + ".log");
  return status;
}

leveldb::Status TableEnv::RemoveFile(const std::string& path) {
  if (path.ends_with(".log")) {
    std::lock_guard lock(progress_->mutex);
    progress_->logs.erase(log_number(path));
    progress_->changed.notify_all();
    return leveldb::Status::OK();
  }
  {
    std::lock_guard lock(mutex_);
    if (removals_held_) {
      held_removals_.insert(path);
      return leveldb::Status::OK();
    }
  }
  return remove(path);
}

void TableEnv::hold_removals() {
  std::lock_guard lock(mutex_);
  removals_held_ = true;
  held_removals_.clear();
}

// What cannot be removed is tried again at LevelDB's next start. Under the mutex, so that nobody
// begins to write it anew meanwhile.
bool TableEnv::end_held_removals() {
  std::lock_guard lock(mutex_);
  removals_held_ = false;
  if (held_removals_.empty()) return false;
  remove(held_removals_.extract(held_removals_.begin()).value());
  return !held_removals_.empty();
}

leveldb::Status TableEnv::remove(const std::string& path) {
  if (Status removed = disk_.remove_in_parts(path); !removed)
    return leveldb::Status::IOError(removed.error().message);
  return leveldb::Status::OK();
}

// LevelDB has at most one piece of work scheduled, and calls this again at that piece's end if
// there is more to do. So while one is put off nothing else is scheduled, and what is needed must
// start it.
void TableEnv::Schedule(void (*function)(void*), void* argument) {
  std::lock_guard lock(mutex_);
  const bool has_work = std::exchange(has_work_, false);
  if (has_work || does_scheduled_work || prompts_ > 0) {
    start({function, argument});
  } else {
    put_off_.push_back({function, argument});
  }
}

// LevelDB begins a new log with each memtable, and schedules work for the full one right behind
// that, under the same lock, unless it has scheduled some. Work of a failed database may be put off
// beside it, so one does not exclude the other.
void TableEnv::memtable_is_full() {
  std::lock_guard lock(mutex_);
  has_work_ = true;
  start_what_was_put_off();
}

void TableEnv::start_what_was_put_off() {
  for (const Work& work : std::exchange(put_off_, {})) start(work);
}

// Whichever thread of ours has work for it first starts LevelDB's.
void TableEnv::start(const Work& work) {
  struct Started {
    Work work;
    std::shared_ptr<Progress> progress;
  };
  auto run = [](void* given) {
    const std::unique_ptr<Started> started(static_cast<Started*>(given));
    work_in_turns();
    Progress& progress = *started->progress;
    {
      std::lock_guard lock(progress.mutex);
      ++progress.under_way;
    }
    does_scheduled_work = true;
    started->work.function(started->work.argument);
    does_scheduled_work = false;
    std::lock_guard lock(progress.mutex);
    --progress.under_way;
    ++progress.looks;
    progress.changed.notify_all();
  };
  target()->Schedule(run, new Started{work, progress_});
}

TableEnv::Prompt::Prompt(TableEnv& env) : env_(env) {
  std::lock_guard lock(env_.mutex_);
  ++env_.prompts_;
  env_.start_what_was_put_off();
}

TableEnv::Prompt::~Prompt() {
  std::lock_guard lock(env_.mutex_);
  --env_.prompts_;
}

bool TableEnv::is_working() const {
  std::lock_guard lock(progress_->mutex);
  return progress_->under_way > 0;
}

// A write of nothing at all makes LevelDB put a new memtable in the place of the last one, once
// that before it is a file. But with other writes that wait it is taken as one, and does not. (A
// compaction by hand of an empty range begins with this write and may go unheard too, and ends only
// when a compaction has that LevelDB is at.)
void TableEnv::flush_memtable(leveldb::DB& db) {
  const Prompt prompt(*this);
  log_begun = 0;
  while (log_begun == 0) {
    if (!db.Write(leveldb::WriteOptions(), nullptr).ok()) return;
  }
  const uint64_t log = log_begun;
  auto is_file = [this, log] { return *progress_->logs.begin() >= log; };
  leveldb::WriteBatch nothing;
  std::unique_lock lock(progress_->mutex);
  while (!is_file()) {
    const uint64_t looks = progress_->looks;
    lock.unlock();
    if (!db.Write(leveldb::WriteOptions(), &nothing).ok()) return;
    lock.lock();
    progress_->changed.wait(lock, [&] { return progress_->looks != looks || is_file(); });
  }
}

void TableEnv::look_again() {
  std::lock_guard lock(progress_->mutex);
  ++progress_->looks;
  progress_->changed.notify_all();
}

void TableEnv::compact_range(leveldb::DB& db, const leveldb::Slice& begin,
                             const leveldb::Slice* end) {
  const Prompt prompt(*this);
  compacting_range_ = true;
  compacts_range = true;
  db.CompactRange(&begin, end);
  compacts_range = false;
  compacting_range_ = false;
}

// What LevelDB does first when a database is opened.
leveldb::Status TableEnv::LockFile(const std::string&, leveldb::FileLock** lock) {
  {
    std::lock_guard guard(progress_->mutex);
    progress_->logs.clear();
  }
  *lock = new NoLock;
  return leveldb::Status::OK();
}

leveldb::Status TableEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

}  // namespace millrace
