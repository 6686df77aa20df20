// What a full disk, a disk budget and a damaged one do to the engine.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/random.h"
#include "engine_disk_fixture.h"

namespace millrace {
namespace {

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

}  // namespace
}  // namespace millrace
