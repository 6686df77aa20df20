// What a full disk, a disk budget and a damaged one do to the engine.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "core/model/schema.h"
#include "core/store/disk_env.h"
#include "core/store/engine.h"
#include "engine_fixture.h"
#include "tests/sim/sim_disk.h"

namespace millrace {
namespace {

using sim::SimDisk;

constexpr Generation kTable = kFirstUserGeneration;

std::string key_of(uint64_t n, Generation generation = kTable) {
  std::string key;
  append_partition_prefix(generation, std::to_string(n), key);
  return key;
}

// Bytes that do not look like those of another seed.
std::string noise(uint64_t seed, size_t size) {
  std::string out;
  Random random(seed);
  while (out.size() < size) out.push_back(static_cast<char>(random.next()));
  return out;
}

// Counts what LevelDB does in the background, and grants it table files.
class WatchedEnv final : public DiskEnv {
 public:
  using DiskEnv::DiskEnv;
  // LevelDB's destructor does not wait for the last lines of run().
  ~WatchedEnv() override { wait_until_idle(); }

  void grant_table_files(int count) { granted_ = count; }
  bool has_refused() const { return refused_; }
  void wait_until_idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return under_way_ == 0; });
  }

  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override {
    if (path.ends_with(".ldb") && granted_-- <= 0) {
      refused_ = true;
      return leveldb::Status::IOError("no room");
    }
    return DiskEnv::NewWritableFile(path, file);
  }
  void Schedule(void (*work)(void*), void* argument) override {
    {
      std::lock_guard lock(mutex_);
      ++under_way_;
    }
    DiskEnv::Schedule(&WatchedEnv::run, new Job{*this, work, argument});
  }
  void StartThread(void (*work)(void*), void* argument) override {
    if (!holds_threads_) return DiskEnv::StartThread(work, argument);
    held_ = [this, work, argument] { DiskEnv::StartThread(work, argument); };
  }
  /// The next thread does not begin until it is let.
  void hold_threads() { holds_threads_ = true; }
  bool holds_thread() const { return held_ != nullptr; }
  void let_go() {
    holds_threads_ = false;
    std::exchange(held_, nullptr)();
  }

 private:
  struct Job {
    WatchedEnv& env;
    void (*work)(void*);
    void* argument;
  };
  static void run(void* argument) {
    const std::unique_ptr<Job> job(static_cast<Job*>(argument));
    job->work(job->argument);
    std::lock_guard lock(job->env.mutex_);
    --job->env.under_way_;
    job->env.idle_.notify_all();
  }

  std::atomic<int> granted_{1'000'000};
  std::atomic<bool> refused_{false};
  bool holds_threads_ = false;  // the next two are the test's thread's
  std::function<void()> held_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int under_way_ = 0;
};

