#include <gtest/gtest.h>
#include <leveldb/env.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/schema.h"
#include "core/store/engine.h"
#include "engine_fixture.h"
#include "forwarding_disk.h"
#include "tests/sim/begun_write.h"

namespace millrace {
namespace {

constexpr Generation kTable = kFirstUserGeneration;

std::string key_of(uint64_t n) {
  std::string key;
  append_partition_prefix(kTable, "k" + std::to_string(n), key);
  return key;
}

// The operating system's disk, which fails when told.
class FailingDisk final : public ForwardingDisk {
 public:
  FailingDisk() : ForwardingDisk(posix_) {}

  std::atomic<bool> fail_writes{false}, fail_removals{false}, fail_renames{false};
  /// The next write leaves out this many bytes at its end and says that the disk is full.
  std::atomic<size_t> full_before_last{0};

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    ASSIGN_OR_RETURN(auto file, ForwardingDisk::open(path, create));
    return std::unique_ptr<File>(std::make_unique<FailingFile>(*this, std::move(file)));
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (fail_renames) return make_error(ErrorCode::kIo, "told to fail");
    return ForwardingDisk::rename(from, to);
  }
  Status remove(const std::string& path) override {
    if (fail_removals) return make_error(ErrorCode::kIo, "told to fail");
    return ForwardingDisk::remove(path);
  }

 private:
  class FailingFile final : public ForwardingFile {
   public:
    FailingFile(FailingDisk& disk, std::unique_ptr<File> file)
        : ForwardingFile(std::move(file)), disk_(disk) {}
    Status write(uint64_t offset, std::string_view bytes) override {
      if (disk_.fail_writes) return make_error(ErrorCode::kIo, "told to fail");
      if (const size_t left_out = disk_.full_before_last.exchange(0); left_out > 0) {
        RETURN_IF_ERROR(ForwardingFile::write(offset, bytes.substr(0, bytes.size() - left_out)));
        return make_error(ErrorCode::kDiskFull, "told to be full");
      }
      return ForwardingFile::write(offset, bytes);
    }

   private:
    FailingDisk& disk_;
  };

  PosixDisk posix_;
};

// LevelDB's disk, which refuses new files and further bytes when told.
class FailingEnv final : public leveldb::EnvWrapper {
 public:
  FailingEnv() : EnvWrapper(leveldb::Env::Default()) {}
  std::atomic<bool> fail_new_files{false}, fail_appends{false};

  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override {
    if (fail_new_files) return leveldb::Status::IOError("told to fail");
    leveldb::WritableFile* opened = nullptr;
    leveldb::Status status = target()->NewWritableFile(path, &opened);
    if (status.ok()) *file = new FailingFile(*this, opened);
    return status;
  }

 private:
  class FailingFile final : public leveldb::WritableFile {
   public:
    FailingFile(FailingEnv& env, leveldb::WritableFile* file) : env_(env), file_(file) {}
    leveldb::Status Append(const leveldb::Slice& data) override {
      if (env_.fail_appends) return leveldb::Status::IOError("told to fail");
      return file_->Append(data);
    }
    leveldb::Status Close() override { return file_->Close(); }
    leveldb::Status Flush() override { return file_->Flush(); }
    leveldb::Status Sync() override { return file_->Sync(); }

   private:
    FailingEnv& env_;
    const std::unique_ptr<leveldb::WritableFile> file_;
  };
};

// Has the log begin what it can, and end it at once.
class BeginningFlusher final : public Flusher {
 public:
  void flush(Flush& flush) override {
    if (flush.begin(write_)) {
      flush.end(write_);
      ++begun;
    } else {
      flush.write();
    }
    flush.finish();
  }
  int begun = 0;

