#include "core/ops/ttl.h"

#include <gmock/gmock.h>

#include "core/ops/expiry.h"
#include "core/store/log.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNowSecond = 1'700'000'000;  // of a new OpsNode
const std::string kOne = "ValidationException: 1 validation error detected: Value ";

std::string specification(const std::string& enabled, const std::string& attribute = "until") {
  return "{'TableName':'films','TimeToLiveSpecification':{'Enabled':" + enabled +
         ",'AttributeName':'" + attribute + "'}}";
}

void put(OpsNode& node, const std::string& key, const std::string& until) {
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'" + key + "'}" +
                         (until.empty() ? "" : ",'until':" + until) + "}}");
}
std::string in(int64_t seconds) { return "{'N':'" + std::to_string(kNowSecond + seconds) + "'}"; }

std::vector<std::string> keys(OpsNode& node) {
  std::vector<std::string> found;
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
    std::string body =
        node.ok("GetItem", "{'TableName':'films','Key':{'pk':{'S':'" + std::string(key) + "'}}}");
    if (body != "{}") found.push_back(key);
  }
  return found;
}

std::vector<int64_t> indexed_seconds(OpsNode& node, Generation index) {
  std::vector<int64_t> seconds;
  std::string begin;
  append_generation_prefix(index, begin);
  auto range = node.engine().view()->range(begin, prefix_successor(begin), false);
  for (; range->valid(); range->next()) seconds.push_back(split_ttl_entry(range->key(), 1)->second);
  return seconds;
}
Generation ttl_index(OpsNode& node) { return node.catalog().find("films")->ttl->generation; }

TEST(Ttl, it_is_switched_on_and_off_and_described) {
  OpsNode node;
  node.create_table("films");
  const std::string off = "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}";
  EXPECT_EQ(node.ok("DescribeTimeToLive", "{'TableName':'films'}"), off);
  EXPECT_EQ(node.refused("UpdateTimeToLive", specification("false")),
            "ValidationException: TimeToLive is already disabled");
  EXPECT_EQ(node.ok("UpdateTimeToLive", specification("true")),
            "{\"TimeToLiveSpecification\":{\"Enabled\":true,\"AttributeName\":\"until\"}}");
  EXPECT_EQ(node.ok("DescribeTimeToLive", "{'TableName':'films'}"),
            "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"ENABLED\","
            "\"AttributeName\":\"until\"}}");
  EXPECT_EQ(node.refused("UpdateTimeToLive", specification("true")),
            "ValidationException: TimeToLive is already enabled");
  for (const char* enabled : {"true", "false"}) {
    EXPECT_EQ(node.refused("UpdateTimeToLive", specification(enabled, "other")),
              "ValidationException: TimeToLive is active on a different AttributeName: current "
              "AttributeName is until");
  }
  node.ok("UpdateTimeToLive", specification("false"));
  EXPECT_EQ(node.ok("DescribeTimeToLive", "{'TableName':'films'}"), off);
  node.ok("UpdateTimeToLive", specification("true", "other"));
}

TEST(Ttl, wrong_requests_are_refused) {
  OpsNode node;
  node.create_table("films");
  auto refused = [&](const std::string& body) { return node.refused("UpdateTimeToLive", body); };
  EXPECT_EQ(refused("{'TableName':'films'}"),
            "ValidationException: 1 validation error detected: Value null at "
            "'timeToLiveSpecification' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(refused("{'TableName':'films','TimeToLiveSpecification':{'Enabled':true}}"),
            "ValidationException: 1 validation error detected: Value null at "
            "'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must not "
            "be null");
  EXPECT_EQ(refused("{'TableName':'films','TimeToLiveSpecification':{'AttributeName':'a'}}"),
            "ValidationException: 1 validation error detected: Value null at "
            "'timeToLiveSpecification.enabled' failed to satisfy constraint: Member must not be "
            "null");
  EXPECT_EQ(refused(specification("true", "")),
            kOne +
                "'' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1");
  const std::string long_name(256, 'a');
  EXPECT_EQ(refused(specification("true", long_name)),
            kOne + "'" + long_name +
                "' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member "
                "must have length less than or equal to 255");
  EXPECT_EQ(refused("{'TableName':'nowhere','TimeToLiveSpecification':{'Enabled':true,"
                    "'AttributeName':'a'}}"),
            "ResourceNotFoundException: Requested resource not found: Table: nowhere not found");
  EXPECT_EQ(node.refused("DescribeTimeToLive", "{'TableName':'nowhere'}"),
            "ResourceNotFoundException: Requested resource not found: Table: nowhere not found");
  EXPECT_EQ(node.refused("DescribeTimeToLive", "{}"),
            "ValidationException: The parameter 'TableName' is required but was not present in the "
            "request");
}

