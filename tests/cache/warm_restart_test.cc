#include "cache/warm_restart.h"

#include <memory>
#include <string>

#include "../core/ops/ops_node.h"
#include "cache_fixture.h"
#include "core/base/memory_disk.h"

namespace millrace::cache {
namespace {

constexpr const char* kPath = "hot-set";

/// A node with a cache, whose memory goes with restart().
class WarmRestartTest : public ::testing::Test {
 protected:
  WarmRestartTest() {
    create_cache();
    node_.create_table("films");
  }
  ~WarmRestartTest() override {
    // The engine knows the cache.
    node_.restart();
  }

  void restart(size_t cache_bytes = 1u << 20) {
    node_.restart();
    cache_bytes_ = cache_bytes;
    create_cache();
  }

  void put(const std::string& key, const std::string& value) {
    node_.ok("PutItem",
             "{'TableName':'films','Item':{'pk':{'S':'" + key + "'},'v':{'S':'" + value + "'}}}");
  }
  void remove(const std::string& key) {
    node_.ok("DeleteItem", "{'TableName':'films','Key':{'pk':{'S':'" + key + "'}}}");
  }
  /// `hit VALUE`, `hit` of an absent item, or `miss`.
  std::string get(const std::string& key) {
    const OpsNode::Answer answer =
        node_.call("GetItem", "{'TableName':'films','Key':{'pk':{'S':'" + key + "'}}}");
    const bool hit = answer.headers.starts_with("x-millrace-cache: hit");
    if (!hit) return "miss";
    const std::string start = R"("v":{"S":")";
    const size_t at = answer.body.find(start);
    if (at == std::string::npos) return "hit";
    const size_t begin = at + start.size();
    return "hit " + answer.body.substr(begin, answer.body.find('"', begin) - begin);
  }

  /// Until nothing waits; what went wrong.
  Status warm() {
    for (int i = 0; i < 10'000; ++i) {
      Result<bool> more = warming_->step();
      if (!more) return more.error();
      if (!*more) return {};
    }
    return make_error(ErrorCode::kInternal, "it does not end");
  }
  void save() {
    ASSERT_TRUE(warm());
    ASSERT_TRUE(warming_->save());
  }
  std::string file() { return load_hot_set(disk_, kPath).value(); }

  OpsNode node_;
  MemoryDisk disk_{1u << 30};
  ManualClock clock_;
  size_t cache_bytes_ = 1u << 20;
  std::unique_ptr<ItemCache> cache_;
  std::unique_ptr<WarmRestart> warming_;

 private:
  void create_cache() {
    warming_.reset();
    cache_ = std::make_unique<ItemCache>(ItemCacheOptions{.bytes_max = cache_bytes_}, clock_);
    node_.engine().add_observer(cache_.get());
    node_.node().cache = cache_.get();
    warming_ = std::make_unique<WarmRestart>(
        *cache_, node_.engine(), disk_, clock_,
        WarmRestartOptions{.path = kPath, .is_table = [this](Generation generation) {
                             const TablePtr table = node_.node().catalog.find(generation);
                             return table && node_.node().catalog.find(table->name) == table;
                           }});
  }
};

TEST_F(WarmRestartTest, WhatWasInTheCacheIsThereAgain) {
  for (int i = 0; i < 300; ++i) put(std::to_string(i), "v" + std::to_string(i));
  EXPECT_EQ(get("absent"), "miss");
  save();
  restart();
  EXPECT_EQ(warming_->progress().done, false);
  ASSERT_TRUE(warm());
  const WarmRestart::Progress progress = warming_->progress();
  EXPECT_TRUE(progress.done);
  EXPECT_GE(progress.keys, 301u);
  EXPECT_EQ(progress.filled, 301u);
  EXPECT_EQ(cache_->statistics().misses, 0u);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(get(std::to_string(i)), "hit v" + std::to_string(i));
  }
  EXPECT_EQ(get("absent"), "hit");
}

TEST_F(WarmRestartTest, WhatChangedSinceTheFileWasWrittenIsAsTheStoreHasIt) {
  for (const char* key : {"a", "b", "c"}) put(key, "old");
  save();
  put("a", "new");
  remove("b");
  restart();
  ASSERT_TRUE(warm());
  EXPECT_EQ(get("a"), "hit new");
  EXPECT_EQ(get("b"), "hit");
  EXPECT_EQ(get("c"), "hit old");
}

