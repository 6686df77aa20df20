#include "core/store/table_env.h"

#include <gtest/gtest.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
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
  TableEnv env(&base, disk, 64u << 10);
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

/// Null if it cannot be opened.
std::unique_ptr<leveldb::DB> open_tables(leveldb::Env& env, size_t memtable_bytes) {
  leveldb::Options options;
  options.env = &env;
  options.create_if_missing = true;
  options.write_buffer_size = memtable_bytes;
  leveldb::DB* opened = nullptr;
  if (!leveldb::DB::Open(options, "tables", &opened).ok()) return nullptr;
  return std::unique_ptr<leveldb::DB>(opened);
}

// LevelDB takes writes that wait together as one, also one that is to do something else.
TEST(TableEnv, AMemtableIsFlushedAlsoBesideAWrite) {
  MemoryDisk disk(64u << 20);
  DiskEnv base(disk);
  TableEnv env(&base, disk, 64u << 10);
  auto db = open_tables(env, 64u << 20);
  ASSERT_TRUE(db);
  auto files = [&] {
    const std::vector<std::string> names = disk.list("tables").value();
    return std::count_if(names.begin(), names.end(),
                         [](const std::string& name) { return name.ends_with(".ldb"); });
  };
  // LevelDB is busy with it for some hundredths of a second.
  leveldb::WriteBatch many;
  for (int i = 0; i < 50'000; ++i) many.Put(std::to_string(i), "x");
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(db->Put({}, "before", "x").ok());
    std::atomic<int> begun = 0;
    auto begin = [&](auto write) {
      const int before = begun;
      std::thread thread([&begun, write] {
        ++begun;
        EXPECT_TRUE(write().ok());
      });
      while (begun == before) std::this_thread::yield();
      for (int i = 0; i < 100; ++i) std::this_thread::yield();
      return thread;
    };
    // The second waits for the first, and takes what comes next along.
    std::thread first = begin([&] { return db->Write({}, &many); });
    std::thread second = begin([&] { return db->Put({}, "beside", "x"); });
    env.flush_memtable(*db);
    EXPECT_EQ(files(), round);
    first.join();
    second.join();
  }
  const TableEnv::Prompt prompt(env);
  db.reset();
}

/// Lets the first table files be written; the thread of the next one waits.
class GatedEnv final : public DiskEnv {
 public:
  using DiskEnv::DiskEnv;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override {
    if (path.ends_with(".ldb") && let_in-- == 0) {
      waits = true;
      while (!is_open) std::this_thread::yield();
    }
    return DiskEnv::NewWritableFile(path, file);
  }
  std::atomic<int> let_in{0};
  std::atomic<bool> waits{false}, is_open{false};
};

// LevelDB could not stand that memtable's failure.
TEST(TableEnv, WithLittleRoomNoMemtableIsBegunWhileARangeIsCompacted) {
  MemoryDisk disk(64u << 20);
  GatedEnv base(disk);
  TableEnv env(&base, disk, 32u << 20);  // four of which the disk has no room for
  auto db = open_tables(env, 64u << 10);
  ASSERT_TRUE(db);
  // Two files, then the memtable's, then the one into which they are compacted.
  base.let_in = 3;
  const std::string value(1000, 'x');
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(db->Put({}, "key", value).ok());
    env.flush_memtable(*db);
  }
  ASSERT_TRUE(db->Put({}, "key", value).ok());
  std::thread compaction([&] { env.compact_range(*db, "", nullptr); });
  while (!base.waits) std::this_thread::yield();

  auto put = [&](int i) { return db->Put({}, "key" + std::to_string(i), value); };
  int accepted = 0;
  leveldb::Status status;
  while (accepted < 1000 && (status = put(accepted)).ok()) ++accepted;
  EXPECT_TRUE(status.IsNotSupportedError()) << status.ToString();
  EXPECT_GT(accepted, 10);
  EXPECT_TRUE(put(accepted).IsNotSupportedError());
  std::string found;
  EXPECT_TRUE(db->Get({}, "key" + std::to_string(accepted), &found).IsNotFound());

  base.is_open = true;
  compaction.join();
  EXPECT_TRUE(put(accepted).ok());
  for (int i = 0; i <= accepted; ++i) {
    EXPECT_TRUE(db->Get({}, "key" + std::to_string(i), &found).ok()) << i;
  }
  const TableEnv::Prompt prompt(env);
  db.reset();
}

class FilesOfTables : public ::testing::Test {
 protected:
  FilesOfTables() { EXPECT_TRUE(disk_.create_folder("tables")); }
  void write(const std::string& path, bool sync = true) {
    leveldb::WritableFile* created = nullptr;
    ASSERT_TRUE(env_.NewWritableFile(path, &created).ok());
    const std::unique_ptr<leveldb::WritableFile> file(created);
    ASSERT_TRUE(file->Append("block").ok());
    ASSERT_TRUE(!sync || file->Sync().ok());
    ASSERT_TRUE(file->Close().ok());
  }

  MemoryDisk disk_{64u << 20};
  DiskEnv base_{disk_};
  TableEnv env_{&base_, disk_, 64u << 10};
};

