#include "connectors/pump.h"

#include <algorithm>
#include <map>
#include <set>

#include "pump_node.h"

namespace millrace::connectors {
namespace {

/// What a peer has received, in order. Survives crashes of the sender.
struct Peer {
  struct Received {
    std::string key;
    Lsn lsn;
  };
  std::vector<Received> received;
  std::set<Lsn> has;
  std::set<Lsn> acknowledged;  // the sender was told
};

/// A connector whose peer it does everything to that the contract allows.
class FaultyConnector final : public Connector {
 public:
  FaultyConnector(Peer& peer, Random& random) : peer_(peer), random_(random) {}

  Result<size_t> deliver(std::span<const Record> records) override {
    if (failed) return size_t{0};
    size_t count = always_full ? 0 : std::min(records.size(), room());
    for (const Record& record : records.first(count)) {
      EXPECT_EQ(record.change->lsn, record.idempotency_key());
      if (record.change->lsn == poison) poisoned_ = true;
      in_flight_.push_back({record.ticket, std::string(record.change->key), record.change->lsn});
    }
    ++deliveries;
    return count;
  }

  void poll(int, Progress& progress) override {
    if (paused) return;
    arrive();
    while (!arrived_.empty() && (prompt || random_.one_in(2))) {
      size_t pick = prompt ? 0 : random_.below(arrived_.size());  // in any order
      progress.acknowledged.push_back(arrived_[pick].ticket);
      peer_.acknowledged.insert(arrived_[pick].lsn);
      arrived_.erase(arrived_.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    if (random_.one_in(40)) progress.trouble = "slow";
    if (poisoned_ || (!prompt && random_.one_in(60))) {
      failed = true;
      poisoned_ = false;
      progress.failure = make_error(ErrorCode::kUnavailable, "refused");
      progress.retry_after_ms = retry_after_ms;
    }
    if (fatal) progress.failure = make_error(ErrorCode::kIo, "broken for good");
  }

  void flush() override {}

  void reset() override {
    arrive();  // what was under way may still arrive, or be lost
    in_flight_.clear();
    arrived_.clear();
    failed = false;
    ++resets;
  }

  bool prompt = false;  // acknowledges everything at once, in order
  bool paused = false;
  bool always_full = false;
  bool fatal = false;
  int64_t retry_after_ms = 0;
  Lsn poison = 0;  // never taken by the peer
  bool failed = false;
  int resets = 0;
  int deliveries = 0;
  size_t in_flight() const { return in_flight_.size() + arrived_.size(); }

 private:
  struct InFlight {
    uint64_t ticket;
    std::string key;
    Lsn lsn;
  };

  size_t room() {
    if (prompt) return 100000;
    return random_.below(20);
  }
  void arrive() {
    size_t count = prompt ? in_flight_.size() : random_.below(in_flight_.size() + 1);
    for (size_t i = 0; i < count; ++i) {
      InFlight& record = in_flight_[i];
      if (record.lsn == poison) {
        count = i;
        break;
      }
      peer_.received.push_back({record.key, record.lsn});
      peer_.has.insert(record.lsn);
      arrived_.push_back(record);
    }
    in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  Peer& peer_;
  Random& random_;
  std::vector<InFlight> in_flight_;  // in the order of delivery
  std::vector<InFlight> arrived_;    // at the peer, which has not said so yet
  bool poisoned_ = false;
};

PumpOptions small_options() {
  PumpOptions options;
  options.records_in_flight_max = 64;
  options.bytes_in_flight_max = 4096;
  options.batch_records = 16;
  options.batch_bytes = 1024;
  return options;
}

/// A subscription, connector and pump, as one run of the process has them.
class Sender {
 public:
  Sender(PumpNode& node, Peer& peer, Random& random, std::vector<std::string> tables = {"t"})
      : connector(peer, random) {
    streams::SubscriptionOptions options;
    options.name = "connector/test";
    options.tables = std::move(tables);
    options.old_images = true;
    auto opened = streams::Subscription::open(node.node(), options);
    CHECK(opened);
    subscription = std::move(opened).value();
    pump = std::make_unique<Pump>(
        *subscription, connector, node.clock, Random(random.next()), small_options(),
        [this](const PumpNotice& notice) { notices.push_back(notice.text); });
  }
  FaultyConnector connector;
  std::unique_ptr<streams::Subscription> subscription;
  std::unique_ptr<Pump> pump;
  std::vector<std::string> notices;
};

class PumpTest : public testing::Test {
 protected:
  PumpTest() { node_.create_table("t"); }

  /// Steps until all is acknowledged.
  void settle(Sender& run, PumpNode& node, int steps_max = 20000) {
    for (int i = 0; i < steps_max; ++i) {
      Pump::Outcome outcome = run.pump->step(0);
      if (outcome == Pump::Outcome::kIdle && run.pump->drained() &&
          !run.pump->metrics(0, 0).failing)
        return;
      node.clock.advance(20);
    }
    FAIL() << "not settled";
  }

  PumpNode node_;
  Peer peer_;
  Random random_{1};
};

TEST_F(PumpTest, CarriesEachChangeOnceWhenNothingFails) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  std::vector<Lsn> written;
  for (int i = 0; i < 500; ++i)
    written.push_back(node_.put("t", "k" + std::to_string(i % 7), std::to_string(i)));
  settle(run, node_);
  std::vector<Lsn> received;
  for (const auto& each : peer_.received) received.push_back(each.lsn);
  EXPECT_EQ(received, written);
  Pump::Metrics metrics =
      run.pump->metrics(node_.engine().log().durable_lsn(), node_.clock.wall_ms());
  EXPECT_EQ(metrics.delivered, 500u);
  EXPECT_EQ(metrics.retried, 0u);
  EXPECT_EQ(metrics.records_in_flight, 0u);
}

TEST_F(PumpTest, LeavesOtherTablesAlone) {
  node_.create_table("other");
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  node_.put("other", "k", "1");
  Lsn mine = node_.put("t", "k", "2");
  node_.put("other", "k", "3");
  settle(run, node_);
  ASSERT_EQ(peer_.received.size(), 1u);
  EXPECT_EQ(peer_.received[0].lsn, mine);
}

TEST_F(PumpTest, HoldsNoMoreThanItsBoundsAndReadsOnWhenThereIsRoom) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  run.connector.paused = true;
  for (int i = 0; i < 500; ++i) node_.put("t", "k", std::to_string(i));
  for (int i = 0; i < 200; ++i) {
    run.pump->step(0);
    Pump::Metrics metrics = run.pump->metrics(0, 0);
    ASSERT_LE(metrics.records_in_flight, small_options().records_in_flight_max);
    // By at most one batch.
    ASSERT_LE(metrics.bytes_in_flight,
              small_options().bytes_in_flight_max + small_options().batch_bytes);
  }
  EXPECT_GT(run.connector.in_flight(), 0u);
  EXPECT_LT(run.connector.in_flight(), 100u);
  run.connector.paused = false;
  settle(run, node_);
  EXPECT_EQ(peer_.received.size(), 500u);
}

TEST_F(PumpTest, LagIsZeroWhenCaughtUpAndGrowsWhenItIsNot) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  node_.put("t", "k", "1");
  settle(run, node_);
  // Its own checkpoint may be the newest entry: the next step sees that nothing in it is for the
  // connector.
  run.pump->step(0);
  auto lag = [&] {
    return run.pump->metrics(node_.engine().log().durable_lsn(), node_.clock.wall_ms());
  };
  EXPECT_EQ(lag().lag_records, 0u);
  EXPECT_EQ(lag().lag_seconds, 0);

