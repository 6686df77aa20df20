#include "streams/streams.h"

#include "stream_node.h"

namespace millrace::streams {
namespace {

std::string iterator_of(StreamNode& node, const Stream& stream, uint32_t ordinal, IteratorType type,
                        Lsn lsn = 0, int64_t time_ms = 0) {
  auto iterator = node.streams().iterator(stream, ordinal, type, lsn, time_ms);
  EXPECT_TRUE(iterator) << iterator.error().message;
  return iterator ? *iterator : "";
}

// The shard in which a key's records are.
uint32_t shard_of(StreamNode& node, const Stream& stream, const std::string& key) {
  auto shards = read_shards(node, stream);
  for (uint32_t i = 0; i < shards.size(); ++i) {
    for (const SeenRecord& record : shards[i]) {
      if (record.key == key) return i;
    }
  }
  ADD_FAILURE() << "no shard has " << key;
  return 0;
}

std::vector<std::string> values(const std::vector<SeenRecord>& records) {
  std::vector<std::string> result;
  for (const SeenRecord& record : records) result.push_back(record.value);
  return result;
}

using Texts = std::vector<std::string>;

TEST(Streams, ChangesAreSharedByTheShardsAndInOrderWithinEach) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  for (int i = 0; i < 300; ++i) node.put("t", "k" + std::to_string(i % 40), std::to_string(i));
  auto shards = read_shards(node, node.stream_of("t"));
  ASSERT_EQ(shards.size(), 4u);
  size_t count = 0;
  for (const auto& shard : shards) {
    EXPECT_FALSE(shard.empty());
    count += shard.size();
    for (size_t i = 1; i < shard.size(); ++i) EXPECT_LT(shard[i - 1].lsn, shard[i].lsn);
  }
  EXPECT_EQ(count, 300u);
}

TEST(Streams, HasWhatHappenedWhileItWasEnabledAndNothingElse) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  node.put("t", "k", "before");
  node.enable("t", StreamViewType::kNewImage);
  node.put("t", "k", "first");
  node.disable("t");
  node.put("t", "k", "between");
  node.enable("t", StreamViewType::kNewAndOldImages);
  node.put("t", "k", "second");
  TablePtr table = node.catalog().find("t");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(values(read_all(node, {table, 0})), Texts{"first"});
    EXPECT_EQ(values(read_all(node, {table, 1})), Texts{"second"});
    node.restart();
    table = node.catalog().find("t");
  }
  auto listed = node.streams().list("t");
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_NE(node.streams().arn(listed[0]), node.streams().arn(listed[1]));
}

TEST(Streams, AClosedShardEnds) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  node.put("t", "k", "1");
  Stream stream = node.stream_of("t");
  uint32_t shard = shard_of(node, stream, "k");
  std::string trim_horizon = iterator_of(node, stream, shard, IteratorType::kTrimHorizon);
  std::string latest = iterator_of(node, stream, shard, IteratorType::kLatest);
  node.put("t", "k", "2");
  node.disable("t");
  node.put("t", "k", "3");
  EXPECT_EQ(values(read_on(node, trim_horizon)), (Texts{"1", "2"}));
  EXPECT_TRUE(trim_horizon.empty()) << "no iterator past the end";
  EXPECT_EQ(values(read_on(node, latest)), Texts{"2"});
  EXPECT_TRUE(latest.empty());
  std::string after = iterator_of(node, node.stream_of("t"), shard, IteratorType::kLatest);
  EXPECT_TRUE(read_on(node, after).empty());
  EXPECT_TRUE(after.empty());
}

TEST(Streams, ADeletedTablesStreamStaysReadable) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  node.put("t", "k", "1");
  std::string arn = node.streams().arn(node.stream_of("t"));
  node.delete_table("t");
  node.clock.advance(1000);
  node.create_table("t", StreamViewType::kNewImage);
  node.put("t", "k", "2");
  auto stream = node.streams().find(arn);
  ASSERT_TRUE(stream);
  EXPECT_EQ(values(read_all(node, *stream)), Texts{"1"});
  EXPECT_EQ(values(read_all(node, node.stream_of("t"))), Texts{"2"});
  node.restart();
  EXPECT_EQ(values(read_all(node, node.streams().find(arn).value())), Texts{"1"});
}

