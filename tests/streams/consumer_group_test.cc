#include "streams/consumer_group.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "stream_node.h"
#include "streams/subscriptions.h"

namespace millrace::streams {
namespace {

using Acknowledged = ConsumerGroup::Acknowledged;
constexpr int64_t kTimeoutMs = 10'000;

// A node with a table and a subscription to it.
class ConsumerGroupTest : public testing::Test {
 protected:
  ConsumerGroupTest() { node_.create_table("t", std::nullopt); }

  void create(uint32_t shards, GroupLimits limits = {}) {
    limits_ = limits;
    reopen();
    SubscriptionDefinition definition;
    definition.name = "s";
    definition.tables = {"t"};
    definition.shards = shards;
    bool done = false;
    subscriptions_->create(definition, {}, [&](const Status& status) {
      EXPECT_TRUE(status) << status.error().message;
      done = true;
    });
    subscriptions_->step();
    EXPECT_TRUE(done);
  }
  void reopen() {
    subscriptions_ = std::make_unique<Subscriptions>(node_.node(), Random(1), limits_);
    Status opened = subscriptions_->open();
    EXPECT_TRUE(opened) << opened.error().message;
  }
  void restart() {
    subscriptions_.reset();
    node_.restart();
    reopen();
  }
  std::shared_ptr<ConsumerGroup> group() { return subscriptions_->find("s"); }
  std::string join(int64_t timeout_ms = kTimeoutMs) {
    auto session = group()->join("member", timeout_ms);
    EXPECT_TRUE(session) << session.error().message;
    return session ? *session : "";
  }
  size_t shards_of(const std::string& session) { return group()->leases(session).size(); }

  struct Got {
    Lease lease;
    Lsn lsn;
    std::string key;
  };
  // Everything up to the tip.
  std::vector<Got> poll(const std::string& session, size_t records = 1000) {
    std::vector<Got> got;
    for (;;) {
      auto delivery = group()->poll(session, received_[session], records, 1 << 20);
      EXPECT_TRUE(delivery) << delivery.error().message;
      if (!delivery || (delivery->batches.empty() && !delivery->more)) return got;
      received_[session] = delivery->number;
      for (const LeasedBatch& leased : delivery->batches) {
        for (const Change& change : leased.batch.changes) {
          got.push_back({leased.lease, change.change.lsn,
                         std::string(split_store_key(change.change.key)->partition_scalar)});
        }
      }
    }
  }
  Acknowledged acknowledge(const std::string& session, const Got& got) {
    auto outcome = group()->acknowledge(session, got.lease, got.lsn);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome ? *outcome : Acknowledged::kLeaseLost;
  }
  void acknowledge_all(const std::string& session, const std::vector<Got>& all) {
    for (const Got& got : all) EXPECT_EQ(acknowledge(session, got), Acknowledged::kTaken);
  }
  void write(int count, int first = 0) {
    for (int i = first; i < first + count; ++i)
      node_.put("t", "key" + std::to_string(i), std::to_string(node_.log().durable_lsn()));
  }
  // Segments of the log that this process has open.
  static size_t open_segments() {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code closed_meanwhile;
      const auto path = std::filesystem::read_symlink(entry, closed_meanwhile);
      count += path.extension() == ".log";
    }
    return count;
  }
  static std::multiset<std::string> keys(const std::vector<Got>& all) {
    std::multiset<std::string> keys;
    for (const Got& got : all) keys.insert(got.key);
    return keys;
  }