// Not of the fixture, which restarts the node: that takes sound tables.
TEST(WarmRestart, ItemsThatCannotBeReadAreLeftOutAlone) {
  ManualClock clock;
  ItemCache cache({.bytes_max = 1u << 20}, clock);
  MemoryDisk disk{1u << 30};
  OpsNode node;
  node.engine().add_observer(&cache);
  node.create_table("films");
  for (int i = 0; i < 300; ++i) {
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'" + std::to_string(i) +
                           "'},'v':{'S':'" + std::string(200, 'v') + "'}}}");
  }
  const WarmRestartOptions options{.path = kPath, .is_table = [](Generation) { return true; }};
  WarmRestart before(cache, node.engine(), disk, clock, options);
  while (!before.progress().done) ASSERT_TRUE(before.step());
  ASSERT_TRUE(before.save());
  ASSERT_EQ(cache.clear(), 300u);

  node.damage_tables();
  WarmRestart after(cache, node.engine(), disk, clock, options);
  while (!after.progress().done) ASSERT_TRUE(after.step());
  const WarmRestart::Progress progress = after.progress();
  EXPECT_GT(progress.unread, 0u);
  EXPECT_GT(progress.filled, 0u);
  EXPECT_GE(progress.unread + progress.filled, 300u) << "hot keys come twice";
  EXPECT_EQ(cache.statistics().entries, progress.filled);
  ASSERT_TRUE(after.first_unread());
  EXPECT_EQ(after.first_unread()->code, ErrorCode::kCorruption);
}

TEST_F(WarmRestartTest, WritesWhileItWarmsAreSeen) {
  for (int i = 0; i < 500; ++i) put(std::to_string(i), "old");
  save();
  restart();
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(warming_->step());
    put(std::to_string(i * 7 % 500), "new");
    ASSERT_EQ(get(std::to_string(i * 7 % 500)), "hit new");
  }
  ASSERT_TRUE(warm());
  for (int i = 0; i < 500; ++i) ASSERT_EQ(get(std::to_string(i)), "hit new");
}

TEST_F(WarmRestartTest, TheMostRequestedComeFirst) {
  for (int i = 0; i < 300; ++i) put(std::to_string(i), "v");
  for (int i = 0; i < 500; ++i) get("7");
  save();
  restart();
  ASSERT_TRUE(warming_->step());
  ASSERT_TRUE(warming_->step());
  ASSERT_FALSE(warming_->progress().done);
  EXPECT_EQ(get("7"), "hit v");
}

TEST_F(WarmRestartTest, ADamagedFileIsToldOnceAndTheCacheIsCold) {
  put("a", "v");
  save();
  std::string bytes = file();
  bytes.back() ^= 1;
  HotSetFile damaged(disk_, kPath);
  ASSERT_TRUE(damaged.append(bytes));
  ASSERT_TRUE(damaged.finish());
  restart();
  const Status warmed = warm();
  ASSERT_FALSE(warmed);
  EXPECT_EQ(warmed.error().code, ErrorCode::kCorruption);
  EXPECT_TRUE(warming_->progress().done);
  EXPECT_TRUE(warm());
  EXPECT_EQ(get("a"), "miss");
  save();
  restart();
  ASSERT_TRUE(warm());
  EXPECT_EQ(get("a"), "hit v");
}

TEST_F(WarmRestartTest, KeysOfATableThatIsGoneArePassedOver) {
  put("a", "v");
  save();
  node_.ok("DeleteTable", "{'TableName':'films'}");
  node_.create_table("films");
  restart();
  ASSERT_TRUE(warm());
  EXPECT_GE(warming_->progress().keys, 1u);
  EXPECT_EQ(warming_->progress().filled, 0u);
  EXPECT_EQ(cache_->statistics().entries, 0u);
}

TEST_F(WarmRestartTest, ItTakesNoMoreRoomThanThereIs) {
  const std::string large(1000, 'x');
  for (int i = 0; i < 300; ++i) put(std::to_string(i), large);
  save();
  restart(/*cache_bytes=*/64u << 10);
  ASSERT_TRUE(warm());
  const ItemCacheStatistics statistics = cache_->statistics();
  EXPECT_EQ(statistics.evictions, 0u);
  EXPECT_GT(statistics.bytes, 48u << 10);
}

TEST_F(WarmRestartTest, EachMinuteWithRequestsIsSavedInSteps) {
  ASSERT_TRUE(warm());
  for (int i = 0; i < 1000; ++i) put(std::to_string(i), "v");
  ASSERT_TRUE(warm());
  EXPECT_EQ(file(), "");
  clock_.advance_s(60);
  EXPECT_TRUE(warming_->step().value());
  EXPECT_EQ(file(), "");
  ASSERT_TRUE(warm());
  const std::string first = file();
  EXPECT_GT(first.size(), 1000u * 20);
  ASSERT_TRUE(disk_.remove(kPath));
  clock_.advance_s(60);
  ASSERT_TRUE(warm());
  EXPECT_EQ(file(), "") << "nothing was asked since";
  get("1");
  clock_.advance_s(60);
  ASSERT_TRUE(warm());
  EXPECT_EQ(file().size() / 1000, first.size() / 1000);
}

TEST_F(WarmRestartTest, ARunThatEndsWhileItWarmsLeavesTheLastRunsFile) {
  for (int i = 0; i < 300; ++i) put(std::to_string(i), "v");
  save();
  const std::string before = file();
  restart();
  ASSERT_TRUE(warming_->step().value());
  ASSERT_TRUE(warming_->step().value());
  ASSERT_TRUE(warming_->save());
  EXPECT_EQ(file(), before);
}

}  // namespace
}  // namespace millrace::cache