 private:
  BegunWrite write_;
};

// The engine waits for the disk itself, or has writes begun (the parameter).
class EngineFailureTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "engine-failure-" + std::to_string(::getpid()) + "-" +
              std::to_string(GetParam());
    std::filesystem::remove_all(folder_);
    options_.folder = folder_;
    options_.memory_table_bytes = 64 << 10;
    options_.memory_tables_bytes_max = 256 << 10;
    options_.checkpoint_bytes = 128 << 10;
    options_.log.segment_bytes = 256 << 10;
    options_.log.first_segment_bytes = 64 << 10;
    open();
  }
  void TearDown() override {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    engine_.reset();
    auto engine = Engine::open(options_, disk_, &env_, clock_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
    if (GetParam()) engine_->set_flusher(&flusher_);
  }
  // Queues a write; its outcome goes into `answers`.
  void submit_put(uint64_t n, std::string image, size_t old_bytes = 0) {
    auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
        [n, image = std::move(image), old_bytes](Commit& commit) {
          std::optional<std::string_view> old_image;
          std::string old(old_bytes, 'o');
          if (old_bytes > 0) old_image = old;
          commit.put(key_of(n), image, false, old_image);
        },
        [this](const Status& status) { answers_.push_back(status); }));
    ASSERT_TRUE(engine_->submit(std::move(command)));
  }
  void put(uint64_t n, std::string image) {
    size_t answers = answers_.size();
    submit_put(n, std::move(image));
    engine_->step();
    ASSERT_EQ(answers_.size(), answers + 1);
    ASSERT_TRUE(answers_.back()) << answers_.back().error().message;
  }
  void step_until_answered(size_t answers) {
    for (int i = 0; i < 1000 && answers_.size() < answers; ++i) engine_->step();
  }
  std::string get(uint64_t n) {
    std::string image;
    auto found = engine_->view()->get(key_of(n), image);
    EXPECT_TRUE(found);
    return found && *found ? image : "";
  }

  std::string folder_;
  EngineOptions options_;
  FailingDisk disk_;
  BeginningFlusher flusher_;
  FailingEnv env_;
  SystemClock clock_;
  std::vector<Status> answers_;
  std::unique_ptr<Engine> engine_;
};

// What a failed flush left in the memory table is in no view, and must not get into LevelDB either,
// where a later start would take it for data that the log vouched for.
TEST_P(EngineFailureTest, AfterAFailedFlushNothingThatWasStagedReachesTheTables) {
  put(1, "old");
  disk_.fail_writes = true;
  submit_put(1, "never durable");
  engine_->step();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_FALSE(answers_[1]);
  EXPECT_EQ(flusher_.begun > 0, GetParam());
  disk_.fail_writes = false;
  EXPECT_EQ(get(1), "old");
  EXPECT_FALSE(engine_->checkpoint());
  while (*engine_->maintain()) {
  }
  EXPECT_EQ(get(1), "old");
  open();
  EXPECT_EQ(get(1), "old");
}

// Those that wait for the next flush are told.
TEST_P(EngineFailureTest, AfterAFailedFlushTheNextIsNotBegun) {
  class Holding final : public Flusher {
   public:
    void flush(Flush& flush) override { held = &flush; }
    Flush* held = nullptr;
  } holding;
  put(1, "old");
  engine_->set_flusher(&holding);
  submit_put(1, "never durable");
  engine_->step();
  submit_put(2, "never begun");
  ASSERT_EQ(answers_.size(), 1u);
  disk_.fail_writes = true;
  Flush* const flush = std::exchange(holding.held, nullptr);
  flush->write();
  flush->finish();
  for (int i = 0; i < 3; ++i) engine_->step();
  EXPECT_EQ(holding.held, nullptr);
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_FALSE(answers_[1]);
  EXPECT_FALSE(answers_[2]);
  EXPECT_EQ(get(1), "old");
  EXPECT_EQ(get(2), "");
}

// What was written of a refused frame must not be whole by chance: here all of it but zeros, which
// are there already.
TEST_P(EngineFailureTest, AWriteThatAFullDiskCutShortIsNotThereAfterACrash) {
  put(1, "old");
  disk_.full_before_last = 100;
  submit_put(1, std::string(500, '\0'));
  engine_->step();
  ASSERT_FALSE(answers_.back());
  EXPECT_EQ(answers_.back().error().code, ErrorCode::kRequestLimitExceeded);
  EXPECT_EQ(get(1), "old");
  open();  // as after a kill: nothing was shut down
  EXPECT_EQ(get(1), "old");
  put(2, "goes on");
  disk_.full_before_last = 100;
  submit_put(1, std::string(500, '\0'));
  engine_->step();
  ASSERT_TRUE(engine_->maintain());  // there is room by the disk's word
  put(3, "also without a restart");
  open();
  EXPECT_EQ(get(1), "old");
  EXPECT_EQ(get(2), "goes on");
  EXPECT_EQ(get(3), "also without a restart");
}