TEST(Ttl, the_time_is_a_whole_number_of_seconds) {
  auto second = [](Value value) {
    return expiry_second(ItemView(encode_item({{"until", std::move(value)}})), "until");
  };
  auto number = [](const char* text) { return Value::number(Number::parse(text).value()); };
  EXPECT_EQ(second(number("1700000000")), 1'700'000'000);
  EXPECT_EQ(second(number("1.7E9")), 1'700'000'000);
  EXPECT_EQ(second(number("1700000000.9")), 1'700'000'000);
  EXPECT_EQ(second(number("0")), 0);
  EXPECT_EQ(second(number("-5")), std::nullopt);
  EXPECT_EQ(second(number("1E100")), std::nullopt);
  EXPECT_EQ(second(Value::string("1700000000")), std::nullopt);
  EXPECT_EQ(expiry_second(ItemView(encode_item({})), "until"), std::nullopt);
}

TEST(Ttl, the_form_of_an_entry_is_fixed) {
  std::string key = ttl_range_begin(0x0102, 0x03) + "rest";
  EXPECT_EQ(key, std::string("\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\3rest", 20));
  TtlEntry entry = split_ttl_entry(key, 9).value();
  EXPECT_EQ(entry.second, 3);
  EXPECT_EQ(entry.item_key, std::string("\0\0\0\0\0\0\0\11rest", 12));
  EXPECT_FALSE(split_ttl_entry(key.substr(0, 15), 9));
}

TEST(Ttl, items_go_when_their_time_has_passed_and_are_there_until_then) {
  OpsNode node;
  node.create_table("films");
  node.ok("UpdateTimeToLive", specification("true"));
  put(node, "a", in(10));
  put(node, "b", in(20));
  put(node, "c", "");
  put(node, "d", "{'S':'1'}");
  node.work();
  node.clock.advance(10'000);  // the very second: not yet less than now
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("a", "b", "c", "d"));
  node.clock.advance(1'000);
  EXPECT_THAT(keys(node), ElementsAre("a", "b", "c", "d"));
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("b", "c", "d"));
  node.clock.advance(100'000'000);
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("c", "d"));
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), IsEmpty());
}

TEST(Ttl, what_expired_more_than_five_years_ago_stays) {
  OpsNode node;
  node.create_table("films");
  node.ok("UpdateTimeToLive", specification("true"));
  put(node, "a", in(-kTtlOldestSeconds - 1));
  put(node, "b", in(-kTtlOldestSeconds));
  put(node, "c", "{'N':'0'}");
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("a", "c"));
}