class EngineDiskTest : public ::testing::Test {
 protected:
  EngineDiskTest() {
    options_.folder = "data";
    options_.memory_table_bytes = 32 << 10;
    options_.memory_tables_bytes_max = 128 << 10;
    options_.checkpoint_bytes = 64 << 10;
    options_.table_file_bytes = 64 << 10;
    options_.log.segment_bytes = 64 << 10;
    options_.log.first_segment_bytes = 16 << 10;
    open();
  }
  void open() {
    engine_.reset();
    auto engine = Engine::open(options_, disk_, &env_, clock_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
    engine_->set_wakeups([] {}, [] {});
  }
  Status run(std::function<void(Commit&)> evaluate) {
    std::optional<Status> answer;
    Status submitted = engine_->submit(std::make_unique<Lambda>(
        std::move(evaluate), [&](const Status& status) { answer = status; }));
    if (!submitted) return submitted;
    while (!answer) {
      engine_->step();
      // Where maintenance fails step() says so to who waits.
      if (!answer && !maintain()) continue;
    }
    return *answer;
  }
  // As operations do: what grows asks first.
  Status put(uint64_t n, std::string image) {
    Status refused;
    Status status = run([&](Commit& commit) {
      refused = commit.may_grow();
      if (refused) commit.put(key_of(n), image, false, std::nullopt);
    });
    return refused ? status : refused;
  }
  Status remove(uint64_t n) {
    return run([&](Commit& commit) { commit.remove(key_of(n), std::nullopt); });
  }
  // As the maintenance thread does, with the log trimmed to the last checkpoint.
  Status maintain() {
    for (int i = 0; i < 2000; ++i) {
      clock_.advance_s(1);
      Result<bool> more = engine_->maintain();
      RETURN_IF_ERROR(engine_->log().trim(engine_->statistics().checkpoint_lsn + 1));
      engine_->step();
      if (!more) return more.error();
      if (!*more) break;
    }
    return {};
  }
  Result<std::string> get(const std::string& key) {
    std::string image;
    ASSIGN_OR_RETURN(const bool found, engine_->view()->get(key, image));
    return found ? image : std::string("none");
  }
  std::string get(uint64_t n) {
    Result<std::string> image = get(key_of(n));
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : "";
  }

  SimDisk disk_;
  WatchedEnv env_{disk_};
  ManualClock clock_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineDiskTest, AFullDiskThrottlesWritesUntilThereIsRoomAgain) {
  std::map<uint64_t, std::string> written;
  ASSERT_TRUE(put(0, "first"));
  written[0] = "first";
  disk_.set_capacity(disk_.used_bytes("data").value() + (100 << 10));
  uint64_t n = 1;
  Status refused;
  for (; refused && n < 1000; ++n) {
    std::string image = noise(n, 1000);
    refused = run([&](Commit& commit) { commit.put(key_of(n), image, false, std::nullopt); });
    if (refused) written[n] = image;
  }
  ASSERT_FALSE(refused) << "the disk was never full";
  EXPECT_EQ(refused.error().code, ErrorCode::kRequestLimitExceeded) << refused.error().message;
  EXPECT_TRUE(engine_->health() || engine_->health().error().code == ErrorCode::kIo);
  for (const auto& [key, image] : written) EXPECT_EQ(get(key), image);
  EXPECT_EQ(get(n - 1), "none");

  disk_.set_capacity(std::nullopt);
  for (int i = 0; i < 100'000 && !maintain(); ++i) {
    clock_.advance_s(10);
    std::this_thread::yield();
  }
  Status again = put(5000, "after");
  ASSERT_TRUE(again) << again.error().message;
  written[5000] = "after";
  EXPECT_TRUE(engine_->health());
  EXPECT_EQ(get(n - 1), "none") << "what was refused is not there later either";

  Random random(n);
  engine_.reset();
  disk_.crash(random);
  open();
  for (const auto& [key, image] : written) EXPECT_EQ(get(key), image);
  EXPECT_EQ(get(n - 1), "none");
}

TEST_F(EngineDiskTest, ARefusedBatchGivesItemsAndIndexEntriesBackWhatTheyHad) {
  auto write = [&](const std::string& image, const std::string& entry, size_t old_bytes) {
    return run([&, old = std::string(old_bytes, 'o')](Commit& commit) {
      IndexChanges changes;
      changes.put(key_of(7, kTable + 1), entry);
      commit.put(key_of(7), image, true, old, changes);
      commit.put(key_of(8), image, false, std::nullopt);
      commit.put(key_of(7), image + "again", true, std::nullopt);
    });
  };
  ASSERT_TRUE(write("before", "entry before", 0));
  disk_.set_capacity(disk_.used_bytes("data").value() + 1000);
  // Larger than what is left of the segment, so that a new one is needed.
  Status refused = write("refused", "entry refused", 70 << 10);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRequestLimitExceeded);
  disk_.set_capacity(std::nullopt);
  clock_.advance_s(2);
  ASSERT_TRUE(maintain());
  ASSERT_TRUE(put(1, "after"));
  for (bool restarted : {false, true}) {
    EXPECT_EQ(get(7), "beforeagain") << restarted;
    EXPECT_EQ(get(8), "before") << restarted;
    EXPECT_EQ(get(key_of(7, kTable + 1)).value(), "entry before") << restarted;
    EXPECT_EQ(get(1), "after") << restarted;
    ASSERT_TRUE(engine_->checkpoint());
    open();
  }
}

