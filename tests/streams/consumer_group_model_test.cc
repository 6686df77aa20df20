#include <algorithm>
#include <array>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "core/model/schema.h"
#include "stream_node.h"
#include "streams/consumer_group.h"
#include "streams/subscriptions.h"

namespace millrace::streams {
namespace {

using Acknowledged = ConsumerGroup::Acknowledged;
constexpr uint32_t kShards = 5;
constexpr int64_t kTimeoutMs = 10'000;

/// Members that join, leave, fall silent, lose answers and acknowledge late, on a node that starts
/// again and at times cannot write. Of each shard the model knows what was written and what was
/// acknowledged: what is handed out under a lease is what comes next behind that, one by one.
class GroupHistory {
 public:
  explicit GroupHistory(uint64_t seed) : random_(seed) {
    node_.create_table("t", std::nullopt);
    generation_ = node_.catalog().find("t")->generation;
    reopen();
    SubscriptionDefinition definition;
    definition.name = "s";
    definition.tables = {"t"};
    definition.shards = kShards;
    subscriptions_->create(definition, {}, [](const Status& status) { ASSERT_TRUE(status); });
    subscriptions_->step();
  }

  void step() {
    switch (random_.below(12)) {
      case 0:
        return join();
      case 1:
        return leave();
      case 2:
        return forget();
      case 3:
        node_.clock.advance(static_cast<int64_t>(random_.below(kTimeoutMs / 2)));
        return group()->tick();
      case 4:
        node_.refuse_commits = random_.below(3) == 0;
        return;
      case 5:
        if (random_.below(10) == 0) restart();
        return;
      case 6:
      case 7:
        return write(1 + random_.below(20));
      case 8:
      case 9:
        return poll();
      default:
        return acknowledge();
    }
  }

  /// One member takes all that is left.
  void finish() {
    node_.refuse_commits = false;
    node_.clock.advance(kTimeoutMs);
    group()->tick();
    members_.clear();
    join();
    Member& member = members_.back();
    while (poll(member, false) > 0) {
      for (const Got& got : std::exchange(member.got, {})) acknowledge(member, got);
    }
    for (const Shard& shard : shards_) EXPECT_EQ(shard.acknowledged, shard.written.size());
  }

 private:
  struct Got {
    Lease lease;
    Lsn lsn;
  };
  struct Member {
    std::string session;
    uint64_t received = 0;
    std::vector<Got> got;
  };
  struct Shard {
    std::vector<Lsn> written;
    size_t next = 0;          // of `written`, to be handed out under `epoch`
    size_t acknowledged = 0;  // all before it
    uint64_t epoch = 0;
    Lsn durable = 0;  // as the group said
  };

  std::shared_ptr<ConsumerGroup> group() { return subscriptions_->find("s"); }
  void reopen() {
    subscriptions_ = std::make_unique<Subscriptions>(node_.node(), Random(random_.next()));
    ASSERT_TRUE(subscriptions_->open());
  }

  void join() {
    auto session = group()->join("m", kTimeoutMs);
    ASSERT_TRUE(session);
    members_.push_back({*session, 0, {}});
  }
  void leave() {
    if (members_.empty()) return;
    const size_t i = random_.below(members_.size());
    group()->leave(members_[i].session);
    late_.push_back(members_[i]);
    members_.erase(members_.begin() + static_cast<ptrdiff_t>(i));
  }
  /// A member dies without a word.
  void forget() {
    if (members_.empty()) return;
    late_.push_back(members_.back());
    members_.pop_back();
  }

  void restart() {
    subscriptions_.reset();
    node_.restart();
    node_.refuse_commits = false;
    reopen();
    const GroupStatus status = group()->status();
    for (uint32_t i = 0; i < kShards; ++i) {
      Shard& shard = shards_[i];
      const auto behind =
          std::upper_bound(shard.written.begin(), shard.written.end(), status.shards[i].position);
      const auto done = static_cast<size_t>(behind - shard.written.begin());
      EXPECT_LE(done, shard.acknowledged) << "a checkpoint ran ahead of acknowledgements";
      EXPECT_GE(status.shards[i].position, shard.durable);
      shard.acknowledged = shard.next = done;
      shard.epoch = 0;
    }
    for (Member& member : members_) late_.push_back(std::move(member));
    members_.clear();
  }