TEST(Ttl, an_item_given_more_time_stays) {
  OpsNode node;
  node.create_table("films");
  node.ok("UpdateTimeToLive", specification("true"));
  put(node, "a", in(10));
  put(node, "b", in(10));
  node.work();
  node.clock.advance(20'000);
  // The step has found both; before its command is evaluated one gets more time.
  Lsn before = node.engine().published_lsn();
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'},'until':" + in(1000) + "}}");
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("a"));
  EXPECT_EQ(node.engine().published_lsn(), before + 2);

  // And with the command already in the engine's queue.
  put(node, "c", in(10));
  put(node, "d", in(10));
  node.clock.advance(1000);
  bool answered = false;
  std::string body = "{\"TableName\":\"films\",\"Item\":{\"pk\":{\"S\":\"c\"}}}";
  std::string padded = body + std::string(HttpRequest::kBodyPadding, ' ');
  node.operations()
      .find("DynamoDB_20120810.PutItem")
      ->run(node.node(), Request{std::string_view(padded).substr(0, body.size())},
            Reply([&](int, std::string_view, std::string_view) { answered = true; }));
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  EXPECT_TRUE(answered);
  EXPECT_THAT(keys(node), ElementsAre("a", "c"));
}

TEST(Ttl, a_deletion_says_who_it_was_and_keeps_the_old_image_for_streams) {
  OpsNode node;
  node.create_table("films", "",
                    ",'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'OLD_IMAGE'}");
  node.ok("UpdateTimeToLive", specification("true"));
  node.work();
  put(node, "a", in(-10));
  node.clock.advance(1000);
  node.work();
  FramePtr frame = node.engine().log().frame_holding(node.engine().log().durable_lsn()).value();
  EntryView entry = *frame->begin();
  EXPECT_EQ(entry.field(EntryField::kIdentity), kExpiryIdentity);
  EXPECT_FALSE(entry.field(EntryField::kTransactionId));
  ChangeView change = *entry.begin();
  EXPECT_EQ(change.kind, ChangeKind::kRemove);
  EXPECT_TRUE(change.old_image);
  EXPECT_FALSE(change.index_changes.empty());
}

TEST(Ttl, items_from_before_it_was_enabled_expire_too) {
  OpsNode node;
  node.create_table("films", "N");
  const int kItems = 2000;  // several steps
  for (int i = 0; i < kItems; ++i) {
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'p" + std::to_string(i % 7) +
                           "'},'sk':{'N':'" + std::to_string(i) + "'},'until':" + in(i % 2) + "}}");
  }
  node.ok("UpdateTimeToLive", specification("true"));
  EXPECT_TRUE(node.catalog().find("films")->ttl->backfilling);
  node.work();
  EXPECT_FALSE(node.catalog().find("films")->ttl->backfilling);
  EXPECT_EQ(indexed_seconds(node, ttl_index(node)).size(), size_t{kItems});
  std::string progress;
  EXPECT_FALSE(node.engine().view()->get(backfill_key(ttl_index(node)), progress).value());
  node.clock.advance(1'000);
  node.work();
  EXPECT_EQ(indexed_seconds(node, ttl_index(node)).size(), size_t{kItems / 2});
}

TEST(Ttl, nothing_expires_while_the_wall_clock_is_off) {
  OpsNode node;
  node.create_table("films");
  node.ok("UpdateTimeToLive", specification("true"));
  put(node, "a", in(3600));
  node.work();
  node.clock.move_wall(2 * 3600 * 1000);
  node.clock.advance(2'000);
  node.work();
  EXPECT_TRUE(node.long_work().clock_is_off());
  EXPECT_THAT(keys(node), ElementsAre("a"));
  node.clock.move_wall(-2 * 3600 * 1000 + 60'000);  // near enough
  node.clock.advance(3600 * 1000);
  node.work();
  EXPECT_FALSE(node.long_work().clock_is_off());
  EXPECT_THAT(keys(node), IsEmpty());
}

TEST(Ttl, a_wave_of_expiries_is_worked_off_in_bounded_steps) {
  OpsNode node;
  node.create_table("films", "N");
  node.ok("UpdateTimeToLive", specification("true"));
  const int kItems = 3000;
  for (int i = 0; i < kItems; ++i) {
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'p'},'sk':{'N':'" +
                           std::to_string(i) + "'},'until':" + in(5) + "}}");
  }
  node.work();
  node.clock.advance(10'000);
  Lsn before = node.engine().published_lsn();
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  const Lsn one_step = node.engine().published_lsn() - before;
  EXPECT_GT(one_step, 0u);
  EXPECT_LE(one_step, 512u);
  node.work();
  EXPECT_EQ(node.engine().published_lsn() - before, Lsn{kItems});
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), IsEmpty());
}