TEST_F(EngineDiskTest, NearTheBudgetDeletionsGoOnAndMakeRoom) {
  options_.disk_bytes_max = 2 << 20;
  open();
  uint64_t n = 0;
  Status refused;
  for (; n < 20000; ++n) {
    refused = put(n, noise(n, 1000));
    if (!refused) break;  // before maintenance makes room again
    ASSERT_TRUE(maintain());
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRequestLimitExceeded);
  EXPECT_EQ(engine_->statistics().disk_level, DiskBudget::Level::kLow);
  EXPECT_LE(disk_.used_bytes("data").value(), 2u << 20);
  EXPECT_GT(n, 300u);
  for (uint64_t i = 0; i < n; ++i) {
    Status removed = remove(i);
    ASSERT_TRUE(removed) << i << " of " << n << ": " << removed.error().message;
    ASSERT_TRUE(maintain());
  }
  for (int i = 0; i < 20; ++i) {
    clock_.advance_s(10);
    ASSERT_TRUE(maintain());
  }
  EXPECT_EQ(engine_->statistics().disk_level, DiskBudget::Level::kRoomy);
  EXPECT_TRUE(put(1, noise(1, 1000)));
  EXPECT_LE(disk_.used_bytes("data").value(), 2u << 20);
}

TEST_F(EngineDiskTest, TablesThatFailedAreOpenedAnewWithNothingLost) {
  std::map<uint64_t, std::string> written;
  auto write_some = [&](uint64_t from) {
    for (uint64_t n = from; n < from + 60; ++n) {
      written[n % 100] = noise(n, 1000);
      Status status =
          run([&](Commit& commit) { commit.put(key_of(n % 100), written[n % 100], true, {}); });
      ASSERT_TRUE(status) << status.error().message;
    }
  };
  write_some(0);
  ASSERT_TRUE(maintain());
  ViewPtr old_view = engine_->view();
  write_some(60);
  // The log has room in its segments; LevelDB has none for a table.
  disk_.set_capacity(disk_.used_bytes("data").value());
  Status failed;
  for (int i = 0; i < 50 && failed; ++i) {
    failed = maintain();
    for (const auto& [key, image] : written) ASSERT_EQ(get(key), image);
  }
  ASSERT_FALSE(failed) << "the tables never failed";
  EXPECT_FALSE(engine_->health());
  disk_.set_capacity(std::nullopt);
  // LevelDB first ends what it was at.
  for (int i = 0; i < 100'000 && !maintain(); ++i) std::this_thread::yield();
  EXPECT_TRUE(engine_->health());
  std::string image;
  EXPECT_TRUE(old_view->get(key_of(1), image)) << "views outlive what failed";
  old_view.reset();
  write_some(120);
  ASSERT_TRUE(maintain());
  for (const auto& [key, value] : written) EXPECT_EQ(get(key), value);
  ASSERT_TRUE(engine_->checkpoint());
  open();
  for (const auto& [key, value] : written) EXPECT_EQ(get(key), value);
}

TEST_F(EngineDiskTest, WhatFailedInTheBackgroundIsToldAndMendedWithoutAWrite) {
  // A checkpoint makes one table file; once level 0 has four, LevelDB compacts them behind it.
  int last = 0;
  while (!env_.has_refused() && last < 20) {
    ++last;
    for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(put(n, std::to_string(last)));
    env_.grant_table_files(1);
    (void)engine_->checkpoint();  // The failure may be in time for it.
    env_.wait_until_idle();
    env_.grant_table_files(1'000'000);
  }
  ASSERT_TRUE(env_.has_refused()) << "LevelDB never compacted";
  EXPECT_FALSE(engine_->maintain());
  EXPECT_FALSE(engine_->health());
  EXPECT_TRUE(engine_->maintain());
  EXPECT_TRUE(engine_->health());
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(get(n), std::to_string(last));
}

TEST_F(EngineDiskTest, ATableFileThatIsGoneIsAnErrorNeverAnAbsence) {
  for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(put(n, noise(n, 500)));
  ASSERT_TRUE(engine_->checkpoint());
  // The start opens the newest file only, which has the checkpoint.
  ASSERT_TRUE(put(100, "later"));
  ASSERT_TRUE(engine_->checkpoint());
  open();
  const std::vector<std::string> names = disk_.list("data/tables").value();
  for (const std::string& name : names) {
    if (!name.ends_with(".ldb")) continue;
    ASSERT_TRUE(disk_.remove("data/tables/" + name));
  }
  Result<std::string> image = get(key_of(1));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kIo) << image.error().message;
}

