#include "streams/handler_runner.h"

#include "core/base/bytes.h"
#include "core/model/schema.h"
#include "stream_node.h"
#include "streams/subscriptions.h"

namespace millrace::streams {
namespace {

using Outcome = ChangeHandler::Outcome;

/// Writes down what it gets, and says what it is told to.
class Recorder final : public ChangeHandler {
 public:
  Outcome handle(const ItemChange& change) override {
    const auto text = [](const std::optional<ItemView>& item) {
      return item ? std::string(item->get("v")->scalar()) : "-";
    };
    const char* kinds[] = {"inserted", "modified", "removed"};
    const int kind = change.kind == ChangeKind::kInsert   ? 0
                     : change.kind == ChangeKind::kModify ? 1
                                                          : 2;
    const std::string key(change.key.get("pk")->scalar());
    EXPECT_EQ(change.key.get("v"), std::nullopt);
    seen.push_back(change.table.name + " " + kinds[kind] + " " + key + " " + text(change.before) +
                   " " + text(change.after));
    return answer ? answer(key) : Outcome::kDone;
  }
  std::vector<std::string> seen;
  std::function<Outcome(const std::string& key)> answer;
};

class HandlerRunnerTest : public testing::Test {
 protected:
  HandlerRunnerTest() : subscriptions_(node_.node(), Random(1)) {
    node_.create_table("t", std::nullopt);
    SubscriptionDefinition definition;
    definition.name = "s";
    definition.tables = {"t"};
    definition.shards = 2;
    subscriptions_.create(definition, {}, [](const Status& status) { EXPECT_TRUE(status); });
    subscriptions_.step();
  }
  std::shared_ptr<ConsumerGroup> group() { return subscriptions_.find("s"); }
  std::unique_ptr<HandlerRunner> runner() {
    return std::make_unique<HandlerRunner>(group(), recorder_, node_.clock);
  }
  static void drain(HandlerRunner& runner) {
    for (int i = 0; i < 1000; ++i) {
      auto more = runner.step();
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
    FAIL() << "it never ends";
  }
  uint64_t acknowledged() { return group()->status().acknowledged; }
  /// What has been read and is not acknowledged.
  size_t held() {
    size_t records = 0;
    for (const auto& shard : group()->status().shards) records += shard.records_unacknowledged;
    return records;
  }
  /// A key of the other shard than `key`'s.
  std::string neighbour(const std::string& key) {
    const auto shard = [&](const std::string& of) {
      std::string prefix;
      append_partition_prefix(1, of, prefix);
      return equal_range(0, 2).contains(get_big_endian64(prefix.data() + 8));
    };
    std::string other = key;
    while (shard(other) == shard(key)) other += 'x';
    return other;
  }

  StreamNode node_;
  Subscriptions subscriptions_;
  Recorder recorder_;
};

TEST_F(HandlerRunnerTest, TheHandlerGetsTypedChangesAndWhatIsDoneIsAcknowledged) {
  node_.put("t", "k", "1");
  node_.put("t", "k", "2");
  node_.remove("t", "k");
  auto runner = this->runner();
  drain(*runner);
  EXPECT_EQ(recorder_.seen,
            (std::vector<std::string>{"t inserted k - 1", "t modified k 1 2", "t removed k 2 -"}));
  EXPECT_EQ(acknowledged(), 3u);
  EXPECT_EQ(runner->statistics().done, 3u);
  node_.put("t", "k", "3");
  drain(*runner);
  EXPECT_EQ(recorder_.seen.back(), "t inserted k - 3");
}

TEST_F(HandlerRunnerTest, ARetryHoldsUpItsShardOnlyAndPausesLonger) {
  const std::string other = neighbour("k");
  node_.put("t", "k", "1");
  node_.put("t", "k", "2");
  node_.put("t", other, "1");
  int refusals = 2;
  recorder_.answer = [&](const std::string& key) {
    return key == "k" && refusals > 0 && refusals-- > 0 ? Outcome::kRetry : Outcome::kDone;
  };
  auto runner = this->runner();
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 2u);
  EXPECT_EQ(acknowledged(), 1u) << "the other shard's";
  node_.clock.advance(99);
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 2u);
  node_.clock.advance(1);
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 3u);
  node_.clock.advance(199);
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 3u);
  node_.clock.advance(1);
  drain(*runner);
  EXPECT_EQ(std::vector(recorder_.seen.end() - 2, recorder_.seen.end()),
            (std::vector<std::string>{"t inserted k - 1", "t modified k 1 2"}));
  EXPECT_EQ(acknowledged(), 3u);
  EXPECT_EQ(runner->statistics().retried, 2u);
}

