#include "core/store/table_env.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace {
namespace {

class NamedFile final : public leveldb::WritableFile {
 public:
  NamedFile(leveldb::WritableFile* target, Disk& disk, std::string folder)
      : target_(target), disk_(disk), folder_(std::move(folder)) {}

  leveldb::Status Append(const leveldb::Slice& data) override { return target_->Append(data); }
  leveldb::Status Close() override { return target_->Close(); }
  leveldb::Status Flush() override { return target_->Flush(); }
  leveldb::Status Sync() override {
    leveldb::Status status = target_->Sync();
    if (!status.ok() || name_is_durable_) return status;
    if (Status folder = disk_.sync_folder(folder_); !folder) {
      return leveldb::Status::IOError(folder.error().message);
    }
    name_is_durable_ = true;
    return status;
  }

 private:
  const std::unique_ptr<leveldb::WritableFile> target_;
  Disk& disk_;
  const std::string folder_;
  bool name_is_durable_ = false;
};

class NoFile final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice&) override { return leveldb::Status::OK(); }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
};

}  // namespace

leveldb::Status TableEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  if (path.ends_with(".log")) {
    *file = new NoFile;
    return leveldb::Status::OK();
  }
  leveldb::WritableFile* created = nullptr;
  leveldb::Status status = target()->NewWritableFile(path, &created);
  if (!status.ok()) return status;
  *file = new NamedFile(created, disk_, path.substr(0, path.rfind('/')));
  return status;
}

}  // namespace millrace
