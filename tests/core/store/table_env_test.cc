#include "core/store/table_env.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/memory_disk.h"
#include "core/store/disk_env.h"
#include "forwarding_disk.h"

namespace millrace {
namespace {

/// Notes what is written back and how much of the file was on the disk then.
class WatchedDisk final : public ForwardingDisk {
 public:
  explicit WatchedDisk(Disk& disk) : ForwardingDisk(disk) {}

  struct Part {
    uint64_t offset, bytes, file_bytes;
    bool operator==(const Part&) const = default;
  };

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    ASSIGN_OR_RETURN(auto file, ForwardingDisk::open(path, create));
    return std::unique_ptr<File>(std::make_unique<Watched>(std::move(file), parts));
  }

  std::vector<Part> parts;

 private:
  class Watched final : public ForwardingFile {
   public:
    Watched(std::unique_ptr<File> file, std::vector<Part>& parts)
        : ForwardingFile(std::move(file)), parts_(parts) {}
    void write_back(uint64_t offset, uint64_t bytes) override {
      parts_.push_back({offset, bytes, *size()});
    }

   private:
    std::vector<Part>& parts_;
  };
};

TEST(TableEnv, AFileGoesToTheDiskBitByBitWhileItIsWritten) {
  MemoryDisk memory(64u << 20);
  WatchedDisk disk(memory);
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
  EXPECT_EQ(disk.parts, (std::vector<WatchedDisk::Part>{{0, part, part}, {part, part, 2 * part}}));
  std::string stored;
  ASSERT_TRUE((*disk.open("tables/000005.ldb", false))->read(0, content.size() + 1, stored));
  EXPECT_EQ(stored, content);
}

}  // namespace
}  // namespace millrace