  // A long time without changes is no lag.
  node_.clock.advance(3600 * 1000);
  run.pump->step(0);
  run.connector.paused = true;
  node_.put("t", "k", "2");
  run.pump->step(0);
  EXPECT_GE(lag().lag_records, 1u);
  EXPECT_LT(lag().lag_seconds, 1);
  node_.clock.advance(5000);
  node_.put("t", "k", "3");
  EXPECT_GE(lag().lag_seconds, 5);
  EXPECT_LT(lag().lag_seconds, 6);
}

TEST_F(PumpTest, ARecordThatIsNeverTakenHoldsUpButIsNeverSkipped) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  std::vector<Lsn> written;
  for (int i = 0; i < 100; ++i) written.push_back(node_.put("t", "k" + std::to_string(i), "v"));
  run.connector.poison = written[50];
  for (int i = 0; i < 3000; ++i) {
    run.pump->step(0);
    node_.clock.advance(100);
    ASSERT_LT(run.subscription->position(), written[50]);
  }
  EXPECT_EQ(run.subscription->position() + 1, written[50]);
  EXPECT_TRUE(run.pump->metrics(0, 0).failing);
  // 300 s with pauses of up to 30 s: about 17 attempts, and the operator is told at most every 30
  // s.
  EXPECT_LT(run.connector.resets, 30);
  EXPECT_GT(run.connector.resets, 8);
  EXPECT_LE(run.notices.size(), 11u);
  EXPECT_EQ(run.notices.front(), "refused");
  // What follows the record was not sent in full at each attempt.
  EXPECT_LT(peer_.received.size(), 400u);

