#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/disk.h"
#include "tests/sim/begun_write.h"

namespace millrace {

/// Passes every call on to another disk: the base of those that watch it or make it fail.
class ForwardingDisk : public Disk {
 public:
  explicit ForwardingDisk(Disk& disk) : disk_(disk) {}

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    return disk_.open(path, create);
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status create_folder(const std::string& path) override { return disk_.create_folder(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }
  Status sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }
  Result<uint64_t> free_bytes(const std::string& folder) override {
    return disk_.free_bytes(folder);
  }
  Result<uint64_t> used_bytes(const std::string& path) override { return disk_.used_bytes(path); }

 private:
  Disk& disk_;
};

/// The same for a file, which it owns.
class ForwardingFile : public BeginningFile {
 public:
  explicit ForwardingFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  Status read(uint64_t offset, size_t size, std::string& out) const override {
    return file_->read(offset, size, out);
  }
  Status write(uint64_t offset, std::string_view bytes) override {
    return file_->write(offset, bytes);
  }
  Status sync() override { return file_->sync(); }
  void write_back(uint64_t offset, uint64_t bytes) override { file_->write_back(offset, bytes); }
  Result<uint64_t> size() const override { return file_->size(); }

 private:
  const std::unique_ptr<File> file_;
};

}  // namespace millrace
