// What memory tables, checkpoints, removals and drops leave in LevelDB, and when.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "engine_disk_fixture.h"

namespace millrace {
namespace {

using EngineMaintenanceTest = EngineDiskTest;

// LevelDB may take seconds for that.
TEST_F(EngineMaintenanceTest, MemoryTablesAreWrittenWhileADroppedRangeIsCompacted) {
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

TEST_F(EngineMaintenanceTest, ACheckpointComesBeforeTheLogIsLongThoughMemoryTablesHoldLittle) {
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

TEST_F(EngineMaintenanceTest, WhatIsRemovedBeforeLevelDbHasItLeavesNoTraceThere) {
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

TEST_F(EngineMaintenanceTest, WhereAPartitionHasManyRemovalsTheyMeetWhatTheyRemove) {
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
TEST_F(EngineMaintenanceTest, MemoryTablesAreWrittenWhileACheckpointIsUnderWay) {
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
TEST_F(EngineMaintenanceTest, ADroppedTablesSpaceComesBackAlsoAfterACrash) {
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