TEST_F(EngineDiskTest, ABitThatFlippedInATableIsAnErrorNeverAnAbsence) {
  for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(put(n, noise(n, 500)));
  ASSERT_TRUE(engine_->checkpoint());
  engine_.reset();
  const std::vector<std::string> names = disk_.list("data/tables").value();
  for (const std::string& name : names) {
    if (!name.ends_with(".ldb")) continue;
    std::string content = disk_.content("data/tables/" + name);
    content[content.size() / 3] ^= 0x10;
    disk_.set_content("data/tables/" + name, content);
  }
  open();
  size_t damaged = 0;
  for (uint64_t n = 0; n < 100; ++n) {
    Result<std::string> image = get(key_of(n));
    if (!image) {
      EXPECT_EQ(image.error().code, ErrorCode::kCorruption);
      ++damaged;
    } else {
      EXPECT_EQ(*image, noise(n, 500));
    }
  }
  EXPECT_GT(damaged, 0u);
  // A compaction must not give the damage a new checksum.
  for (uint64_t n = 0; n < 400; ++n) {
    if (!put(n % 100 + 200, noise(n, 500))) break;
    if (!maintain()) break;
  }
  size_t still_damaged = 0;
  for (uint64_t n = 0; n < 100; ++n) {
    Result<std::string> image = get(key_of(n));
    if (!image) {
      ++still_damaged;
    } else {
      EXPECT_EQ(*image, noise(n, 500));
    }
  }
  EXPECT_EQ(still_damaged, damaged);
}

TEST_F(EngineDiskTest, AReadThatFailsConcernsNoOtherCommandOfItsBatch) {
  ASSERT_TRUE(put(1, "one"));
  ASSERT_TRUE(engine_->checkpoint());
  options_.block_cache_bytes = 0;
  open();
  auto increment = [](uint64_t n, Status& read, std::optional<Status>& answer) {
    return std::make_unique<Lambda>(
        [n, &read](Commit& commit) {
          std::string image;
          Result<bool> found = commit.get(key_of(n), image);
          read = found ? Status{} : found.error();
          if (found) commit.put(key_of(n), image + "+", *found, std::nullopt);
        },
        [&answer](const Status& status) { answer = status; });
  };
  Status fails, reads;
  std::optional<Status> first, second;
  ASSERT_TRUE(engine_->submit(increment(1, fails, first)));
  ASSERT_TRUE(engine_->submit(increment(2, reads, second)));
  disk_.fail_next_read();
  engine_->step();
  EXPECT_FALSE(fails) << "its item is in a file";
  EXPECT_TRUE(reads);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(*first && *second) << "what the batch stages is durable";
  EXPECT_EQ(get(1), "one");
  EXPECT_EQ(get(2), "+");
  EXPECT_TRUE(engine_->health());

  ASSERT_TRUE(engine_->submit(increment(1, fails, first)));
  engine_->step();
  EXPECT_TRUE(fails);
  EXPECT_EQ(get(1), "one+");
}

