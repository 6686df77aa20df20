#include "core/store/table_env.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/memory_disk.h"
#include "core/store/disk_env.h"

namespace millrace {
namespace {

/// Notes what is written back and how much of the file was on the disk then.
class WatchedDisk final : public Disk {
 public:
  struct Part {
    uint64_t offset, bytes, file_bytes;
    bool operator==(const Part&) const = default;
  };

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    ASSIGN_OR_RETURN(auto file, disk_.open(path, create));
    return std::unique_ptr<File>(std::make_unique<Watched>(std::move(file), parts));
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

  std::vector<Part> parts;

 private:
  class Watched final : public File {
   public:
    Watched(std::unique_ptr<File> file, std::vector<Part>& parts)
        : file_(std::move(file)), parts_(parts) {}
    Status read(uint64_t offset, size_t size, std::string& out) const override {
      return file_->read(offset, size, out);
    }
    Status write(uint64_t offset, std::string_view bytes) override {
      return file_->write(offset, bytes);
    }
    Status sync() override { return file_->sync(); }
    void write_back(uint64_t offset, uint64_t bytes) override {
      parts_.push_back({offset, bytes, *file_->size()});
    }
    Result<uint64_t> size() const override { return file_->size(); }

   private:
    const std::unique_ptr<File> file_;
    std::vector<Part>& parts_;
  };

  MemoryDisk disk_{64u << 20};
};

TEST(TableEnv, AFileGoesToTheDiskBitByBitWhileItIsWritten) {
  WatchedDisk disk;
  ASSERT_TRUE(disk.create_folder("tables"));
  DiskEnv base(disk);
  TableEnv env(&base, disk);
  leveldb::WritableFile* created = nullptr;
  ASSERT_TRUE(env.NewWritableFile("tables/000005.ldb", &created).ok());
  const std::unique_ptr<leveldb::WritableFile> file(created);
  const std::string block(200 * 1024, 'x');
  std::string content;
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(file->Append(block).ok());
    content += block;
  }
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Close().ok());
  const uint64_t part = 3 * block.size();
  EXPECT_EQ(disk.parts,
            (std::vector<WatchedDisk::Part>{{0, part, part}, {part, part, 2 * part}}));
  std::string stored;
  ASSERT_TRUE((*disk.open("tables/000005.ldb", false))->read(0, content.size() + 1, stored));
  EXPECT_EQ(stored, content);
}

}  // namespace
}  // namespace millrace