// Their walk goes on where it was; what is behind it waits for the next one, a second later.
TEST(Ttl, what_expires_behind_a_walk_goes_with_the_next_one) {
  OpsNode node;
  node.create_table("films", "N");
  node.ok("UpdateTimeToLive", specification("true"));
  auto put = [&](int sort, int64_t seconds, size_t bytes) {
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'p'},'sk':{'N':'" +
                           std::to_string(sort) + "'},'until':" + in(seconds) + ",'x':{'S':'" +
                           std::string(bytes, 'x') + "'}}}");
  };
  for (int i = 0; i < 1000; ++i) put(i, 5, 1);
  node.work();
  node.clock.advance(10'000);
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  put(1000, 1, 1);  // earlier than where the walk is
  node.work();
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), ElementsAre(kNowSecond + 1));
  node.clock.advance(1'000);
  node.work();
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), IsEmpty());

  // Of large ones a command leaves some.
  for (int i = 0; i < 5; ++i) put(i, 0, 390'000);
  node.clock.advance(1'000);
  node.work();
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), testing::SizeIs(2));
  node.clock.advance(1'000);
  node.work();
  EXPECT_THAT(indexed_seconds(node, ttl_index(node)), IsEmpty());
}

TEST(Ttl, tables_take_turns_with_their_expiries) {
  OpsNode node;
  for (const std::string table : {"many", "one"}) {
    node.create_table(table);
    node.ok("UpdateTimeToLive",
            "{'TableName':'" + table +
                "','TimeToLiveSpecification':{'Enabled':true,'AttributeName':'until'}}");
    for (int i = 0; i < (table == "many" ? 3000 : 1); ++i) {
      node.ok("PutItem", "{'TableName':'" + table + "','Item':{'pk':{'S':'" + std::to_string(i) +
                             "'},'until':" + in(5) + "}}");
    }
  }
  node.work();
  node.clock.advance(10'000);
  for (int step = 0; step < 2; ++step) {
    ASSERT_TRUE(node.long_work().step());
    node.commit();
  }
  EXPECT_EQ(node.ok("GetItem", "{'TableName':'one','Key':{'pk':{'S':'0'}}}"), "{}");
  EXPECT_THAT(indexed_seconds(node, node.catalog().find("many")->ttl->generation),
              testing::SizeIs(testing::Gt(1000)));
}

TEST(Ttl, switched_off_it_leaves_no_index) {
  OpsNode node;
  node.create_table("films");
  put(node, "a", in(10));
  node.ok("UpdateTimeToLive", specification("true"));
  ASSERT_TRUE(node.long_work().step());
  Generation index = ttl_index(node);
  node.ok("UpdateTimeToLive", specification("false"));
  std::string drop, image;
  append_partition_prefix(kDropGeneration, std::to_string(index), drop);
  EXPECT_TRUE(node.engine().view()->get(drop, image).value());
  node.clock.advance(100'000);
  node.work();
  EXPECT_THAT(keys(node), ElementsAre("a"));
  put(node, "b", in(10));
  EXPECT_THAT(indexed_seconds(node, index), testing::SizeIs(testing::Le(1)));
}

TEST(Ttl, expiry_goes_on_after_a_restart) {
  OpsNode node;
  node.create_table("films");
  node.ok("UpdateTimeToLive", specification("true"));
  put(node, "a", in(10));
  node.restart();
  node.clock.advance(20'000);
  node.work();
  EXPECT_THAT(keys(node), IsEmpty());
}

}  // namespace
}  // namespace millrace
