#include "streams/lineage_control.h"

#include <set>

#include "core/base/bytes.h"
#include "stream_node.h"

namespace millrace::streams {
namespace {

using Texts = std::vector<std::string>;

Texts values(const std::vector<SeenRecord>& records) {
  Texts result;
  for (const SeenRecord& record : records) result.push_back(record.value);
  return result;
}

std::string horizon(StreamNode& node, uint32_t ordinal) {
  auto iterator =
      node.streams().iterator(node.stream_of("t"), ordinal, IteratorType::kTrimHorizon, 0, 0);
  EXPECT_TRUE(iterator) << iterator.error().message;
  return iterator ? *iterator : "";
}

Texts read(StreamNode& node, uint32_t ordinal) {
  std::string iterator = horizon(node, ordinal);
  return values(read_on(node, iterator));
}

std::vector<uint32_t> open_shards(StreamNode& node) {
  std::vector<uint32_t> open;
  for (const ShardDefinition& shard : node.stream_of("t").definition().shards) {
    if (!shard.closed_at) open.push_back(shard.name.ordinal);
  }
  return open;
}

// A key whose hash lies in a range.
std::string key_in(StreamNode& node, HashRange range) {
  for (int i = 0;; ++i) {
    std::string key = "k" + std::to_string(i), stored;
    append_partition_prefix(node.stream_of("t").table->generation, key, stored);
    if (range.contains(get_big_endian64(stored.data() + 8))) return key;
  }
}

class LineageControlTest : public testing::Test {
 protected:
  void start(uint32_t shards) {
    node.shards = shards;
    node.create_table("t", StreamViewType::kNewImage);
  }
  HashRange range(uint32_t ordinal) {
    return node.stream_of("t").definition().find_shard(ordinal)->range;
  }
  StreamNode node;
};

TEST_F(LineageControlTest, AParentHoldsWhatWasBeforeTheSplitAndItsChildrenWhatCameAfter) {
  start(1);
  const std::string low = key_in(node, {0, UINT64_MAX / 2});
  const std::string high = key_in(node, {UINT64_MAX / 2 + 1, UINT64_MAX});
  node.put("t", low, "1");
  node.put("t", high, "2");
  std::string behind = horizon(node, 0);
  ASSERT_TRUE(node.change("t", SplitShard{0, std::nullopt}));
  node.put("t", high, "3");
  node.put("t", low, "4");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(read(node, 0), (Texts{"1", "2"}));
    EXPECT_EQ(read(node, 1), Texts{"4"});
    EXPECT_EQ(read(node, 2), Texts{"3"});
    node.restart();
  }
  EXPECT_EQ(values(read_on(node, behind)), (Texts{"1", "2"})) << "an iterator from before";
  EXPECT_TRUE(behind.empty()) << "ends";
}

TEST_F(LineageControlTest, ARolloverOfAllShardsIsOneEntry) {
  start(4);
  node.put("t", "k", "1");
  const Lsn before = node.log().durable_lsn();
  ASSERT_TRUE(node.change("t", RollOver{}));
  EXPECT_EQ(node.log().durable_lsn(), before + 1);
  EXPECT_EQ(open_shards(node), (std::vector<uint32_t>{4, 5, 6, 7}));
  node.put("t", "k", "2");
  const auto all = read_all(node, node.stream_of("t"));
  EXPECT_EQ(values(all), (Texts{"1", "2"}));
}

TEST_F(LineageControlTest, AMergeNamesTheParentThatHasChanges) {
  start(2);
  node.put("t", key_in(node, range(1)), "1");
  ASSERT_TRUE(node.change("t", MergeShards{0, 1}));
  const StreamDefinition stream = node.stream_of("t").definition();
  EXPECT_EQ(stream.find_shard(2)->parent->ordinal, 1u);
  EXPECT_EQ(stream.find_shard(0)->merged_into, 2u);
}

TEST_F(LineageControlTest, AMergeThatCouldBeReadOutOfOrderIsRefused) {
  start(2);
  node.put("t", key_in(node, range(0)), "1");
  node.put("t", key_in(node, range(1)), "2");
  const Status refused = node.change("t", MergeShards{0, 1});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("neither shard can be merged"), std::string::npos);
  EXPECT_EQ(open_shards(node), (std::vector<uint32_t>{0, 1}));
  node.clock.advance(23 * kHourMs);
  node.put("t", key_in(node, range(1)), "3");
  EXPECT_FALSE(node.change("t", MergeShards{0, 1}));
  node.clock.advance(kHourMs + 1);
  EXPECT_TRUE(node.change("t", MergeShards{0, 1})) << "what shard 0 had is not shown any more";
  EXPECT_EQ(node.stream_of("t").definition().find_shard(2)->parent->ordinal, 1u);
}