  StreamNode node_;
  GroupLimits limits_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::map<std::string, uint64_t> received_;
};

TEST_F(ConsumerGroupTest, OneMemberGetsEverythingOnceAndEachItemFromOneShard) {
  create(4);
  std::string session = join();
  EXPECT_EQ(shards_of(session), 4u);
  write(50);
  write(50);
  std::vector<Got> all = poll(session, 7);
  ASSERT_EQ(all.size(), 100u);
  std::map<std::string, std::pair<uint32_t, Lsn>> last;
  std::set<uint32_t> shards;
  for (const Got& got : all) {
    shards.insert(got.lease.shard);
    auto [found, first] = last.try_emplace(got.key, got.lease.shard, got.lsn);
    if (first) continue;
    EXPECT_EQ(found->second.first, got.lease.shard);
    EXPECT_LT(found->second.second, got.lsn);
  }
  EXPECT_EQ(shards.size(), 4u);
  EXPECT_TRUE(poll(session).empty());
}

TEST_F(ConsumerGroupTest, SharesAreFairAndFewShardsMove) {
  create(7);
  std::string a = join();
  EXPECT_EQ(shards_of(a), 7u);
  std::vector<Lease> before = group()->leases(a);
  std::string b = join();
  EXPECT_EQ(shards_of(a), 4u);
  EXPECT_EQ(shards_of(b), 3u);
  for (const Lease& lease : group()->leases(a))
    EXPECT_NE(std::find(before.begin(), before.end(), lease), before.end()) << "kept as it was";
  std::string c = join();
  EXPECT_EQ(std::multiset<size_t>({shards_of(a), shards_of(b), shards_of(c)}),
            std::multiset<size_t>({2, 2, 3}));
  group()->leave(b);
  EXPECT_EQ(shards_of(a) + shards_of(c), 7u);
  EXPECT_GE(std::min(shards_of(a), shards_of(c)), 3u);
  EXPECT_EQ(shards_of(b), 0u);
}

TEST_F(ConsumerGroupTest, MoreMembersThanShardsStandBy) {
  create(1);
  std::string a = join(), b = join();
  EXPECT_EQ(shards_of(a), 1u);
  EXPECT_EQ(shards_of(b), 0u);
  write(3);
  EXPECT_TRUE(poll(b).empty());
  EXPECT_EQ(poll(a).size(), 3u);
  group()->leave(a);
  EXPECT_EQ(poll(b).size(), 3u);
}

TEST_F(ConsumerGroupTest, AShardMovesOnceWhatWasHandedOutIsAcknowledged) {
  create(2);
  std::string a = join();
  write(20);
  std::vector<Got> first = poll(a);
  ASSERT_EQ(first.size(), 20u);
  std::string b = join();
  EXPECT_EQ(shards_of(b), 0u);
  write(20, 100);
  std::set<uint32_t> stays;
  for (const Got& got : poll(a)) stays.insert(got.lease.shard);
  ASSERT_EQ(stays.size(), 1u) << "nothing more of what moves";
  acknowledge_all(a, first);
  ASSERT_EQ(shards_of(b), 1u);
  EXPECT_FALSE(stays.contains(group()->leases(b)[0].shard));
  std::vector<Got> second = poll(b);
  for (const Got& got : second) {
    EXPECT_EQ(keys(first).count(got.key), 0u) << "nothing is repeated";
  }
  EXPECT_FALSE(second.empty());
}

TEST_F(ConsumerGroupTest, AShardThatMovesDoesNotWaitForEver) {
  create(2);
  std::string a = join();
  write(20);
  std::vector<Got> first = poll(a);
  std::string b = join();
  node_.clock.advance(limits_.handover_ms);
  group()->tick();
  EXPECT_EQ(shards_of(b), 1u);
  std::vector<Got> again = poll(b);
  EXPECT_FALSE(again.empty());
  for (const Got& got : first) {
    bool moved = got.lease.shard == group()->leases(b)[0].shard;
    EXPECT_EQ(acknowledge(a, got), moved ? Acknowledged::kLeaseLost : Acknowledged::kTaken);
  }
}

TEST_F(ConsumerGroupTest, ASilentMemberLosesItsShardsAndItsAcknowledgementsAreRefused) {
  create(1);
  std::string a = join(), b = join();
  write(5);
  std::vector<Got> taken = poll(a);
  ASSERT_EQ(taken.size(), 5u);
  EXPECT_EQ(acknowledge(a, taken[1]), Acknowledged::kTaken);
  for (int i = 0; i < 3; ++i) {
    node_.clock.advance(kTimeoutMs - 1);
    EXPECT_TRUE(group()->renew(a));
    EXPECT_TRUE(group()->renew(b));
  }
  node_.clock.advance(kTimeoutMs / 2);
  EXPECT_TRUE(group()->renew(b));
  node_.clock.advance(kTimeoutMs / 2);
  group()->tick();
  std::vector<Got> again = poll(b);
  ASSERT_EQ(again.size(), 3u) << "all but what was acknowledged";
  EXPECT_EQ(again[0].lsn, taken[2].lsn);
  EXPECT_GT(again[0].lease.epoch, taken[0].lease.epoch);
  auto late = group()->acknowledge(a, taken[4].lease, taken[4].lsn);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kResourceNotFound);
  auto forged = group()->acknowledge(b, taken[4].lease, taken[4].lsn);
  ASSERT_TRUE(forged);
  EXPECT_EQ(*forged, Acknowledged::kLeaseLost) << "another epoch";
  EXPECT_EQ(group()->status().shards[0].position, taken[1].lsn);
}