// LevelDB may take seconds for that.
TEST_F(EngineDiskTest, MemoryTablesAreWrittenWhileADroppedRangeIsCompacted) {
  std::string drop;
  append_partition_prefix(kDropGeneration, std::to_string(kTable + 1), drop);
  for (uint64_t n = 0; n < 100; ++n) {
    const std::string image = noise(n, 1000);
    ASSERT_TRUE(run([&](Commit& commit) { commit.put(key_of(n, kTable + 1), image, false, {}); }));
  }
  ASSERT_TRUE(run([&](Commit& commit) { commit.put(drop, "x", false, {}); }));
  ASSERT_TRUE(engine_->checkpoint());
  // First the thread of the checkpoint that makes it durable that the items are gone.
  for (const bool checkpoint : {true, false}) {
    env_.hold_threads();
    for (int i = 0; i < 1000 && !env_.holds_thread(); ++i) ASSERT_TRUE(engine_->maintain());
    ASSERT_TRUE(env_.holds_thread());
    if (checkpoint) env_.let_go();
  }

  const Lsn checkpoint = engine_->statistics().checkpoint_lsn;
  for (uint64_t n = 0; n < 400; ++n) {
    ASSERT_TRUE(put(n, noise(n, 1000)));
    if (n % 10 > 0) continue;
    EXPECT_TRUE(*engine_->maintain());
  }
  EXPECT_LT(engine_->statistics().memory_table_bytes, 64u << 10);
  EXPECT_EQ(engine_->statistics().checkpoint_lsn, checkpoint);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(*engine_->maintain());
  const std::vector<std::string> log_files = disk_.list("data/log").value();
  EXPECT_TRUE(std::any_of(log_files.begin(), log_files.end(), [](const std::string& name) {
    return name.starts_with("spare-");
  })) << "the log gets its spares";

  env_.let_go();
  ASSERT_TRUE(maintain());
  EXPECT_GT(engine_->statistics().checkpoint_lsn, checkpoint);
  EXPECT_EQ(get(drop).value(), "none");
  for (uint64_t n = 0; n < 400; ++n) EXPECT_EQ(get(n), noise(n, 1000));
}

TEST_F(EngineDiskTest, ACheckpointComesBeforeTheLogIsLongThoughMemoryTablesHoldLittle) {
  auto image = [](uint64_t n) { return noise(n, 4000); };
  for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(put(n, image(n)));
  ASSERT_TRUE(engine_->checkpoint());
  const Lsn checkpoint = engine_->statistics().checkpoint_lsn;
  for (uint64_t n = 0; n < 100; ++n) {
    ASSERT_TRUE(run([&](Commit& commit) { commit.remove(key_of(n), image(n)); }));
  }
  // Four hundred kilobytes of log, and removals that take less than a memory table.
  ASSERT_TRUE(maintain());
  EXPECT_GT(engine_->statistics().checkpoint_lsn, checkpoint + 50);
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(get(n), "none");
}

TEST_F(EngineDiskTest, WhatIsRemovedBeforeLevelDbHasItLeavesNoTraceThere) {
  std::string begin;
  append_generation_prefix(kTable, begin);
  auto file_bytes = [&] {
    EXPECT_TRUE(engine_->checkpoint());
    return engine_->view()->approximate_file_bytes(begin, prefix_successor(begin));
  };
  for (uint64_t n = 0; n < 100; ++n) {
    ASSERT_TRUE(put(n, "x"));
    ASSERT_TRUE(remove(n));
  }
  EXPECT_EQ(file_bytes(), 0u);
  for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(put(n, "x"));
  EXPECT_GT(file_bytes(), 0u);
  for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(remove(n));
  EXPECT_GT(file_bytes(), 0u);
  open();
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(get(n), "none");
}

TEST_F(EngineDiskTest, WhereAPartitionHasManyRemovalsTheyMeetWhatTheyRemove) {
  options_.memory_table_bytes = 8 << 20;
  options_.memory_tables_bytes_max = 16 << 20;
  options_.checkpoint_bytes = 16 << 20;
  open();
  std::string partition;
  append_partition_prefix(kTable, "queue", partition);
  // A queue whose head is its last.
  constexpr size_t kItems = 20'000;
  auto of_all = [&](const std::function<void(Commit&, const std::string&)>& change) {
    ASSERT_TRUE(run([&](Commit& commit) {
      for (size_t n = 0; n < kItems; ++n) {
        std::string key = partition;
        put_big_endian64(key, n);
        change(commit, key);
      }
    }));
    ASSERT_TRUE(engine_->checkpoint());
  };
  auto file_bytes = [&] {
    return engine_->view()->approximate_file_bytes(partition, prefix_successor(partition));
  };
  of_all([](Commit& commit, const std::string& key) { commit.put(key, "x", false, {}); });
  const uint64_t full = file_bytes();
  of_all([](Commit& commit, const std::string& key) { commit.remove(key, {}); });
  EXPECT_GT(file_bytes(), full);
  ASSERT_TRUE(maintain());
  EXPECT_EQ(file_bytes(), 0u);
}