TEST(Streams, IteratorsBeginWhereTheySay) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  std::vector<Lsn> lsns;
  for (int i = 0; i < 5; ++i) {
    lsns.push_back(node.put("t", "k", std::to_string(i)));
    node.clock.advance(10'000);
  }
  Stream stream = node.stream_of("t");
  uint32_t shard = shard_of(node, stream, "k");
  std::string at = iterator_of(node, stream, shard, IteratorType::kAtSequenceNumber, lsns[3]);
  std::string after = iterator_of(node, stream, shard, IteratorType::kAfterSequenceNumber, lsns[3]);
  std::string latest = iterator_of(node, stream, shard, IteratorType::kLatest);
  int64_t third = node.clock.wall_ms() - 30'000;
  std::string at_time = iterator_of(node, stream, shard, IteratorType::kAtTimestamp, 0, third);
  std::string after_time =
      iterator_of(node, stream, shard, IteratorType::kAtTimestamp, 0, third + 1);
  std::string long_ago = iterator_of(node, stream, shard, IteratorType::kAtTimestamp, 0, 5);
  node.put("t", "k", "5");
  EXPECT_EQ(values(read_on(node, at)), (Texts{"3", "4", "5"}));
  EXPECT_EQ(values(read_on(node, after)), (Texts{"4", "5"}));
  EXPECT_EQ(values(read_on(node, latest)), Texts{"5"});
  EXPECT_EQ(values(read_on(node, at_time)), (Texts{"2", "3", "4", "5"}));
  EXPECT_EQ(values(read_on(node, after_time)), (Texts{"3", "4", "5"}));
  EXPECT_EQ(values(read_on(node, long_ago)).size(), 6u);
  for (Lsn wrong : {stream.definition().enabled_at - 1, node.log().durable_lsn() + 1}) {
    auto refused =
        node.streams().iterator(stream, shard, IteratorType::kAtSequenceNumber, wrong, 0);
    EXPECT_EQ(refused.error().code, ErrorCode::kValidation);
  }
  auto future = node.streams().iterator(stream, shard, IteratorType::kAtTimestamp, 0,
                                        node.clock.wall_ms() + 1);
  EXPECT_EQ(future.error().code, ErrorCode::kValidation);
}

TEST(Streams, PagesAreBoundedByCountAndBytes) {
  StreamNode node(1 << 20);
  node.create_table("t", StreamViewType::kNewImage);
  for (int i = 0; i < 25; ++i) node.put("t", "k", std::string(100'000, 'x') + std::to_string(i));
  Stream stream = node.stream_of("t");
  uint32_t shard = shard_of(node, stream, "k");
  std::string iterator = iterator_of(node, stream, shard, IteratorType::kTrimHorizon);
  std::vector<size_t> counts;
  size_t total = 0;
  while (total < 25) {
    std::string page;
    auto read = node.streams().read(iterator, 1000, page);
    ASSERT_TRUE(read);
    ASSERT_GT(read->count, 0u);
    EXPECT_LE(page.size(), Streams::kPageBytesMax);
    counts.push_back(read->count);
    total += read->count;
    iterator = *read->next;
  }
  EXPECT_EQ(counts, (std::vector<size_t>{10, 10, 5}));
  iterator = iterator_of(node, stream, shard, IteratorType::kTrimHorizon);
  std::string page;
  EXPECT_EQ(node.streams().read(iterator, 3, page)->count, 3u);
}

TEST(Streams, ShowsTwentyFourHours) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  Lsn old_lsn = node.put("t", "k", "old");
  Stream stream = node.stream_of("t");
  uint32_t shard = shard_of(node, stream, "k");
  node.clock.advance(23 * kHourMs);
  Lsn young_lsn = node.put("t", "k", "young");
  std::string before = iterator_of(node, stream, shard, IteratorType::kAtSequenceNumber, old_lsn);
  EXPECT_EQ(values(read_all(node, stream)), (Texts{"old", "young"}));
  node.clock.advance(kHourMs + 1 - IteratorSigner::kLifeMs);
  before = iterator_of(node, stream, shard, IteratorType::kAtSequenceNumber, old_lsn);
  node.clock.advance(IteratorSigner::kLifeMs);
  EXPECT_EQ(values(read_all(node, stream)), Texts{"young"}) << "the log still holds the other";
  std::string page;
  auto read = node.streams().read(before, 1000, page);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kTrimmedDataAccess);
  EXPECT_TRUE(page.empty());
  for (IteratorType type : {IteratorType::kAtSequenceNumber, IteratorType::kAfterSequenceNumber}) {
    auto trimmed = node.streams().iterator(stream, shard, type, old_lsn, 0);
    ASSERT_FALSE(trimmed);
    EXPECT_EQ(trimmed.error().code, ErrorCode::kTrimmedDataAccess);
  }
  std::string after =
      iterator_of(node, stream, shard, IteratorType::kAfterSequenceNumber, young_lsn);
  EXPECT_TRUE(read_on(node, after).empty());
  EXPECT_FALSE(after.empty());
}

TEST(Streams, ADisabledStreamIsGoneAfterADay) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  node.put("t", "k", "1");
  std::string arn = node.streams().arn(node.stream_of("t"));
  node.disable("t");
  node.clock.advance(24 * kHourMs - 1);
  EXPECT_TRUE(node.streams().find(arn));
  std::string iterator = iterator_of(node, node.stream_of("t"), 0, IteratorType::kTrimHorizon);
  node.clock.advance(1);
  auto gone = node.streams().find(arn);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kResourceNotFound);
  EXPECT_EQ(gone.error().message, "Requested resource not found: Stream: " + arn + " not found");
  EXPECT_TRUE(node.streams().list(std::nullopt).empty());
  std::string page;
  EXPECT_EQ(node.streams().read(iterator, 10, page).error().code, ErrorCode::kResourceNotFound);
}