TEST_F(FilesOfTables, HeldRemovalsComeWhenTheyEnd) {
  for (const char* path : {"tables/1.ldb", "tables/2.ldb", "tables/3.ldb"}) write(path);
  env_.hold_removals();
  for (const char* path : {"tables/1.ldb", "tables/2.ldb"}) {
    EXPECT_TRUE(env_.RemoveFile(path).ok());
    EXPECT_TRUE(disk_.exists(path));
  }
  write("tables/2.ldb");
  EXPECT_FALSE(env_.end_held_removals());
  EXPECT_FALSE(disk_.exists("tables/1.ldb"));
  EXPECT_TRUE(disk_.exists("tables/2.ldb")) << "it was written anew";
  EXPECT_TRUE(env_.RemoveFile("tables/3.ldb").ok());
  EXPECT_FALSE(disk_.exists("tables/3.ldb"));

  // Also by another thread, while it is being removed.
  for (int i = 0; i < 100; ++i) {
    env_.hold_removals();
    EXPECT_TRUE(env_.RemoveFile("tables/2.ldb").ok());
    std::thread writer([&] { write("tables/2.ldb"); });
    env_.end_held_removals();
    writer.join();
    ASSERT_TRUE(disk_.exists("tables/2.ldb"));
  }

  // What an attempt before wanted is of no account.
  env_.hold_removals();
  EXPECT_TRUE(env_.RemoveFile("tables/2.ldb").ok());
  env_.hold_removals();
  env_.end_held_removals();
  EXPECT_TRUE(disk_.exists("tables/2.ldb"));
}

TEST_F(FilesOfTables, OneThatWasNeverSyncedIsNotKept) {
  write("tables/1.ldb", /*sync=*/false);
  EXPECT_FALSE(disk_.exists("tables/1.ldb"));
  write("tables/1.ldb");
  EXPECT_TRUE(disk_.exists("tables/1.ldb"));
}

/// Counts what is scheduled.
class CountingEnv final : public DiskEnv {
 public:
  using DiskEnv::DiskEnv;
  void Schedule(void (*work)(void*), void* argument) override {
    ++scheduled;
    DiskEnv::Schedule(work, argument);
  }
  std::atomic<int> scheduled{0};
};

// LevelDB lets the first of two files be passed a hundred times.
constexpr int kReads = 300;

/// A database in which a read of "m" passes a file of level 0 on its way.
std::unique_ptr<leveldb::DB> two_levels(leveldb::Env& env) {
  auto db = open_tables(env, 64u << 10);
  if (!db) return nullptr;
  for (const char* key : {"a", "m", "z"}) EXPECT_TRUE(db->Put({}, key, "1").ok());
  db->CompactRange(nullptr, nullptr);
  for (const char* key : {"a", "z"}) EXPECT_TRUE(db->Put({}, key, "2").ok());
  const leveldb::Slice nowhere("");
  db->CompactRange(&nowhere, &nowhere);
  return db;
}

void read_past_it(leveldb::DB& db) {
  std::string value;
  for (int i = 0; i < kReads; ++i) {
    ASSERT_TRUE(db.Get({}, "m", &value).ok());
    ASSERT_EQ(value, "1");
  }
}

int files_at(leveldb::DB& db, int level) {
  std::string count;
  EXPECT_TRUE(db.GetProperty("leveldb.num-files-at-level" + std::to_string(level), &count));
  return std::stoi(count);
}

/// What table files have of the key that memtables are filled with.
uint64_t filled_bytes(leveldb::DB& db) {
  const leveldb::Range range("zz", "zzz");
  uint64_t bytes = 0;
  db.GetApproximateSizes(&range, 1, &bytes);
  return bytes;
}

TEST(TableEnv, LevelDbByItselfWouldCompactForReads) {
  MemoryDisk disk(64u << 20);
  CountingEnv env(disk);
  auto db = two_levels(env);
  ASSERT_TRUE(db);
  const int before = env.scheduled;
  read_past_it(*db);
  EXPECT_EQ(env.scheduled, before + 1);
}

class ReadsOfTables : public ::testing::Test {
 protected:
  ReadsOfTables() {
    {
      const TableEnv::Prompt prompt(env_);
      db_ = two_levels(env_);
    }
    scheduled_ = base_.scheduled;
    if (db_) read_past_it(*db_);
  }
  ~ReadsOfTables() override {
    const TableEnv::Prompt prompt(env_);
    db_.reset();
  }
  void fill_a_memtable() {
    const std::string value(40 * 1024, 'v');
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(db_->Put({}, "zz", value).ok());
    const TableEnv::Prompt prompt(env_);
    const leveldb::Slice nowhere("");
    db_->CompactRange(&nowhere, &nowhere);
  }

  MemoryDisk disk_{64u << 20};
  CountingEnv base_{disk_};
  TableEnv env_{&base_, disk_, 64u << 10};
  std::unique_ptr<leveldb::DB> db_;
  int scheduled_ = 0;
};

TEST_F(ReadsOfTables, CompactNothing) {
  ASSERT_TRUE(db_);
  EXPECT_EQ(base_.scheduled, scheduled_);
}

TEST_F(ReadsOfTables, DoNotKeepAFullMemtableFromItsFile) {
  ASSERT_TRUE(db_);
  EXPECT_EQ(filled_bytes(*db_), 0u);
  fill_a_memtable();
  EXPECT_GT(base_.scheduled, scheduled_);
  EXPECT_GT(filled_bytes(*db_), 0u);
}

TEST_F(ReadsOfTables, DoNotKeepARangeFromBeingCompacted) {
  ASSERT_TRUE(db_);
  {
    const TableEnv::Prompt prompt(env_);
    db_->CompactRange(nullptr, nullptr);
  }
  EXPECT_EQ(files_at(*db_, 0), 0);
}

TEST_F(ReadsOfTables, DoNotKeepADatabaseFromEnding) {
  ASSERT_TRUE(db_);
  const TableEnv::Prompt prompt(env_);
  db_.reset();
}

}  // namespace
}  // namespace millrace
