#include "streams/lineage.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::streams {
namespace {

constexpr uint64_t kHalf = uint64_t{1} << 63;

StreamDefinition stream_with(uint32_t shards) {
  StreamDefinition stream;
  stream.enabled_at = 1000;
  stream.created_ms = 5000;
  stream.open_shards(shards);
  return stream;
}

const ShardDefinition& shard(const StreamDefinition& stream, uint32_t ordinal) {
  const ShardDefinition* found = stream.find_shard(ordinal);
  CHECK(found != nullptr);
  return *found;
}

TEST(Lineage, ASplitClosesTheParentAndOpensTwoChildrenForItsRange) {
  StreamDefinition stream = stream_with(2);
  ASSERT_TRUE(split_shard(stream, 1, std::nullopt, {1010, 6000}));
  EXPECT_EQ(open_ordinals(stream), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(shard(stream, 1).closed_at, 1010u);
  EXPECT_EQ(shard(stream, 1).closed_ms, 6000);
  for (uint32_t child : {2u, 3u}) {
    EXPECT_EQ(shard(stream, child).parent, shard(stream, 1).name);
    EXPECT_EQ(shard(stream, child).opened_at, 1010u);
    EXPECT_FALSE(shard(stream, child).closed_at);
  }
  EXPECT_EQ(shard(stream, 2).range, (HashRange{kHalf, kHalf + kHalf / 2 - 1}));
  EXPECT_EQ(shard(stream, 3).range, (HashRange{kHalf + kHalf / 2, UINT64_MAX}));
  ASSERT_TRUE(split_shard(stream, 0, 77, {1011, 6001}));
  EXPECT_EQ(shard(stream, 4).range, (HashRange{0, 76}));
  EXPECT_EQ(shard(stream, 5).range, (HashRange{77, kHalf - 1}));
}

// Ids sort by creation and differ also when many shards come at one moment, or the clock goes back.
TEST(Lineage, LaterShardsHaveLaterTimes) {
  StreamDefinition stream = stream_with(4);
  ASSERT_TRUE(split_shard(stream, 0, std::nullopt, {1010, 5000}));
  ASSERT_TRUE(roll_over(stream, open_ordinals(stream), {1011, 4000}));
  for (size_t i = 4; i < stream.shards.size(); ++i) {
    EXPECT_GT(stream.shards[i].name.created_ms, stream.shards[i - 1].name.created_ms);
    EXPECT_EQ(stream.shards[i].name.ordinal, i);
  }
}

TEST(Lineage, ARolloverGivesEachShardOneChildOfTheSameRange) {
  StreamDefinition stream = stream_with(3);
  ASSERT_TRUE(roll_over(stream, std::vector<uint32_t>{2, 0, 0}, {1010, 6000}));
  EXPECT_EQ(open_ordinals(stream), (std::vector<uint32_t>{1, 3, 4}));
  EXPECT_EQ(shard(stream, 3).parent, shard(stream, 2).name);
  EXPECT_EQ(shard(stream, 3).range, shard(stream, 2).range);
  EXPECT_EQ(shard(stream, 4).range, shard(stream, 0).range);
  const auto refused = roll_over(stream, std::vector<uint32_t>{1, 0}, {1011, 6001});
  EXPECT_EQ(refused.error().message, "the shard is closed already");
  EXPECT_FALSE(shard(stream, 1).closed_at) << "nothing has changed";
}

TEST(Lineage, AMergeOpensOneChildThatNamesOneParent) {
  StreamDefinition stream = stream_with(4);
  ASSERT_TRUE(merge_shards(stream, 2, 1, {1010, 6000}));
  EXPECT_EQ(open_ordinals(stream), (std::vector<uint32_t>{0, 3, 4}));
  EXPECT_EQ(shard(stream, 4).parent, shard(stream, 2).name);
  EXPECT_EQ(shard(stream, 4).range, (HashRange{kHalf / 2, kHalf + kHalf / 2 - 1}));
  EXPECT_EQ(shard(stream, 1).merged_into, 4u);
  EXPECT_EQ(shard(stream, 2).merged_into, std::nullopt);
}

TEST(Lineage, WhatCannotBeIsRefusedAndChangesNothing) {
  StreamDefinition stream = stream_with(4);
  ASSERT_TRUE(roll_over(stream, std::vector<uint32_t>{0}, {1010, 6000}));
  const std::vector<ShardDefinition> before = stream.shards;
  const Moment moment{1011, 6001};
  EXPECT_EQ(split_shard(stream, 9, std::nullopt, moment).error().message,
            "the stream has no such shard");
  EXPECT_EQ(split_shard(stream, 0, std::nullopt, moment).error().message,
            "the shard is closed already");
  for (uint64_t at : {uint64_t{0}, uint64_t{5}, kHalf / 2, kHalf, UINT64_MAX}) {
    EXPECT_NE(split_shard(stream, 1, at, moment).error().message.find("leaves one part empty"),
              std::string::npos);
  }
  EXPECT_NE(merge_shards(stream, 1, 3, moment).error().message.find("not neighbours"),
            std::string::npos);
  EXPECT_NE(merge_shards(stream, 3, 4, moment).error().message.find("not neighbours"),
            std::string::npos)
      << "the last and the first are none";
  EXPECT_NE(merge_shards(stream, 1, 1, moment).error().message.find("with itself"),
            std::string::npos);
  EXPECT_EQ(merge_shards(stream, 1, 0, moment).error().message, "the shard is closed already");
  EXPECT_FALSE(trim_stream(stream, 1011, moment));
  EXPECT_EQ(stream.shards, before);
  EXPECT_EQ(stream.trimmed_through, 0u);
}

TEST(Lineage, AShardOfOneHashIsNotSplit) {
  StreamDefinition stream = stream_with(1);
  ASSERT_TRUE(split_shard(stream, 0, 1, {1010, 6000}));
  EXPECT_FALSE(split_shard(stream, 1, std::nullopt, {1011, 6001}));
}

TEST(Lineage, OpenAndClosedShardsAreBounded) {
  StreamDefinition stream = stream_with(StreamDefinition::kOpenShardsMax);
  EXPECT_NE(split_shard(stream, 0, std::nullopt, {1010, 6000}).error().message.find("open shards"),
            std::string::npos);
  Moment moment{1010, 6000};
  Status status;
  while ((status = roll_over(stream, open_ordinals(stream), moment))) {
    ++moment.lsn;
    moment.time_ms += 1000;
    ASSERT_LE(stream.shards.size(), kShardsRemembered);
  }
  EXPECT_NE(status.error().message.find("most of them closed"), std::string::npos);
  forget_shards(stream, moment.time_ms);
  EXPECT_EQ(stream.shards.size(), StreamDefinition::kOpenShardsMax);
  EXPECT_TRUE(roll_over(stream, open_ordinals(stream), moment));
}

TEST(Lineage, ClosedShardsAreForgottenButNeverTheNewest) {
  StreamDefinition stream = stream_with(2);
  ASSERT_TRUE(roll_over(stream, open_ordinals(stream), {1010, 6000}));
  stream.disable(1020, 7000);
  forget_shards(stream, 5999);
  EXPECT_EQ(stream.shards.size(), 4u);
  forget_shards(stream, 6000);
  EXPECT_EQ(stream.shards.size(), 2u);
  EXPECT_EQ(shard(stream, 2).parent, (ShardName{0, 5000})) << "which is forgotten";
  forget_shards(stream, 8000);
  ASSERT_EQ(stream.shards.size(), 1u);
  EXPECT_EQ(stream.shards[0].name.ordinal, 3u);
}

TEST(Lineage, AMergeHasToAskForWhatNoAncestorOfTheNamedParentHolds) {
  StreamDefinition stream = stream_with(2);
  EXPECT_EQ(unguarded_from(stream, 0, 1).value(), 1001u) << "no ancestor in common";
  ASSERT_TRUE(split_shard(stream, 0, std::nullopt, {1010, 6000}));  // 2, 3
  EXPECT_EQ(unguarded_from(stream, 2, 3).value(), 1011u) << "they were one until then";
  ASSERT_TRUE(roll_over(stream, std::vector<uint32_t>{3}, {1020, 6001}));  // 4
  EXPECT_EQ(unguarded_from(stream, 2, 4).value(), 1011u) << "3 is no ancestor of 2";
  EXPECT_EQ(unguarded_from(stream, 4, 2).value(), 1011u);
  ASSERT_TRUE(split_shard(stream, 4, std::nullopt, {1030, 6002}));  // 5, 6
  EXPECT_EQ(unguarded_from(stream, 5, 6).value(), 1031u);
  EXPECT_EQ(unguarded_from(stream, 5, 2).value(), 1011u);
  EXPECT_EQ(unguarded_from(stream, 1, 6).value(), 1001u);
  EXPECT_FALSE(unguarded_from(stream, 2, 6));
  forget_shards(stream, 6000);  // 0
  EXPECT_EQ(unguarded_from(stream, 5, 2).value(), 1011u) << "a forgotten ancestor still is one";
  forget_shards(stream, 6001);  // 3
  EXPECT_EQ(unguarded_from(stream, 5, 2).value(), 1001u) << "too much is asked for, not too little";
}

// Whatever is done: the open shards cover every hash once, and at every LSN so did those of then.
TEST(Lineage, ShardsCoverTheHashSpaceAtEveryLsn) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    StreamDefinition stream = stream_with(1 + static_cast<uint32_t>(random() % 5));
    Lsn lsn = 1001;
    for (int step = 0; step < 120; ++step, ++lsn) {
      const Moment moment{lsn, 6000 + step};
      const auto open = open_ordinals(stream);
      const uint32_t one = open[random() % open.size()], other = open[random() % open.size()];
      switch (random() % 4) {
        case 0:
          (void)split_shard(stream, one, random() % 2 ? std::optional(random()) : std::nullopt,
                            moment);
          break;
        case 1:
          (void)merge_shards(stream, one, other, moment);
          break;
        case 2:
          (void)roll_over(stream, std::vector{one, other}, moment);
          break;
        default:
          (void)roll_over(stream, open, moment);
      }
    }
    for (Lsn at = 1001; at < lsn; ++at) {
      std::vector<HashRange> ranges;
      for (const ShardDefinition& it : stream.shards) {
        if (it.opened_at < at && (!it.closed_at || at <= *it.closed_at)) ranges.push_back(it.range);
      }
      std::sort(ranges.begin(), ranges.end(),
                [](HashRange a, HashRange b) { return a.first < b.first; });
      uint64_t next = 0;
      for (HashRange range : ranges) {
        ASSERT_EQ(range.first, next) << "LSN " << at;
        next = range.last + 1;
      }
      ASSERT_EQ(next, 0u);
    }
  }
}

}  // namespace
}  // namespace millrace::streams