// LevelDB's memtable may take seconds to become a file, and until then the checkpoint covers
// nothing: neither what was written before it nor that a dropped table's items are gone.
TEST_F(EngineDiskTest, MemoryTablesAreWrittenWhileACheckpointIsUnderWay) {
  std::string drop;
  append_partition_prefix(kDropGeneration, std::to_string(kTable + 1), drop);
  auto stays_so = [&](Lsn checkpoint) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(*engine_->maintain());
    EXPECT_LT(engine_->statistics().memory_table_bytes, 48u << 10);
    EXPECT_EQ(engine_->statistics().checkpoint_lsn, checkpoint);
    EXPECT_EQ(get(drop).value(), "x");
  };
  for (uint64_t n = 0; n < 10; ++n) {
    ASSERT_TRUE(run([&](Commit& commit) { commit.put(key_of(n, kTable + 1), "x", false, {}); }));
  }
  ASSERT_TRUE(run([&](Commit& commit) { commit.put(drop, "x", false, {}); }));
  ASSERT_TRUE(engine_->checkpoint());
  const Lsn first = engine_->statistics().checkpoint_lsn;

  // The drop's items are gone at once, and the checkpoint that makes it so begins.
  env_.hold_threads();
  for (int i = 0; i < 100 && !env_.holds_thread(); ++i) ASSERT_TRUE(engine_->maintain());
  ASSERT_TRUE(env_.holds_thread());
  for (uint64_t n = 0; n < 100; ++n) {
    ASSERT_TRUE(put(n, noise(n, 1000)));
    if (n % 10 > 0) continue;
    EXPECT_TRUE(*engine_->maintain());
  }
  stays_so(first);
  env_.let_go();
  ASSERT_TRUE(maintain());
  EXPECT_EQ(get(drop).value(), "none");
  const Lsn second = engine_->statistics().checkpoint_lsn;
  EXPECT_GT(second, first);

  // Nothing that a checkpoint has not ended on may be missing after a crash.
  env_.hold_threads();
  for (uint64_t n = 0; n < 100; ++n) {
    ASSERT_TRUE(put(n, noise(n + 1, 1000)));
    if (n % 10 > 0) continue;
    ASSERT_TRUE(engine_->maintain());
  }
  ASSERT_TRUE(env_.holds_thread());
  EXPECT_EQ(engine_->statistics().checkpoint_lsn, second);
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  env_.let_go();
  engine_.reset();
  disk_.crash(random);
  open();
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(get(n), noise(n + 1, 1000));
}

// LevelDB may hold more than the checkpoint says: here a drop, whose table's items the replay puts
// into memory tables once more.
TEST_F(EngineDiskTest, ADroppedTablesSpaceComesBackAlsoAfterACrash) {
  options_.checkpoint_bytes = 400 << 10;
  open();
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (Generation table = kTable; table < kTable + 30; ++table) {
    std::string drop, prefix;
    append_partition_prefix(kDropGeneration, std::to_string(table), drop);
    append_generation_prefix(table, prefix);
    auto fill = [&](uint64_t count) {
      for (uint64_t n = 0; n < count; ++n) {
        const std::string image = noise(random.next(), 1000);
        ASSERT_TRUE(
            run([&](Commit& commit) { commit.put(key_of(n % 80, table), image, n >= 80, {}); }));
        for (uint64_t i = random.below(4); i > 0; --i) ASSERT_TRUE(engine_->maintain());
      }
    };
    fill(random.below(300));
    ASSERT_TRUE(run([&](Commit& commit) { commit.put(drop, "x", false, {}); }));
    const Generation dropped = std::exchange(table, kTable + 1000);
    fill(random.below(300));  // another table's
    table = dropped;
    if (!random.one_in(4)) {
      engine_.reset();
      disk_.crash(random);
      open();
    }
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(maintain());
      ASSERT_TRUE(engine_->checkpoint());
    }
    ASSERT_TRUE(maintain());
    EXPECT_EQ(get(drop).value(), "none") << table;
    EXPECT_FALSE(engine_->view()->range(prefix, prefix_successor(prefix), false)->valid()) << table;
  }
}

}  // namespace
}  // namespace millrace