TEST_F(LineageControlTest, SiblingsThatWereWrittenOnlyBeforeTheyWereSplitMayMerge) {
  start(1);
  for (int i = 0; i < 20; ++i) node.put("t", "k" + std::to_string(i), "before");
  ASSERT_TRUE(node.change("t", SplitShard{0, std::nullopt}));
  node.put("t", key_in(node, range(1)), "1");
  ASSERT_TRUE(node.change("t", MergeShards{2, 1}));
  EXPECT_EQ(node.stream_of("t").definition().find_shard(3)->parent->ordinal, 1u);
}

// A write between the look through the index and the command's turn.
TEST_F(LineageControlTest, AWriteThatComesJustBeforeAMergeIsSeen) {
  start(2);
  node.put("t", key_in(node, range(1)), "1");
  node.hold_commits = true;
  const Stream stream = node.stream_of("t");
  std::optional<Result<TablePtr>> done;
  const std::string key = key_in(node, range(0));
  std::string stored;
  append_partition_prefix(stream.table->generation, key, stored);
  std::atomic<bool> written = false;
  node.submit(std::make_unique<Call>(
      [&](Commit& commit) {
        commit.put(stored, encode_item(StreamNode::item(key, "2")), false, std::nullopt);
      },
      written, false));
  node.lineage().submit({stream.table->generation, stream.definition().enabled_at},
                        MergeShards{0, 1}, [&](Result<TablePtr> result) { done = result; });
  node.commit();
  ASSERT_TRUE(done && written);
  ASSERT_FALSE(*done);
  EXPECT_NE(done->error().message.find("neither shard can be merged"), std::string::npos);
}

TEST_F(LineageControlTest, WhatIsTrimmedIsNotShown) {
  start(1);
  node.put("t", "k", "1");
  const std::string before = horizon(node, 0);
  std::string page, exact;
  {
    auto read = node.streams().read(before, 1, page);
    ASSERT_TRUE(read);
    exact = *read->next;
  }
  const Lsn second = node.put("t", "k", "2");
  ASSERT_TRUE(node.change("t", TrimStream{std::nullopt}));
  node.put("t", "k", "3");
  EXPECT_EQ(read(node, 0), Texts{"3"});
  auto refused = node.streams().read(exact, 10, page);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTrimmedDataAccess);
  refused = node.streams().read(before, 10, page);
  EXPECT_TRUE(refused) << "the horizon moves with it";
  EXPECT_EQ(node.streams()
                .iterator(node.stream_of("t"), 0, IteratorType::kAtSequenceNumber, second, 0)
                .error()
                .code,
            ErrorCode::kTrimmedDataAccess);
  node.restart();
  EXPECT_EQ(read(node, 0), Texts{"3"});
  EXPECT_FALSE(node.change("t", TrimStream{node.log().durable_lsn() + 1}));
}

TEST_F(LineageControlTest, ShardsAreForgottenOnceTheyShowNothing) {
  start(2);
  node.put("t", "k", "1");
  ASSERT_TRUE(node.change("t", RollOver{}));
  node.clock.advance(12 * kHourMs);
  ASSERT_TRUE(node.change("t", RollOver{}));
  EXPECT_EQ(node.stream_of("t").definition().shards.size(), 6u);
  node.clock.advance(12 * kHourMs);
  const auto gone = node.streams().iterator(node.stream_of("t"), 0, IteratorType::kLatest, 0, 0);
  ASSERT_FALSE(gone) << "not listed any more, though still in the definition";
  EXPECT_EQ(gone.error().code, ErrorCode::kResourceNotFound);
  ASSERT_TRUE(node.change("t", RollOver{{4}}));
  const StreamDefinition stream = node.stream_of("t").definition();
  EXPECT_EQ(stream.shards.size(), 5u);
  EXPECT_EQ(stream.find_shard(2)->parent->ordinal, 0u) << "its id is still told";
  EXPECT_EQ(open_shards(node), (std::vector<uint32_t>{5, 6}));
}

