#include "core/store/disk_env.h"

#include <functional>
#include <memory>
#include <utility>

namespace millrace {
namespace {

leveldb::Status status_of(const Error& error) { return leveldb::Status::IOError(error.message); }
leveldb::Status status_of(const Status& status) {
  return status ? leveldb::Status::OK() : status_of(status.error());
}

class Sequential final : public leveldb::SequentialFile {
 public:
  explicit Sequential(std::unique_ptr<File> file) : file_(std::move(file)) {}
  leveldb::Status Read(size_t size, leveldb::Slice* result, char* scratch) override {
    std::string bytes;
    if (Status status = file_->read(offset_, size, bytes); !status) return status_of(status);
    offset_ += bytes.size();
    bytes.copy(scratch, bytes.size());
    *result = leveldb::Slice(scratch, bytes.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t size) override {
    offset_ += size;
    return leveldb::Status::OK();
  }

 private:
  std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
};

class RandomAccess final : public leveldb::RandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<File> file) : file_(std::move(file)) {}
  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    std::string bytes;
    if (Status status = file_->read(offset, size, bytes); !status) return status_of(status);
    bytes.copy(scratch, bytes.size());
    *result = leveldb::Slice(scratch, bytes.size());
    return leveldb::Status::OK();
  }

 private:
  std::unique_ptr<File> file_;
};

// Buffers as LevelDB's own writable file does.
class Writable final : public leveldb::WritableFile {
 public:
  Writable(std::unique_ptr<File> file, uint64_t offset, std::function<Status()> sync_folder)
      : file_(std::move(file)), offset_(offset), sync_folder_(std::move(sync_folder)) {}
  leveldb::Status Append(const leveldb::Slice& data) override {
    buffer_.append(data.data(), data.size());
    return buffer_.size() >= 65536 ? Flush() : leveldb::Status::OK();
  }
  leveldb::Status Close() override { return Flush(); }
  leveldb::Status Flush() override {
    if (buffer_.empty()) return leveldb::Status::OK();
    Status status = file_->write(offset_, buffer_);
    offset_ += buffer_.size();
    buffer_.clear();
    return status_of(status);
  }
  leveldb::Status Sync() override {
    if (sync_folder_) {
      if (Status status = sync_folder_(); !status) return status_of(status);
    }
    if (leveldb::Status status = Flush(); !status.ok()) return status;
    return status_of(file_->sync());
  }

 private:
  std::unique_ptr<File> file_;
  uint64_t offset_;
  std::string buffer_;
  std::function<Status()> sync_folder_;  // of a MANIFEST only, as LevelDB's PosixEnv does
};

class NoLock final : public leveldb::FileLock {};

class NoLogger final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

leveldb::Status DiskEnv::NewSequentialFile(const std::string& path,
                                           leveldb::SequentialFile** result) {
  if (!disk_.exists(path)) return leveldb::Status::NotFound(path);
  auto file = disk_.open(path, false);
  if (!file) return status_of(file.error());
  *result = new Sequential(*std::move(file));
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::NewRandomAccessFile(const std::string& path,
                                             leveldb::RandomAccessFile** result) {
  if (!disk_.exists(path)) return leveldb::Status::NotFound(path);
  auto file = disk_.open(path, false);
  if (!file) return status_of(file.error());
  *result = new RandomAccess(*std::move(file));
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** result) {
  if (disk_.exists(path)) {
    if (Status status = disk_.remove(path); !status) return status_of(status);
  }
  return NewAppendableFile(path, result);
}

leveldb::Status DiskEnv::NewAppendableFile(const std::string& path,
                                           leveldb::WritableFile** result) {
  auto file = disk_.open(path, true);
  if (!file) return status_of(file.error());
  auto size = (*file)->size();
  if (!size) return status_of(size.error());
  std::function<Status()> sync_folder;
  if (name_of(path).starts_with("MANIFEST")) {
    sync_folder = [this, folder = folder_of(path)] { return disk_.sync_folder(folder); };
  }
  *result = new Writable(*std::move(file), *size, std::move(sync_folder));
  return leveldb::Status::OK();
}

bool DiskEnv::FileExists(const std::string& path) { return disk_.exists(path); }

leveldb::Status DiskEnv::GetChildren(const std::string& folder, std::vector<std::string>* names) {
  auto list = disk_.list(folder);
  if (!list) return status_of(list.error());
  *names = *list;
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::RemoveFile(const std::string& path) {
  return status_of(disk_.remove(path));
}

leveldb::Status DiskEnv::CreateDir(const std::string& path) {
  return status_of(disk_.create_folder(path));
}

leveldb::Status DiskEnv::RemoveDir(const std::string&) { return leveldb::Status::OK(); }

leveldb::Status DiskEnv::GetFileSize(const std::string& path, uint64_t* size) {
  auto file = disk_.open(path, false);
  if (!file) return status_of(file.error());
  auto result = (*file)->size();
  if (!result) return status_of(result.error());
  *size = *result;
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::RenameFile(const std::string& from, const std::string& to) {
  return status_of(disk_.rename(from, to));
}

leveldb::Status DiskEnv::LockFile(const std::string&, leveldb::FileLock** lock) {
  *lock = new NoLock;
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

leveldb::Status DiskEnv::NewLogger(const std::string&, leveldb::Logger** logger) {
  *logger = new NoLogger;
  return leveldb::Status::OK();
}

}  // namespace millrace
