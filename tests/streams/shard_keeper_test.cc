#include "streams/shard_keeper.h"

#include "core/base/bytes.h"
#include "stream_node.h"

namespace millrace::streams {
namespace {

class ShardKeeperTest : public testing::Test {
 protected:
  void start(uint32_t shards) {
    node.shards = shards;
    node.create_table("t", StreamViewType::kNewImage);
    ShardKeeperOptions options;
    options.split_writes_per_second = 10;
    keeper = std::make_unique<ShardKeeper>(node.catalog(), node.streams(), node.index(),
                                           node.lineage(), node.clock, options);
  }
  // One window, as the sidecar's thread steps it.
  void window() {
    node.step_index();
    node.clock.advance(ShardKeeper::kWindowMs);
    keeper->step();
    node.commit();
  }
  void write(int count, HashRange range = {}) {
    Generation generation = node.stream_of("t").table->generation;
    for (int written = 0; written < count; ++number) {
      std::string key = "k" + std::to_string(number), stored;
      append_partition_prefix(generation, key, stored);
      if (!range.contains(get_big_endian64(stored.data() + 8))) continue;
      node.put("t", key, std::to_string(number));
      ++written;
    }
  }
  std::vector<HashRange> open_ranges() {
    std::vector<HashRange> open;
    for (const ShardDefinition& shard : node.stream_of("t").definition().shards) {
      if (!shard.closed_at) open.push_back(shard.range);
    }
    return open;
  }
  size_t shards() { return node.stream_of("t").definition().shards.size(); }

  StreamNode node;
  std::unique_ptr<ShardKeeper> keeper;
  int number = 0;
};

TEST_F(ShardKeeperTest, AnOldShardThatIsWrittenRollsOver) {
  start(4);
  window();
  node.clock.advance(4 * kHourMs);
  window();
  EXPECT_EQ(shards(), 4u) << "nobody writes it";
  const Lsn before = node.log().durable_lsn();
  window();
  EXPECT_EQ(node.log().durable_lsn(), before);
  write(40);
  window();
  EXPECT_EQ(shards(), 8u);
  EXPECT_EQ(node.log().durable_lsn(), before + 41) << "all in one entry";
  write(40);
  window();
  EXPECT_EQ(shards(), 8u) << "the new ones are young";
}

TEST_F(ShardKeeperTest, OnlyTheShardsThatAreWrittenRollOver) {
  start(4);
  node.clock.advance(4 * kHourMs);
  window();
  write(3, equal_range(2, 4));
  window();
  EXPECT_EQ(shards(), 5u);
  EXPECT_TRUE(node.stream_of("t").definition().find_shard(2)->closed_at);
}

TEST_F(ShardKeeperTest, AShardThatIsWrittenMuchIsSplitWhereItsLoadHalves) {
  start(2);
  window();
  const uint64_t quarter = uint64_t{1} << 62;
  write(100, {0, quarter / 4 - 1});
  window();
  EXPECT_EQ(open_ranges().size(), 2u) << "ten a second are not too many";
  write(55, {0, quarter / 4 - 1});
  write(55, {quarter, 2 * quarter - 1});
  window();
  const auto open = open_ranges();
  ASSERT_EQ(open.size(), 3u);
  EXPECT_EQ(open[0].first, 2 * quarter);
  EXPECT_EQ(open[1].first, 0u);
  EXPECT_GE(open[1].last, quarter / 4 - 1);
  EXPECT_LT(open[1].last, quarter + (uint64_t{1} << 58));
}

TEST_F(ShardKeeperTest, AHotItemIsNoReasonToSplit) {
  start(1);
  window();
  for (int i = 0; i < 300; ++i) node.put("t", "hot", std::to_string(i));
  window();
  EXPECT_EQ(open_ranges().size(), 1u);
}

TEST_F(ShardKeeperTest, LoadOfBeforeARestartIsNotCountedAgain) {
  start(1);
  write(300);
  node.clock.advance(60'000);
  node.restart();
  keeper = std::make_unique<ShardKeeper>(node.catalog(), node.streams(), node.index(),
                                         node.lineage(), node.clock, ShardKeeperOptions{});
  node.step_index();
  EXPECT_TRUE(node.index().take_load(0).empty());
}

TEST_F(ShardKeeperTest, ColdNeighboursAreMergedToTheInitialCountAtLeast) {
  start(2);
  ASSERT_TRUE(node.change("t", SplitShard{0, std::nullopt}));
  ASSERT_TRUE(node.change("t", SplitShard{1, std::nullopt}));
  write(30);
  ASSERT_EQ(open_ranges().size(), 4u);
  window();
  node.clock.advance(ShardKeeper::kMergeIntervalMs);
  window();
  EXPECT_EQ(open_ranges().size(), 4u) << "they show changes";
  for (int hour = 0; hour < 30; ++hour) {
    node.clock.advance(ShardKeeper::kMergeIntervalMs);
    window();
  }
  EXPECT_EQ(open_ranges().size(), 2u);
  EXPECT_EQ(read_all(node, node.stream_of("t")).size(), 0u);
  write(10);
  EXPECT_EQ(read_all(node, node.stream_of("t")).size(), 10u);
}

}  // namespace
}  // namespace millrace::streams
