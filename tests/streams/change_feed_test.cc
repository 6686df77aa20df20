#include "streams/change_feed.h"

#include "stream_node.h"

namespace millrace::streams {
namespace {

std::string lines(ChangeFeed& feed, size_t bytes = 1 << 20) {
  std::string out;
  for (;;) {
    auto more = feed.next(bytes, out);
    EXPECT_TRUE(more) << more.error().message;
    if (!more || !*more) return out;
  }
}

TEST(ChangeFeed, OneLineOfJsonAChange) {
  StreamNode node;
  node.create_table("films", StreamViewType::kNewAndOldImages);
  Lsn first = node.put("films", "a\"b", "1");
  node.clock.advance(7);
  Lsn second = node.put("films", "a\"b", "2");
  Lsn third = node.write({{"films", "a\"b", std::nullopt}}, "dynamodb.amazonaws.com");
  Lsn fourth = node.write({{"films", "x", "1"}, {"films", "y", "2"}});
  ChangeFeed feed(node.log(), node.catalog(), {}, node.log().first_retained_lsn());
  EXPECT_EQ(
      lines(feed),
      "{\"lsn\":" + std::to_string(first) +
          ",\"time\":1790000000123,\"table\":\"films\",\"event\":\"INSERT\","
          "\"keys\":{\"pk\":{\"S\":\"a\\\"b\"}},\"new\":{\"pk\":{\"S\":\"a\\\"b\"},\"v\":{\"S\":"
          "\"1\"}}}\n"
          "{\"lsn\":" +
          std::to_string(second) +
          ",\"time\":1790000000130,\"table\":\"films\",\"event\":\"MODIFY\","
          "\"keys\":{\"pk\":{\"S\":\"a\\\"b\"}},\"new\":{\"pk\":{\"S\":\"a\\\"b\"},\"v\":{\"S\":"
          "\"2\"}},"
          "\"old\":{\"pk\":{\"S\":\"a\\\"b\"},\"v\":{\"S\":\"1\"}}}\n"
          "{\"lsn\":" +
          std::to_string(third) +
          ",\"time\":1790000000130,\"table\":\"films\",\"event\":\"REMOVE\","
          "\"keys\":{\"pk\":{\"S\":\"a\\\"b\"}},\"old\":{\"pk\":{\"S\":\"a\\\"b\"},\"v\":{\"S\":"
          "\"2\"}},"
          "\"identity\":\"dynamodb.amazonaws.com\"}\n"
          "{\"lsn\":" +
          std::to_string(fourth) +
          ",\"time\":1790000000130,\"table\":\"films\",\"event\":\"INSERT\","
          "\"keys\":{\"pk\":{\"S\":\"x\"}},\"new\":{\"pk\":{\"S\":\"x\"},\"v\":{\"S\":\"1\"}},"
          "\"transaction\":{\"id\":\"t1\",\"position\":1,\"count\":2}}\n"
          "{\"lsn\":" +
          std::to_string(fourth + 1) +
          ",\"time\":1790000000130,\"table\":\"films\",\"event\":\"INSERT\","
          "\"keys\":{\"pk\":{\"S\":\"y\"}},\"new\":{\"pk\":{\"S\":\"y\"},\"v\":{\"S\":\"2\"}},"
          "\"transaction\":{\"id\":\"t1\",\"position\":2,\"count\":2}}\n");
}

TEST(ChangeFeed, WhatASubscriptionHandsOutNamesItsLease) {
  StreamNode node;
  node.create_table("films", std::nullopt);
  const Lsn lsn = node.put("films", "a", "1");
  ChangeReader reader(node.log(), node.catalog(), {}, lsn);
  const ChangeBatch batch = reader.read(1, 1 << 20).value();
  const Lease lease{2, 9};
  std::string out;
  const Change& change = batch.changes.at(0);
  render_change(*change.table, change.change, change.entry, out, &lease);
  EXPECT_EQ(out, "{\"shard\":2,\"epoch\":9,\"lsn\":" + std::to_string(lsn) +
                     ",\"time\":1790000000123,\"table\":\"films\",\"event\":\"INSERT\","
                     "\"keys\":{\"pk\":{\"S\":\"a\"}},\"new\":{\"pk\":{\"S\":\"a\"},\"v\":{\"S\":"
                     "\"1\"}}}");
}

TEST(ChangeFeed, TheTokenOfATransactionIsNoneOfItsChanges) {
  const KeySchema schema = {{"pk", ValueType::kString}, std::nullopt};
  auto key = [&](Generation generation, const char* pk, std::string& image) {
    ItemTree item;
    item.emplace("pk", Value::string(pk));
    image = encode_item(item);
    return store_key(schema, generation, ItemView(image).attributes(), false).value();
  };
  FrameBuilder builder(100);
  builder.begin_entry(1);
  builder.add_field(EntryField::kTransactionId, "t1");
  std::string image;
  for (auto [generation, pk] : {std::pair<Generation, const char*>{3, "token"},
                                {kFirstUserGeneration, "a"},
                                {kFirstUserGeneration, "b"}}) {
    const std::string store = key(generation, pk, image);
    builder.add_change(ChangeKind::kInsert, store, image, std::nullopt);
  }
  builder.end_entry();
  const FramePtr frame = std::move(builder).finish(0, 0, {});
  const EntryView entry = *frame->begin();
  std::vector<std::string> rendered;
  for (const ChangeView& change : entry) render_transaction(change, entry, rendered.emplace_back());
  EXPECT_EQ(rendered[1], ",\"transaction\":{\"id\":\"t1\",\"position\":1,\"count\":2}");
  EXPECT_EQ(rendered[2], ",\"transaction\":{\"id\":\"t1\",\"position\":2,\"count\":2}");
}

TEST(ChangeFeed, FollowsTheTipOfTheTablesNamed) {
  StreamNode node;
  node.create_table("a", std::nullopt);
  node.create_table("b", std::nullopt);
  node.put("a", "k", "before");
  ChangeFeed feed(node.log(), node.catalog(), {{{"a"}}}, node.log().durable_lsn() + 1);
  EXPECT_EQ(lines(feed), "");
  Lsn lsn = node.put("a", "k", "1");
  node.put("b", "k", "1");
  std::string found = lines(feed);
  EXPECT_TRUE(found.starts_with("{\"lsn\":" + std::to_string(lsn) + ","));
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 1);
  EXPECT_GT(feed.position(), lsn);
  ChangeFeed other(node.log(), node.catalog(), {{{"a"}}}, lsn);
  EXPECT_EQ(lines(other), found);
}

TEST(ChangeFeed, GivesPortionsOfTheSizeAskedFor) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  for (int i = 0; i < 500; ++i) node.put("t", "k" + std::to_string(i), std::string(100, 'x'));
  ChangeFeed feed(node.log(), node.catalog(), {}, node.log().first_retained_lsn());
  std::string out;
  size_t total = 0;
  for (bool more = true; more;) {
    out.clear();
    auto next = feed.next(5000, out);
    ASSERT_TRUE(next);
    more = *next;
    EXPECT_LT(out.size(), 20'000u);
    total += static_cast<size_t>(std::count(out.begin(), out.end(), '\n'));
  }
  EXPECT_EQ(total, 500u);
}

TEST(ChangeFeed, SaysThatItsPositionWasTrimmed) {
  StreamNode node(32 << 10);
  node.create_table("t", std::nullopt);
  Lsn first = node.put("t", "k", "0");
  for (int i = 0; i < 300; ++i) node.put("t", "k", std::string(300, 'x') + std::to_string(i));
  node.maintain();
  ASSERT_TRUE(node.engine().checkpoint());
  ASSERT_TRUE(node.log().trim(node.log().segments()[2].first_lsn));
  ChangeFeed feed(node.log(), node.catalog(), {}, first);
  std::string out;
  EXPECT_EQ(feed.next(1000, out).error().code, ErrorCode::kTrimmed);
}

}  // namespace
}  // namespace millrace::streams