  void write(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(random_.below(30));
      std::string prefix;
      append_partition_prefix(generation_, key, prefix);
      const uint64_t hash = get_big_endian64(prefix.data() + 8);
      const Lsn lsn = node_.put("t", key, std::to_string(random_.next()));
      for (uint32_t shard = 0; shard < kShards; ++shard) {
        if (equal_range(shard, kShards).contains(hash)) shards_[shard].written.push_back(lsn);
      }
    }
  }

  void poll() {
    if (members_.empty()) return;
    poll(members_[random_.below(members_.size())], random_.below(8) == 0);
  }
  size_t poll(Member& member, bool answer_lost) {
    if (member.received > 0 && answer_lost) {
      --member.received;
      for (const Lease& lease : group()->leases(member.session))
        shards_[lease.shard].next = shards_[lease.shard].acknowledged;
    }
    auto delivery = group()->poll(member.session, member.received, 1 + random_.below(30), 1 << 20);
    if (!delivery) {
      EXPECT_EQ(delivery.error().code, ErrorCode::kResourceNotFound) << "its session has ended";
      std::erase_if(members_, [&](const Member& each) { return each.session == member.session; });
      return 0;
    }
    member.received = delivery->number;
    size_t count = 0;
    for (const LeasedBatch& leased : delivery->batches) {
      Shard& shard = shards_[leased.lease.shard];
      EXPECT_GE(leased.lease.epoch, shard.epoch);
      if (leased.lease.epoch != shard.epoch) shard.next = shard.acknowledged;
      shard.epoch = leased.lease.epoch;
      for (const Change& change : leased.batch.changes) {
        const bool expected =
            shard.next < shard.written.size() && shard.written[shard.next] == change.change.lsn;
        EXPECT_TRUE(expected) << "shard " << leased.lease.shard;
        ++shard.next;
        member.got.push_back({leased.lease, change.change.lsn});
        ++count;
      }
    }
    return count + (delivery->more ? 1 : 0);
  }

  void acknowledge() {
    // Often by one who may have no right to any more.
    const bool late = !late_.empty() && random_.below(3) == 0;
    std::vector<Member>& from = late ? late_ : members_;
    if (from.empty()) return;
    Member& member = from[random_.below(from.size())];
    if (member.got.empty()) return;
    acknowledge(member, member.got[random_.below(member.got.size())]);
  }
  void acknowledge(const Member& member, const Got& got) {
    Shard& shard = shards_[got.lease.shard];
    auto outcome = group()->acknowledge(member.session, got.lease, got.lsn);
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, ErrorCode::kResourceNotFound);
      return;
    }
    if (*outcome != Acknowledged::kTaken) return;
    EXPECT_EQ(got.lease.epoch, shard.epoch) << "an acknowledgement without a lease was taken";
    const auto behind = std::upper_bound(shard.written.begin(), shard.written.end(), got.lsn);
    const auto done = static_cast<size_t>(behind - shard.written.begin());
    shard.acknowledged = std::max(shard.acknowledged, done);
    if (group()->durable(got.lease.shard, got.lsn))
      shard.durable = std::max(shard.durable, got.lsn);
  }

  Random random_;
  StreamNode node_;
  Generation generation_ = 0;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::vector<Member> members_, late_;
  std::array<Shard, kShards> shards_;
};

TEST(ConsumerGroupModel, NothingIsSkippedAndOnlyWhatWasNotAcknowledgedComesAgain) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GroupHistory history(seed);
    for (int i = 0; i < 400 && !testing::Test::HasFailure(); ++i) history.step();
    history.finish();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::streams
