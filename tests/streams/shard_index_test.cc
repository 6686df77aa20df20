#include "streams/shard_index.h"

#include "core/base/random.h"
#include "stream_node.h"

namespace millrace::streams {
namespace {

std::vector<std::string> index_files(StreamNode& node) {
  return node.index_disk.list("/shards").value();
}

// Fills some segments with the changes of a table with a stream and one without.
std::vector<SeenRecord> fill(StreamNode& node, Random& random, int writes) {
  std::vector<SeenRecord> expected;
  std::map<std::string, bool> there;
  for (int i = 0; i < writes; ++i) {
    std::string key = "k" + std::to_string(random.below(50));
    std::string value = std::to_string(i) + std::string(random.below(300), 'x');
    if (random.one_in(3)) {
      node.put("plain", key, value);
    } else if (there[key] && random.one_in(4)) {
      expected.push_back({node.remove("streamed", key), key, "REMOVE", ""});
      there[key] = false;
    } else {
      expected.push_back(
          {node.put("streamed", key, value), key, there[key] ? "MODIFY" : "INSERT", value});
      there[key] = true;
    }
    if (random.one_in(10)) node.step_index();
  }
  return expected;
}

void make_tables(StreamNode& node) {
  node.create_table("plain", std::nullopt);
  node.create_table("streamed", StreamViewType::kNewAndOldImages);
}

TEST(ShardIndex, ARecordIsReadAsSoonAsItsWriteWasAnswered) {
  StreamNode node;
  make_tables(node);
  for (int i = 0; i < 20; ++i) {
    Lsn lsn = node.put("streamed", "k", std::to_string(i));
    auto records = read_all(node, node.stream_of("streamed"));
    ASSERT_EQ(records.size(), static_cast<size_t>(i) + 1);
    EXPECT_EQ(records.back().lsn, lsn);
  }
}

TEST(ShardIndex, HoldsEveryRecordOverManySegmentsAndRestarts) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    StreamNode node(32 << 10);
    make_tables(node);
    std::vector<SeenRecord> expected;
    for (int round = 0; round < 4; ++round) {
      for (SeenRecord& record : fill(node, random, 200)) expected.push_back(std::move(record));
      // fill() starts anew with no item known to it.
      for (int i = 0; i < 50; ++i) {
        Lsn before = node.log().durable_lsn();
        std::string key = "k" + std::to_string(i);
        Lsn lsn = node.remove("streamed", key);
        if (node.log().durable_lsn() > before) expected.push_back({lsn, key, "REMOVE", ""});
      }
      EXPECT_EQ(read_all(node, node.stream_of("streamed")), expected);
      node.restart();
      EXPECT_EQ(read_all(node, node.stream_of("streamed")), expected);
    }
    EXPECT_GT(node.log().segments().size(), 3u);
  }
}

// A reader takes the log's end first, and others may have had more of it indexed by the time it
// looks something up.
TEST(ShardIndex, ALookUpPassesNothingBehindItsEnd) {
  StreamNode node(32 << 10);
  make_tables(node);
  const Generation generation = node.stream_of("streamed").table->generation;
  std::vector<Lsn> ends;
  while (node.log().segments().size() < 4) {
    ends.push_back(node.put("plain", "k", std::string(300, 'x') + std::to_string(ends.size())));
    node.put("streamed", "k", std::to_string(ends.size()));
  }
  ASSERT_TRUE(node.index().catch_up(node.log().durable_lsn()));
  for (Lsn end : ends) {
    std::vector<LocatedPosting> found;
    PostingQuery query;
    query.from = end;
    auto next = node.index().find(generation, query, end, found);
    ASSERT_TRUE(next);
    EXPECT_TRUE(found.empty());
    EXPECT_EQ(*next, end + 1);
  }
}

TEST(ShardIndex, WritesAFileForEachSealedSegmentAndReadsNoneTwiceAtTheStart) {
  Random random(1);
  StreamNode node(32 << 10);
  make_tables(node);
  fill(node, random, 600);
  node.step_index();
  size_t sealed = node.log().segments().size() - 1;
  ASSERT_GT(sealed, 2u);
  EXPECT_EQ(index_files(node).size(), sealed);
  node.open_index();
  node.step_index();
  EXPECT_EQ(node.index().statistics().files_rebuilt, 0u);
  EXPECT_FALSE(read_all(node, node.stream_of("streamed")).empty());
  EXPECT_EQ(node.index().statistics().files_rebuilt, 0u);
}

TEST(ShardIndex, NoFileIsWrittenForSegmentsThatNoStreamCovers) {
  StreamNode node(32 << 10);
  node.create_table("plain", std::nullopt);
  for (int i = 0; i < 300; ++i) node.put("plain", "k", std::string(300, 'x') + std::to_string(i));
  ASSERT_GT(node.log().segments().size(), 2u);
  node.open_index();
  node.step_index();
  EXPECT_TRUE(index_files(node).empty());
}