TEST_F(HandlerRunnerTest, WhatFailedIsCountedAndPassedOver) {
  node_.put("t", "k", "1");
  node_.put("t", "k", "2");
  recorder_.answer = [&](const std::string&) {
    return recorder_.seen.size() == 1 ? Outcome::kFailed : Outcome::kDone;
  };
  auto runner = this->runner();
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 2u);
  EXPECT_EQ(runner->statistics().failed, 1u);
  EXPECT_EQ(acknowledged(), 2u);
}

TEST_F(HandlerRunnerTest, AnotherRunnerGoesOnBehindWhatWasAcknowledged) {
  node_.put("t", "k", "1");
  node_.put("t", "k", "2");
  recorder_.answer = [&](const std::string&) {
    return recorder_.seen.size() == 2 ? Outcome::kRetry : Outcome::kDone;
  };
  auto first = runner();
  drain(*first);
  EXPECT_EQ(recorder_.seen.back(), "t modified k 1 2");
  first->stop();
  auto second = runner();
  drain(*second);
  EXPECT_EQ(recorder_.seen,
            (std::vector<std::string>{"t inserted k - 1", "t modified k 1 2", "t modified k 1 2"}));
}

TEST_F(HandlerRunnerTest, OneThatWasSilentForTooLongJoinsAgain) {
  auto runner = this->runner();
  drain(*runner);
  node_.clock.advance(10'000);
  group()->tick();
  EXPECT_EQ(group()->member_count(), 0u);
  node_.put("t", "k", "1");
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 1u);
  EXPECT_EQ(group()->member_count(), 1u);
  runner.reset();
  EXPECT_EQ(group()->member_count(), 0u);
}

TEST_F(HandlerRunnerTest, AHandlerThatTakesLongKeepsItsShards) {
  for (int i = 0; i < 10; ++i) node_.put("t", "k", std::to_string(i));
  recorder_.answer = [&](const std::string&) {
    node_.clock.advance(4000);
    group()->tick();
    return Outcome::kDone;
  };
  auto runner = this->runner();
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), 10u) << "each once";
  EXPECT_EQ(acknowledged(), 10u);
}

TEST_F(HandlerRunnerTest, WhatHasBecomeAnotherMembersIsNotHandedOver) {
  const std::string other = neighbour("k");
  for (const char* value : {"1", "2"}) {
    node_.put("t", "k", value);
    node_.put("t", other, value);
  }
  std::string session;
  recorder_.answer = [&](const std::string&) {
    if (!session.empty()) return Outcome::kDone;
    node_.clock.advance(10'000);
    session = group()->join("another", 10'000).value();
    EXPECT_EQ(group()->leases(session).size(), 2u);
    return Outcome::kDone;
  };
  auto runner = this->runner();
  ASSERT_TRUE(runner->step());
  EXPECT_EQ(recorder_.seen.size(), 1u) << "the one that took too long";
  EXPECT_EQ(acknowledged(), 0u);
  EXPECT_EQ(group()->poll(session, 0, 100, 1 << 20)->batches.size(), 2u);
}

TEST_F(HandlerRunnerTest, ReadsNoFurtherThanItsMemoryGoes) {
  node_.create_table("beside", std::nullopt);
  constexpr size_t kFrames = 400, kBytes = 100 << 10, kMost = 24 << 20;
  const std::string large(kBytes, 'x');
  for (size_t i = 0; i < kFrames; ++i)
    node_.write({{"t", "k", std::to_string(i)}, {"beside", "k", large}});
  recorder_.answer = [](const std::string&) { return Outcome::kRetry; };
  auto runner = this->runner();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(runner->step());
  EXPECT_LT(held() * kBytes, kMost);
  EXPECT_GT(held(), 0u);
  recorder_.seen.clear();
  recorder_.answer = nullptr;
  node_.clock.advance(60'000);
  drain(*runner);
  EXPECT_EQ(recorder_.seen.size(), kFrames);
}

}  // namespace
}  // namespace millrace::streams