TEST_F(ConsumerGroupTest, WhatWasNotHandedOutCannotBeAcknowledged) {
  create(1);
  std::string a = join();
  write(3);
  std::vector<Got> got = poll(a, 1);
  write(1);
  auto ahead = group()->acknowledge(a, got[2].lease, got[2].lsn + 1);
  ASSERT_TRUE(ahead);
  EXPECT_EQ(*ahead, Acknowledged::kNotHandedOut);
  auto elsewhere = group()->acknowledge(a, {7, got[0].lease.epoch}, got[0].lsn);
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(*elsewhere, Acknowledged::kLeaseLost);
}

TEST_F(ConsumerGroupTest, AnAcknowledgementIsDurableOnceItSaysSo) {
  create(1);
  std::string a = join();
  write(3);
  std::vector<Got> got = poll(a);
  node_.hold_commits = true;
  acknowledge(a, got[0]);
  EXPECT_FALSE(group()->durable(0, got[0].lsn));
  acknowledge(a, got[1]);
  node_.commit();
  EXPECT_TRUE(group()->durable(0, got[0].lsn));
  EXPECT_FALSE(group()->durable(0, got[1].lsn)) << "one checkpoint is under way at a time";
  node_.commit();
  EXPECT_TRUE(group()->durable(0, got[1].lsn));
  node_.hold_commits = false;
  restart();
  std::string b = join();
  std::vector<Got> again = poll(b);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].lsn, got[2].lsn);
}

TEST_F(ConsumerGroupTest, ADeliveryThatWasLostOnItsWayComesAgain) {
  create(2);
  std::string a = join();
  write(10);
  auto lost = group()->poll(a, 0, 1000, 1 << 20);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->number, 1u);
  auto again = group()->poll(a, 0, 1000, 1 << 20);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->number, 2u);
  size_t count = 0;
  for (const LeasedBatch& leased : again->batches) count += leased.batch.changes.size();
  EXPECT_EQ(count, 10u);
  EXPECT_EQ(group()->status().delivered, 20u);
}

TEST_F(ConsumerGroupTest, AMemberGetsNoMoreThanItMayHaveUnacknowledged) {
  GroupLimits limits;
  limits.records_unacknowledged_max = 5;
  create(1, limits);
  std::string a = join();
  write(12);
  std::vector<Got> first = poll(a);
  ASSERT_EQ(first.size(), 5u);
  EXPECT_TRUE(poll(a).empty());
  acknowledge(a, first[2]);
  EXPECT_EQ(poll(a).size(), 3u);
}

TEST_F(ConsumerGroupTest, ASlowMemberHoldsUpItsShardsOnly) {
  GroupLimits limits;
  limits.records_unacknowledged_max = 5;
  create(2, limits);
  std::string a = join(), b = join();
  write(50);
  EXPECT_EQ(poll(a).size(), 5u);
  size_t seen = 0;
  for (std::vector<Got> got; !(got = poll(b)).empty(); seen += got.size()) acknowledge_all(b, got);
  EXPECT_GT(seen, 10u);
}

