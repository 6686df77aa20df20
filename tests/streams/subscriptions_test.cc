#include "streams/subscriptions.h"

#include "stream_node.h"
#include "streams/checkpoint.h"

namespace millrace::streams {
namespace {

SubscriptionDefinition defined(std::string name, uint32_t shards = 4) {
  SubscriptionDefinition definition;
  definition.name = std::move(name);
  definition.tables = {"t"};
  definition.shards = shards;
  return definition;
}

class SubscriptionsTest : public testing::Test {
 protected:
  SubscriptionsTest() {
    node_.create_table("t", std::nullopt);
    reopen();
  }
  void reopen() {
    subscriptions_ = std::make_unique<Subscriptions>(node_.node(), Random(1));
    Status opened = subscriptions_->open();
    EXPECT_TRUE(opened) << opened.error().message;
  }
  // Runs a change to its end.
  Status outcome(const std::function<void(Subscriptions::Done)>& change) {
    std::optional<Status> outcome;
    change([&](const Status& status) { outcome = status; });
    subscriptions_->step();
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(Status());
  }
  Status create(SubscriptionDefinition definition, StartAt start = {}) {
    return outcome([&](auto done) { subscriptions_->create(definition, start, std::move(done)); });
  }
  Status remove(const std::string& name) {
    return outcome([&](auto done) { subscriptions_->remove(name, std::move(done)); });
  }
  Status reset(const std::string& name, StartAt start) {
    return outcome([&](auto done) { subscriptions_->reset(name, start, std::move(done)); });
  }
  static ErrorCode code(const Status& status) {
    EXPECT_FALSE(status);
    return status ? ErrorCode::kInternal : status.error().code;
  }
  // The values that a new member gets, all acknowledged.
  std::vector<std::string> read(const std::string& name) {
    auto group = subscriptions_->find(name);
    auto session = group->join("m", 10'000);
    std::vector<std::string> values;
    uint64_t received = 0;
    for (;;) {
      auto delivery = group->poll(*session, received, 1000, 1 << 20);
      EXPECT_TRUE(delivery);
      if (!delivery || delivery->batches.empty()) break;
      received = delivery->number;
      for (const LeasedBatch& leased : delivery->batches) {
        for (const Change& change : leased.batch.changes) {
          values.emplace_back(ItemView(*change.change.new_image).get("v")->scalar());
          EXPECT_TRUE(group->acknowledge(*session, leased.lease, change.change.lsn));
        }
      }
    }
    group->leave(*session);
    std::sort(values.begin(), values.end());
    return values;
  }

  StreamNode node_;
  std::unique_ptr<Subscriptions> subscriptions_;
};

using Texts = std::vector<std::string>;

TEST_F(SubscriptionsTest, ARestartKnowsThemAndWhereTheyAre) {
  ASSERT_TRUE(create(defined("s")));
  node_.put("t", "a", "1");
  EXPECT_EQ(read("s"), Texts{"1"});
  node_.put("t", "b", "2");
  subscriptions_.reset();
  node_.restart();
  reopen();
  ASSERT_NE(subscriptions_->find("s"), nullptr);
  EXPECT_TRUE(subscriptions_->find("s")->definition().same_as(defined("s")));
  EXPECT_EQ(read("s"), Texts{"2"});
}

TEST_F(SubscriptionsTest, BeginWhereTheyAreTold) {
  node_.put("t", "a", "1");
  node_.clock.advance(1000);
  const int64_t time_ms = node_.clock.wall_ms();
  Lsn second = node_.put("t", "a", "2");
  ASSERT_TRUE(create(defined("horizon")));
  ASSERT_TRUE(create(defined("latest"), {StartAt::Kind::kLatest}));
  ASSERT_TRUE(create(defined("lsn"), {StartAt::Kind::kLsn, second}));
  ASSERT_TRUE(create(defined("time"), {StartAt::Kind::kTime, 0, time_ms}));
  EXPECT_EQ(code(create(defined("future"), {StartAt::Kind::kLsn, second + 1000})),
            ErrorCode::kValidation);
  node_.put("t", "a", "3");
  EXPECT_EQ(read("horizon"), (Texts{"1", "2", "3"}));
  EXPECT_EQ(read("latest"), Texts{"3"});
  EXPECT_EQ(read("lsn"), (Texts{"2", "3"}));
  EXPECT_EQ(read("time"), (Texts{"2", "3"}));
}

TEST_F(SubscriptionsTest, CreatingAgainIsNothingAndAnotherOfTheNameIsRefused) {
  ASSERT_TRUE(create(defined("s")));
  node_.put("t", "a", "1");
  Lsn before = node_.log().durable_lsn();
  EXPECT_TRUE(create(defined("s"), {StartAt::Kind::kLatest}));
  EXPECT_EQ(node_.log().durable_lsn(), before);
  EXPECT_EQ(code(create(defined("s", 5))), ErrorCode::kResourceInUse);
  EXPECT_EQ(read("s"), Texts{"1"});
}

TEST_F(SubscriptionsTest, DeletedOnesLeaveNothingBehind) {
  ASSERT_TRUE(create(defined("s")));
  node_.put("t", "a", "1");
  EXPECT_EQ(read("s"), Texts{"1"});
  ASSERT_TRUE(remove("s"));
  EXPECT_EQ(subscriptions_->find("s"), nullptr);
  std::string image;
  EXPECT_FALSE(*node_.engine().view()->get(subscription_key("s"), image));
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(*node_.engine().view()->get(checkpoint_key(shard_checkpoint_name("s", i)), image));
  }
  EXPECT_EQ(code(remove("s")), ErrorCode::kResourceNotFound);
  ASSERT_TRUE(create(defined("s")));
  EXPECT_EQ(read("s"), Texts{"1"}) << "as if it had never been";
}

TEST_F(SubscriptionsTest, ResetGoesBackAndForth) {
  ASSERT_TRUE(create(defined("s")));
  node_.put("t", "a", "1");
  Lsn second = node_.put("t", "b", "2");
  EXPECT_EQ(read("s"), (Texts{"1", "2"}));
  ASSERT_TRUE(reset("s", {StartAt::Kind::kLsn, second}));
  EXPECT_EQ(read("s"), Texts{"2"});
  ASSERT_TRUE(reset("s", {}));
  ASSERT_TRUE(reset("s", {StartAt::Kind::kLatest}));
  EXPECT_TRUE(read("s").empty());
  subscriptions_.reset();
  node_.restart();
  reopen();
  EXPECT_TRUE(read("s").empty());
  EXPECT_EQ(code(reset("other", {})), ErrorCode::kResourceNotFound);
}

TEST_F(SubscriptionsTest, OnesWithMembersAreNeitherDeletedNorReset) {
  ASSERT_TRUE(create(defined("s")));
  auto session = subscriptions_->find("s")->join("m", 10'000);
  EXPECT_EQ(code(remove("s")), ErrorCode::kResourceInUse);
  EXPECT_EQ(code(reset("s", {})), ErrorCode::kResourceInUse);
  node_.clock.advance(10'000);
  subscriptions_->step();
  EXPECT_TRUE(remove("s"));
}

TEST_F(SubscriptionsTest, OneChangeOfAnyIsUnderWay) {
  node_.hold_commits = true;
  std::optional<Status> first;
  subscriptions_->create(defined("s"), {}, [&](const Status& status) { first = status; });
  subscriptions_->step();
  EXPECT_FALSE(first.has_value());
  EXPECT_EQ(subscriptions_->find("s"), nullptr) << "not before it is durable";
  // Whoever asks for the same waits for the same; anything else is refused.
  std::optional<Status> second;
  subscriptions_->create(defined("s"), {}, [&](const Status& status) { second = status; });
  EXPECT_FALSE(second.has_value());
  SubscriptionDefinition other = defined("s");
  ++other.shards;
  EXPECT_EQ(code(create(other)), ErrorCode::kResourceInUse);
  node_.commit();
  node_.hold_commits = false;
  subscriptions_->step();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_TRUE(*first);
  EXPECT_TRUE(*second);
}

TEST_F(SubscriptionsTest, WhatTheyNeedOfTheLogIsKeptWhileTheyChange) {
  const auto needed = [this] {
    const std::vector<ReaderNeeds> needs = subscriptions_->needs();
    return needs.size() == 1 ? needs[0].from : 0;
  };
  node_.put("t", "a", "1");
  const Lsn tip = node_.log().durable_lsn() + 1;
  node_.hold_commits = true;
  const auto finish = [this] {
    node_.commit();
    subscriptions_->step();
  };
  const auto done = [](const Status& status) { EXPECT_TRUE(status); };
  subscriptions_->create(defined("s"), {}, done);
  const Lsn first = needed();
  EXPECT_GT(first, 0u);
  EXPECT_LT(first, tip);
  finish();
  EXPECT_EQ(needed(), first);
  subscriptions_->reset("s", StartAt{StartAt::Kind::kLatest}, done);
  EXPECT_EQ(needed(), first) << "it may yet fail";
  finish();
  EXPECT_GE(needed(), tip);
  subscriptions_->reset("s", {}, done);
  EXPECT_EQ(needed(), first);
  finish();
  subscriptions_->remove("s", done);
  EXPECT_EQ(needed(), first);
  finish();
  EXPECT_TRUE(subscriptions_->needs().empty());
}

TEST_F(SubscriptionsTest, AChangeThatFailsLeavesThingsAsTheyWere) {
  ASSERT_TRUE(create(defined("s")));
  node_.put("t", "a", "1");
  EXPECT_EQ(read("s"), Texts{"1"});
  node_.refuse_commits = true;
  EXPECT_EQ(code(remove("s")), ErrorCode::kThrottling);
  EXPECT_EQ(code(reset("s", {})), ErrorCode::kThrottling);
  EXPECT_EQ(code(create(defined("other"))), ErrorCode::kThrottling);
  EXPECT_EQ(subscriptions_->find("other"), nullptr);
  node_.refuse_commits = false;
  node_.put("t", "a", "2");
  EXPECT_EQ(read("s"), Texts{"2"});
}

TEST_F(SubscriptionsTest, TheirNumberAndShardsAreBounded) {
  for (uint32_t i = 0; i < Subscriptions::kShardsMax / 64; ++i)
    ASSERT_TRUE(create(defined("s" + std::to_string(i), 64)));
  EXPECT_EQ(code(create(defined("more", 1))), ErrorCode::kLimitExceeded);
  ASSERT_TRUE(remove("s0"));
  EXPECT_TRUE(create(defined("more", 1)));
}

TEST_F(SubscriptionsTest, EveryChangeHasItsOldImage) {
  ASSERT_TRUE(create(defined("s")));
  EXPECT_TRUE(node_.catalog().find("t")->logs_old_images());
}

TEST(SubscriptionDefinition, IsAnItemOfTheseBytes) {
  SubscriptionDefinition definition;
  definition.name = "orders";
  definition.tables = {"a", "b"};
  definition.shards = 8;
  definition.filter = R"({"eventName":["INSERT"]})";
  definition.created_ms = 1'790'000'000'123;
  const std::string bytes = encode_definition(definition);
  std::string json;
  render_item(ItemView(bytes), json);
  EXPECT_EQ(json,
            R"({"created_ms":{"N":"1790000000123"},"filter":{"S":"{\"eventName\":[\"INSERT\"]}"},)"
            R"("name":{"S":"orders"},"shards":{"N":"8"},"tables":{"L":[{"S":"a"},{"S":"b"}]},)"
            R"("version":{"N":"1"}})");
  auto decoded = decode_definition(ItemView(bytes));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->same_as(definition));
  EXPECT_EQ(decoded->created_ms, definition.created_ms);
  EXPECT_EQ(subscription_key("orders"),
            std::string("\0\0\0\0\0\0\0\6", 8) + checkpoint_key("orders").substr(8));
  EXPECT_EQ(shard_checkpoint_name("orders", 11), "subscription/orders/11");
}

TEST(SubscriptionDefinition, WhatANewerReleaseWroteIsRefusedByName) {
  SubscriptionDefinition definition;
  definition.name = "orders";
  ItemTree item = decode_item(ItemView(encode_definition(definition)));
  item["version"] = Value::number(Number::parse("2").value());
  auto decoded = decode_definition(ItemView(encode_item(item)));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  EXPECT_NE(decoded.error().message.find("'orders' has the form 2"), std::string::npos);
  for (const char* lost : {"name", "version", "shards", "created_ms", "tables"}) {
    ItemTree broken = decode_item(ItemView(encode_definition(definition)));
    broken.erase(lost);
    EXPECT_FALSE(decode_definition(ItemView(encode_item(broken)))) << lost;
  }
}

TEST(SubscriptionDefinition, IsCheckedBeforeItIsMade) {
  auto checked = [](auto change) {
    SubscriptionDefinition definition;
    definition.name = "s";
    change(definition);
    return check_definition(definition).has_value();
  };
  EXPECT_TRUE(checked([](auto&) {}));
  EXPECT_TRUE(checked([](auto& d) { d.shards = 64; }));
  EXPECT_FALSE(checked([](auto& d) { d.shards = 0; }));
  EXPECT_FALSE(checked([](auto& d) { d.shards = 65; }));
  EXPECT_FALSE(checked([](auto& d) { d.name = ""; }));
  EXPECT_FALSE(checked([](auto& d) { d.name = "a/b"; }));
  EXPECT_FALSE(checked([](auto& d) { d.name = std::string(129, 'a'); }));
  EXPECT_FALSE(checked([](auto& d) { d.tables = {"a b"}; }));
  EXPECT_FALSE(checked([](auto& d) { d.tables = {"a", "a"}; }));
}

}  // namespace
}  // namespace millrace::streams