TEST(Streams, AWallClockThatJumpsHidesNoRecord) {
  StreamNode node;
  node.create_table("t", StreamViewType::kNewImage);
  node.put("t", "k", "value");
  for (int64_t ahead : {30 * kHourMs, -30 * kHourMs, int64_t{0}}) {
    node.clock.set_wall_ahead(ahead);
    EXPECT_EQ(values(read_all(node, node.stream_of("t"))), (std::vector<std::string>{"value"}));
  }
  node.clock.advance(25 * kHourMs);
  EXPECT_TRUE(read_all(node, node.stream_of("t")).empty());
}

TEST(Streams, TheLogMayBeTrimmedUpToThePin) {
  StreamNode node(32 << 10);
  EXPECT_FALSE(node.streams().retention_pin(node.clock.wall_ms()));
  node.create_table("plain", std::nullopt);
  EXPECT_FALSE(node.streams().retention_pin(node.clock.wall_ms()));
  for (int i = 0; i < 200; ++i) node.put("plain", "k", std::string(300, 'x') + std::to_string(i));
  node.create_table("t", StreamViewType::kNewImage);
  const Lsn enabled = node.stream_of("t").definition().enabled_at;
  EXPECT_EQ(node.streams().retention_pin(node.clock.wall_ms()), enabled + 1);
  const Lsn reader[] = {enabled - 50};
  EXPECT_EQ(node.streams().retention_pin(node.clock.wall_ms(), reader), enabled - 50);

  std::vector<std::string> young;
  for (int hour = 0; hour < 48; ++hour) {
    node.clock.advance(kHourMs);
    for (int i = 0; i < 20; ++i) {
      std::string value = std::to_string(hour) + std::string(300, 'x');
      node.put("t", "k" + std::to_string(i), value);
      if (hour >= 23) young.push_back(value);
    }
  }
  auto pin = node.streams().retention_pin(node.clock.wall_ms(), reader);
  ASSERT_TRUE(pin);
  EXPECT_GT(*pin, enabled + 1) << "a reader that stands still pins a day, not more";
  node.maintain();
  ASSERT_TRUE(node.engine().checkpoint());
  size_t before = node.log().segments().size();
  ASSERT_TRUE(node.log().trim(*pin));
  EXPECT_LT(node.log().segments().size(), before);
  node.step_index();
  EXPECT_EQ(values(read_all(node, node.stream_of("t"))), young);
  auto trimmed =
      node.streams().iterator(node.stream_of("t"), 0, IteratorType::kAtSequenceNumber, enabled, 0);
  EXPECT_EQ(trimmed.error().code, ErrorCode::kTrimmedDataAccess);
}

TEST(Streams, EveryRecordComesOnceAndInOrderWhileWritersAndReadersRun) {
  StreamNode node(128 << 10);
  node.create_table("t", StreamViewType::kNewImage);
  constexpr int kWriters = 4, kWrites = 400, kKeys = 5;
  std::atomic<int> writing = kWriters;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        std::string key = std::to_string(w) + "-" + std::to_string(i % kKeys);
        if (i % 10 == 9) {
          node.write({{"t", key, std::to_string(i)}, {"t", key + "+", std::to_string(i)}});
        } else {
          node.put("t", key, std::to_string(i));
        }
      }
      --writing;
    });
  }
  std::thread follower([&] {
    while (writing > 0) {
      EXPECT_TRUE(node.index().step());
      std::this_thread::yield();
    }
  });
  Stream stream = node.stream_of("t");
  std::vector<std::vector<SeenRecord>> shards(4);
  for (uint32_t s = 0; s < 4; ++s) {
    threads.emplace_back([&, s] {
      std::string iterator = iterator_of(node, stream, s, IteratorType::kTrimHorizon);
      for (bool last = false;;) {
        for (SeenRecord& record : read_on(node, iterator, 1 + s * 10)) {
          shards[s].push_back(std::move(record));
        }
        if (last) break;
        last = writing == 0;
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  follower.join();
  std::map<std::string, std::vector<std::string>> by_key;
  for (const auto& shard : shards) {
    for (const SeenRecord& record : shard) by_key[record.key].push_back(record.value);
  }
  std::map<std::string, std::vector<std::string>> expected;
  for (int w = 0; w < kWriters; ++w) {
    for (int i = 0; i < kWrites; ++i) {
      std::string key = std::to_string(w) + "-" + std::to_string(i % kKeys);
      expected[key].push_back(std::to_string(i));
      if (i % 10 == 9) expected[key + "+"].push_back(std::to_string(i));
    }
  }
  EXPECT_EQ(by_key, expected);
}

}  // namespace
}  // namespace millrace::streams