// Commands say what they hold, not what they stage: deletes of large items are small.
TEST_P(EngineFailureTest, SmallCommandsThatStageMuchAreSplitOverBatches) {
  options_.memory_tables_bytes_max = 1u << 30;
  open();
  constexpr uint64_t kCount = 40;
  for (uint64_t n = 0; n < kCount; ++n) submit_put(n, "small", 2u << 20);
  uint64_t batches = engine_->statistics().batches;
  step_until_answered(kCount);
  ASSERT_EQ(answers_.size(), kCount);
  for (const Status& answer : answers_) EXPECT_TRUE(answer) << answer.error().message;
  EXPECT_GT(engine_->statistics().batches, batches + 5);
  for (uint64_t n = 0; n < kCount; ++n) EXPECT_EQ(get(n), "small");
}

TEST_P(EngineFailureTest, WhenTheTablesCannotBeWrittenAndAreFullCommandsAreRefusedNotKept) {
  options_.batch_bytes = 16 << 10;
  open();
  int woken = 0;
  engine_->set_wakeups([] {}, [&] { ++woken; });
  env_.fail_appends = true;
  constexpr uint64_t kCount = 200;
  for (uint64_t n = 0; n < kCount; ++n) {
    submit_put(n, std::string(4000, 'x'));
    engine_->step();
  }
  ASSERT_LT(answers_.size(), kCount);
  size_t taken = answers_.size();
  bool failed = false;
  for (int i = 0; i < 1000 && !failed; ++i) failed = !engine_->maintain();
  ASSERT_TRUE(failed);
  EXPECT_GT(woken, 0);
  step_until_answered(kCount);
  ASSERT_EQ(answers_.size(), kCount);
  EXPECT_FALSE(answers_.back());
  for (size_t n = 0; n < taken; ++n) EXPECT_TRUE(answers_[n]);
  // What was answered is in the log.
  env_.fail_appends = false;
  open();
  for (size_t n = 0; n < taken; ++n) EXPECT_EQ(get(n), std::string(4000, 'x'));
  put(1000, "again");
}

// LevelDB keeps to itself that it could not begin a new file while its memory table was to be
// written out; a checkpoint recorded then would vouch for what is nowhere but in unsynced files.
TEST_P(EngineFailureTest, ACheckpointIsNotRecordedIfLevelDbCouldNotWriteItsMemoryTableOut) {
  put(1, "one");
  env_.fail_new_files = true;
  EXPECT_FALSE(engine_->checkpoint());
  EXPECT_EQ(engine_->statistics().checkpoint_lsn, 0u);
  env_.fail_new_files = false;
  open();
  EXPECT_EQ(get(1), "one");
  EXPECT_TRUE(engine_->checkpoint());
  EXPECT_EQ(engine_->statistics().checkpoint_lsn, engine_->published_lsn());
}

// A file that could not be removed must not become a gap in the log's chain of segments.
TEST_P(EngineFailureTest, AFailedTrimLeavesALogThatStarts) {
  auto write_segments = [&](uint64_t from) {
    for (uint64_t n = from; n < from + 300; ++n) {
      put(n % 10, std::string(4000, 'x'));
      while (*engine_->maintain()) {
      }
    }
  };
  write_segments(0);
  ASSERT_TRUE(engine_->checkpoint());
  ASSERT_GT(engine_->log().segments().size(), 3u);
  disk_.fail_removals = disk_.fail_renames = true;
  EXPECT_FALSE(engine_->log().trim(engine_->statistics().checkpoint_lsn + 1));
  disk_.fail_removals = disk_.fail_renames = false;
  write_segments(300);
  ASSERT_TRUE(engine_->checkpoint());
  ASSERT_TRUE(engine_->log().trim(engine_->statistics().checkpoint_lsn + 1));
  Lsn first = engine_->log().first_retained_lsn();
  open();
  ASSERT_TRUE(engine_ != nullptr);
  EXPECT_EQ(engine_->log().first_retained_lsn(), first);
}

INSTANTIATE_TEST_SUITE_P(Begun, EngineFailureTest, testing::Bool());

}  // namespace
}  // namespace millrace