TEST_F(ConsumerGroupTest, PastRetentionTheMemberIsToldAndGoesOnAtTheOldest) {
  StreamNode small(32 << 10);
  small.create_table("t", std::nullopt);
  Subscriptions subscriptions(small.node(), Random(1));
  SubscriptionDefinition definition;
  definition.name = "s";
  definition.shards = 1;
  subscriptions.create(definition, {}, [](const Status& status) { EXPECT_TRUE(status); });
  subscriptions.step();
  for (int i = 0; i < 300; ++i) small.put("t", "k", std::string(300, 'x') + std::to_string(i));
  small.maintain();
  ASSERT_TRUE(small.engine().checkpoint());
  ASSERT_TRUE(small.log().trim(small.log().segments()[2].first_lsn));
  auto group = subscriptions.find("s");
  auto session = group->join("m", kTimeoutMs);
  auto delivery = group->poll(*session, 0, 10, 1 << 20);
  ASSERT_TRUE(delivery);
  ASSERT_EQ(delivery->batches.size(), 1u);
  EXPECT_EQ(delivery->batches[0].batch.trimmed_below, small.log().first_retained_lsn());
  EXPECT_EQ(delivery->batches[0].batch.changes[0].change.lsn, small.log().first_retained_lsn());
  EXPECT_EQ(group->status().shards[0].gaps, 1u);
  auto next = group->poll(*session, 1, 10, 1 << 20);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->batches[0].batch.trimmed_below, 0u);
}

TEST_F(ConsumerGroupTest, AShardThatNobodyHasKeepsNoFileOpen) {
  create(4);
  const std::string large(1000, 'x');
  for (int i = 0; i < 300; ++i) node_.put("t", "key" + std::to_string(i), large);
  node_.maintain();
  ASSERT_TRUE(node_.engine().checkpoint());  // which syncs the log, and lets go of its files
  const size_t before = open_segments();
  const std::string session = join();
  auto delivery = group()->poll(session, 0, 3, 1 << 20);
  ASSERT_TRUE(delivery);
  ASSERT_GT(open_segments(), before) << "it stands within a sealed segment";
  for (const LeasedBatch& leased : delivery->batches) {
    EXPECT_TRUE(
        group()->acknowledge(session, leased.lease, leased.batch.changes.back().change.lsn));
  }
  group()->leave(session);
  EXPECT_EQ(open_segments(), before);
  EXPECT_EQ(poll(join()).size(), 297u);
}

TEST_F(ConsumerGroupTest, OnePollLooksAtABoundedPartOfTheLog) {
  create(4);
  node_.create_table("beside", std::nullopt);
  constexpr size_t kBytes = 20 << 20;
  const std::string large(400 << 10, 'x');
  for (size_t written = 0; written < kBytes; written += large.size())
    node_.put("beside", "k", large);
  write(8);
  const std::string session = join();
  std::set<std::string> seen;
  size_t polls = 0;
  for (bool more = true; more; ++polls) {
    auto delivery = group()->poll(session, received_[session], 1000, 1 << 20);
    ASSERT_TRUE(delivery);
    received_[session] = delivery->number;
    more = delivery->more;
    for (const LeasedBatch& leased : delivery->batches) {
      for (const Change& change : leased.batch.changes)
        seen.emplace(split_store_key(change.change.key)->partition_scalar);
    }
  }
  EXPECT_EQ(seen.size(), 8u);
  EXPECT_GE(polls, 4 * kBytes / (8 << 20)) << "each of the four shards reads all of it";
}

TEST_F(ConsumerGroupTest, MembersAreBounded) {
  GroupLimits limits;
  limits.members_max = 2;
  create(4, limits);
  join();
  std::string second = join();
  auto third = group()->join("third", kTimeoutMs);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kLimitExceeded);
  node_.clock.advance(kTimeoutMs);
  EXPECT_TRUE(group()->join("third", kTimeoutMs)) << "silent ones have gone";
  for (int64_t timeout_ms : {0, 999, 300'001}) EXPECT_FALSE(group()->join("odd", timeout_ms));
}

}  // namespace
}  // namespace millrace::streams