  run.connector.poison = 0;
  settle(run, node_);
  EXPECT_EQ(run.notices.back(), "delivers again");
  EXPECT_EQ(peer_.has, std::set<Lsn>(written.begin(), written.end()));
}

TEST_F(PumpTest, APeerThatAsksForALongerPauseGetsItWithinABound) {
  for (auto [asked_ms, pause_ms] : {std::pair<int64_t, int64_t>{7000, 7000}, {1 << 30, 300000}}) {
    Sender run(node_, peer_, random_);
    run.connector.prompt = true;
    run.connector.retry_after_ms = asked_ms;
    run.connector.poison = node_.put("t", "k", std::to_string(asked_ms));
    for (int i = 0; i < 5; ++i) run.pump->step(0);
    ASSERT_EQ(run.connector.resets, 1);
    run.connector.poison = 0;
    const int deliveries = run.connector.deliveries;
    node_.clock.advance(pause_ms - 1);
    run.pump->step(0);
    EXPECT_EQ(run.connector.deliveries, deliveries);
    node_.clock.advance(1);
    settle(run, node_);
    EXPECT_GT(run.connector.deliveries, deliveries);
  }
}

TEST_F(PumpTest, AFailureThatCannotBeMendedEndsIt) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  node_.put("t", "k", "v");
  run.connector.fatal = true;
  run.pump->step(0);
  EXPECT_EQ(run.pump->step(0), Pump::Outcome::kEnded);
  EXPECT_TRUE(run.pump->metrics(0, 0).ended);
  ASSERT_FALSE(run.notices.empty());
  EXPECT_EQ(run.notices.back(), "broken for good");
}

TEST_F(PumpTest, StoppedItReadsNothingMoreButTakesAcknowledgements) {
  Sender run(node_, peer_, random_);
  run.connector.prompt = true;
  run.connector.paused = true;
  for (int i = 0; i < 200; ++i) node_.put("t", "k", std::to_string(i));
  for (int i = 0; i < 50; ++i) run.pump->step(0);
  size_t in_flight = run.connector.in_flight();
  ASSERT_GT(in_flight, 0u);
  run.pump->stop_reading();
  run.connector.paused = false;
  for (int i = 0; i < 50; ++i) run.pump->step(0);
  EXPECT_TRUE(run.pump->drained());
  EXPECT_EQ(peer_.received.size(), in_flight);
  run.subscription->flush();
  EXPECT_EQ(run.subscription->persisted(), run.subscription->position());
}

/// The model: what was written, and what a peer that keeps what it gets must see.
class Model {
 public:
  void wrote(const std::string& key, Lsn lsn) { by_key_[key].push_back(lsn); }

  /// Of each key, no change comes before an earlier one that has not come yet.
  void check_order(const Peer& peer) const {
    std::map<std::string, Lsn> newest;
    std::map<std::string, std::vector<Lsn>> seen_first;
    for (const Peer::Received& received : peer.received) {
      Lsn& last = newest[received.key];
      if (received.lsn <= last) continue;  // a repetition
      last = received.lsn;
      seen_first[received.key].push_back(received.lsn);
    }
    size_t index = 0;
    for (const auto& [key, lsns] : seen_first) {
      (void)key;
      bool found = false;
      for (const auto& [name, written] : by_key_) found = found || written == lsns;
      ASSERT_TRUE(found) << "key " << index << " misses a change or has them out of order";
      ++index;
    }
    ASSERT_EQ(seen_first.size(), by_key_.size());
  }

  /// Invariant 8: nothing up to the position is unacknowledged.
  void check_position(const Peer& peer, Lsn position) const {
    for (const auto& [key, lsns] : by_key_) {
      for (Lsn lsn : lsns)
        ASSERT_TRUE(lsn > position || peer.acknowledged.contains(lsn)) << lsn << " of " << key;
    }
  }

 private:
  std::map<std::string, std::vector<Lsn>> by_key_;
};

// Failures, delays, acknowledgements out of order, a connector without room, crashes between
// acknowledgement and checkpoint: nothing is skipped, order per key holds, repetitions are bounded.
TEST(PumpFaults, NeverSkipsAndRepeatsWithinBounds) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    PumpNode node;
    node.create_table("t");
    Peer peer;
    Model model;
    auto run = std::make_unique<Sender>(node, peer, random);
    size_t written = 0, setbacks = 0;
    for (int step = 0; step < 1500; ++step) {
      if (random.one_in(3)) {
        std::string key = "k" + std::to_string(random.below(5));
        model.wrote(key, node.put("t", key, std::to_string(step)));
        ++written;
      }
      if (random.one_in(50)) node.hold_commits = !node.hold_commits;
      if (random.one_in(200)) {  // a crash
        setbacks += static_cast<size_t>(run->connector.resets) + 1;
        run->connector.reset();
        run.reset();
        node.restart();
        run = std::make_unique<Sender>(node, peer, random);
      }
      run->pump->step(0);
      node.clock.advance(static_cast<int64_t>(random.below(100)));
      model.check_position(peer, run->subscription->position());
      ASSERT_LE(run->subscription->persisted(), run->subscription->position());
      if (testing::Test::HasFatalFailure()) return;
    }
    node.hold_commits = false;
    run->connector.prompt = true;
    for (int i = 0; i < 5000; ++i) {
      run->pump->step(0);
      node.clock.advance(50);
    }
    setbacks += static_cast<size_t>(run->connector.resets) + 1;
    EXPECT_EQ(peer.has.size(), written);
    model.check_order(peer);
    // A setback repeats what was in flight, and after a crash what was acknowledged since the last
    // checkpoint that was committed: with commits held that is bounded by the test's own pace.
    EXPECT_LE(peer.received.size(), written + setbacks * 200);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::connectors