TEST_F(LineageControlTest, AStreamThatIsDisabledOrNotThereHasNoShardsToChange) {
  start(1);
  const Stream stream = node.stream_of("t");
  node.disable("t");
  EXPECT_EQ(node.change("t", RollOver{}).error().code, ErrorCode::kResourceNotFound);
  node.enable("t", StreamViewType::kNewImage);
  std::optional<Result<TablePtr>> done;
  node.lineage().submit({stream.table->generation, stream.definition().enabled_at}, RollOver{},
                        [&](Result<TablePtr> result) { done = result; });
  ASSERT_TRUE(done);
  EXPECT_FALSE(*done) << "the earlier enabling";
  EXPECT_TRUE(node.change("t", RollOver{}));
}

TEST_F(LineageControlTest, IdsAreThoseOfBeforeAfterARestart) {
  start(2);
  ASSERT_TRUE(node.change("t", SplitShard{1, std::nullopt}));
  ASSERT_TRUE(node.change("t", RollOver{}));
  const auto ids = [&] {
    Texts found;
    const Stream stream = node.stream_of("t");
    for (const ShardDefinition& shard : stream.definition().shards)
      found.push_back(shard_id(stream.table->generation, stream.definition(), shard.name));
    return found;
  };
  const Texts before = ids();
  EXPECT_TRUE(std::is_sorted(before.begin(), before.end()));
  EXPECT_EQ(std::set<std::string>(before.begin(), before.end()).size(), before.size());
  node.restart();
  EXPECT_EQ(ids(), before);
}

// Whichever call of the clock the split falls into: what was written behind it is no record of the
// parent.
TEST_F(LineageControlTest, ASplitDuringAReadGivesTheParentNothingOfItsChildren) {
  int during = 0;
  for (int count = 1; count <= 8; ++count) {
    StreamNode one;
    one.shards = 1;
    one.create_table("t", StreamViewType::kNewImage);
    one.put("t", "k", "1");
    const std::string iterator = horizon(one, 0);
    one.clock.at_call(count, [&] {
      ++during;
      EXPECT_TRUE(one.change("t", SplitShard{0, std::nullopt}));
      one.put("t", "k", "2");
    });
    std::string page;
    auto read = one.streams().read(iterator, 10, page);
    ASSERT_TRUE(read);
    EXPECT_EQ(values(parse_records(page)), Texts{"1"}) << "split at call " << count;
    if (one.clock.happened() && read->next) {
      std::string next = *read->next;
      EXPECT_EQ(values(read_on(one, next)), Texts{});
      EXPECT_TRUE(next.empty());
    }
    one.clock.at_call(0, nullptr);
  }
  EXPECT_GE(during, 2) << "no split fell into the read";
}

// An iterator to the latest is at the end of the shard that was split meanwhile, not in the future
// of its children.
TEST_F(LineageControlTest, ASplitDuringGetShardIteratorIsNoHole) {
  int during = 0;
  for (int count = 1; count <= 6; ++count) {
    StreamNode one;
    one.shards = 1;
    one.create_table("t", StreamViewType::kNewImage);
    const Stream stream = one.stream_of("t");
    one.clock.at_call(count, [&] {
      ++during;
      EXPECT_TRUE(one.change("t", SplitShard{0, std::nullopt}));
      one.put("t", "k", "2");
    });
    auto latest = one.streams().iterator(stream, 0, IteratorType::kLatest, 0, 0);
    ASSERT_TRUE(latest);
    one.clock.at_call(0, nullptr);
    EXPECT_EQ(values(read_on(one, *latest)), Texts{});
  }
  EXPECT_GE(during, 1);
}

}  // namespace
}  // namespace millrace::streams