TEST(ShardIndex, MissingDamagedAndTornFilesAreWrittenAnew) {
  Random random(20);
  StreamNode node(32 << 10);
  make_tables(node);
  fill(node, random, 900);
  node.step_index();
  const auto expected = read_all(node, node.stream_of("streamed"));
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random damage(seed);
    size_t rebuilt = 0;
    for (const std::string& name : index_files(node)) {
      const std::string path = "/shards/" + name;
      std::string content = node.index_disk.content(path);
      switch (damage.below(5)) {
        case 0:
          ASSERT_TRUE(node.index_disk.remove(path));
          break;
        case 1:
          content[damage.below(content.size())] ^= 0x40;
          node.index_disk.set_content(path, content);
          break;
        case 2:
          node.index_disk.set_content(path, content.substr(0, damage.below(content.size())));
          break;
        case 3:
          node.index_disk.set_content(path + ".part", content.substr(0, content.size() / 2));
          continue;
        default:
          continue;
      }
      ++rebuilt;
    }
    node.open_index();
    if (damage.one_in(2)) node.step_index();
    EXPECT_EQ(read_all(node, node.stream_of("streamed")), expected);
    node.step_index();
    EXPECT_EQ(node.index().statistics().files_rebuilt, rebuilt);
    for (const std::string& name : index_files(node)) EXPECT_TRUE(name.ends_with(".idx")) << name;
  }
}

TEST(ShardIndex, IsTheSameAfterACrashAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    StreamNode node(32 << 10);
    make_tables(node);
    fill(node, random, 300);
    node.index_disk.lose_power_after(random.below(12));
    for (int i = 0; i < 200; ++i) {
      node.put("streamed", "n" + std::to_string(i % 7), std::string(200, 'y') + std::to_string(i));
      (void)node.index().step().has_value();  // fails once the power is gone
    }
    const auto before = read_all(node, node.stream_of("streamed"));
    node.index_disk.crash(random);
    node.restart();
    EXPECT_EQ(read_all(node, node.stream_of("streamed")), before);
    node.step_index();
    EXPECT_EQ(read_all(node, node.stream_of("streamed")), before);
  }
}

TEST(ShardIndex, ADiskThatRefusesFilesDoesNotStopReaders) {
  Random random(3);
  StreamNode node(32 << 10);
  make_tables(node);
  node.index_disk.set_capacity(100);
  for (int i = 0; i < 400; ++i) {
    node.put("streamed", "k" + std::to_string(i % 9), std::string(300, 'x') + std::to_string(i));
  }
  while (!node.index().step().has_value()) {
  }
  EXPECT_EQ(read_all(node, node.stream_of("streamed")).size(), 400u);
  node.index_disk.set_capacity(std::nullopt);
  node.open_index();
  node.step_index();
  EXPECT_EQ(index_files(node).size(), node.log().segments().size() - 1);
}

TEST(ShardIndex, FilesOfTrimmedSegmentsAreRemoved) {
  Random random(4);
  StreamNode node(32 << 10);
  make_tables(node);
  fill(node, random, 600);
  node.step_index();
  size_t before = index_files(node).size();
  node.maintain();
  ASSERT_TRUE(node.engine().checkpoint());
  std::vector<SegmentInfo> segments = node.log().segments();
  ASSERT_TRUE(node.log().trim(segments[2].first_lsn));
  ASSERT_EQ(node.log().segments().size(), segments.size() - 2);
  node.step_index();
  EXPECT_EQ(index_files(node).size(), before - 2);
  node.open_index();
  node.step_index();
  EXPECT_EQ(index_files(node).size(), before - 2);
}

TEST(ShardIndex, MemoryDoesNotGrowWithWhatIsRetained) {
  StreamNode node(32 << 10);
  make_tables(node);
  size_t largest = 0;
  for (int i = 0; i < 3000; ++i) {
    node.put("streamed", "k" + std::to_string(i), std::string(200, 'x'));
    if (i % 50 == 0) node.step_index();
    largest = std::max(largest, node.index().statistics().open_bytes);
  }
  EXPECT_GT(node.log().segments().size(), 15u);
  EXPECT_LT(largest, 4096u);
  EXPECT_EQ(node.index().statistics().cached_bytes, 0u) << "nobody has read a sealed segment";
}

TEST(ShardIndex, AQuietStreamBesideABusyTableIsReadInBoundedPortions) {
  StreamNode node(4 << 10);
  make_tables(node);
  node.put("streamed", "first", "1");
  for (int i = 0; i < 600; ++i) node.put("plain", "k", std::string(500, 'x') + std::to_string(i));
  node.put("streamed", "second", "2");
  ASSERT_GT(node.log().segments().size(), 70u);
  auto records = read_all(node, node.stream_of("streamed"));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].key, "second");
}

}  // namespace
}  // namespace millrace::streams
