#include "streams/stream_ids.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace::streams {
namespace {

StreamDefinition stream_with(uint32_t shards) {
  StreamDefinition stream;
  stream.enabled_at = 1'800'000'000'000'000;
  stream.created_ms = 1'790'000'000'123;
  stream.open_shards(shards);
  return stream;
}

bool all_of(std::string_view text, std::string_view digits) {
  return text.find_first_not_of(digits) == std::string_view::npos;
}

// shardId-[0-9]{20}-[0-9a-f]{8}
bool has_shard_shape(std::string_view id) {
  return id.size() == 37 && id.starts_with("shardId-") && all_of(id.substr(8, 20), "0123456789") &&
         id[28] == '-' && all_of(id.substr(29), "0123456789abcdef");
}

TEST(StreamIds, ShardIdsHaveTheShapeThatConsumersParse) {
  const StreamDefinition stream = stream_with(4);
  std::set<std::string> ids;
  for (const ShardDefinition& shard : stream.shards) {
    std::string id = shard_id(1024, stream, shard.name);
    EXPECT_TRUE(has_shard_shape(id)) << id;
    EXPECT_EQ(find_shard(1024, stream, id), &shard);
    EXPECT_TRUE(ids.empty() || id > *ids.rbegin()) << "ordered by ordinal";
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 4u);
  EXPECT_EQ(find_shard(1025, stream, *ids.begin()), nullptr);
  for (const char* id :
       {"", "shardId-", "shardId-00000000000000000000-00000000", "shardId-00000001790000000123",
        "shardId-00000001790000000123-", "shardId-00000001790000000123-e101b00z"}) {
    EXPECT_EQ(find_shard(1024, stream, id), nullptr) << id;
  }
}

// Clients keep these: they may never change.
TEST(StreamIds, GoldenTexts) {
  EXPECT_EQ(shard_id(1024, stream_with(4), {2, 1'790'000'000'123}),
            "shardId-00000001790000000123-e101b002");
  EXPECT_EQ(sequence_number(1), "100000000000000000001");
  EXPECT_EQ(sequence_number((Lsn{1} << 53) - 1), "100009007199254740991");
  std::string id;
  append_event_id(1'800'000'000'000'001, id);
  EXPECT_EQ(id, "66b560e5b2cf689199dda6c1235eebe4");
}

TEST(StreamIds, SequenceNumbersComeBackAndNothingElseDoes) {
  for (Lsn lsn :
       {Lsn{0}, Lsn{1}, Lsn{9}, Lsn{10}, Lsn{1'800'000'000'000'000}, (Lsn{1} << 53) - 1}) {
    EXPECT_EQ(parse_sequence_number(sequence_number(lsn)), lsn);
    EXPECT_LT(sequence_number(lsn), sequence_number(lsn + 1));
  }
  for (const char* text :
       {"", "1", "000000000000000000001", "10000000000000000000x", "200000000000000000001",
        "1000000000000000000001", "199999999999999999999", "-00000000000000000001"}) {
    EXPECT_FALSE(parse_sequence_number(text)) << text;
  }
}

TEST(StreamIds, SlicesCoverTheirRange) {
  EXPECT_EQ(slices_of({0, UINT64_MAX}), UINT64_MAX);
  EXPECT_EQ(slices_of(equal_range(0, 4)), 0xffffu);
  EXPECT_EQ(slices_of(equal_range(3, 4)), uint64_t{0xffff} << 48);
  EXPECT_EQ(slices_of({5, 5}), 1u);
  for (uint32_t i = 0; i < 3; ++i) {
    HashRange range = equal_range(i, 3);
    EXPECT_TRUE(slices_of(range) >> slice_of(range.first) & 1);
    EXPECT_TRUE(slices_of(range) >> slice_of(range.last) & 1);
  }
}

TEST(StreamIds, EventIdsDifferAndAreHex) {
  std::set<std::string> ids;
  for (Lsn lsn = 1'800'000'000'000'000; lsn < 1'800'000'000'001'000; ++lsn) {
    std::string id;
    append_event_id(lsn, id);
    EXPECT_TRUE(id.size() == 32 && all_of(id, "0123456789abcdef")) << id;
    EXPECT_TRUE(ids.insert(id).second);
  }
}

}  // namespace
}  // namespace millrace::streams
