#include "streams/subscription.h"

#include "core/base/random.h"
#include "stream_node.h"
#include "streams/deleted_tables.h"

namespace millrace::streams {
namespace {

std::unique_ptr<Subscription> open(StreamNode& node, SubscriptionOptions options) {
  auto subscription = Subscription::open(node.node(), std::move(options));
  EXPECT_TRUE(subscription) << subscription.error().message;
  return subscription ? *std::move(subscription) : nullptr;
}

SubscriptionOptions named(std::string name, StartAt start = {}) {
  SubscriptionOptions options;
  options.name = std::move(name);
  options.start = start;
  return options;
}

// "table key=value" of each change up to the tip.
std::vector<std::string> poll_all(Subscription& subscription, bool acknowledge, size_t most = 7) {
  std::vector<std::string> seen;
  for (;;) {
    auto batch = subscription.poll(most, 1 << 20);
    EXPECT_TRUE(batch) << batch.error().message;
    if (!batch) break;
    for (const Change& change : batch->changes) {
      std::string text = change.table->name + " ";
      const std::string key(split_store_key(change.change.key)->partition_scalar);
      text += key + "=";
      if (change.change.new_image) {
        text += ItemView(*change.change.new_image).get("v")->scalar();
      }
      seen.push_back(std::move(text));
      if (acknowledge) subscription.acknowledge(change.change.lsn);
    }
    if (!batch->more) break;
  }
  return seen;
}

using Texts = std::vector<std::string>;

TEST(Subscription, GetsAllUserTablesOrThoseNamed) {
  StreamNode node;
  node.create_table("a", std::nullopt);
  node.create_table("b", StreamViewType::kKeysOnly);
  auto all = open(node, named("all"));
  SubscriptionOptions options = named("only-b");
  options.tables = {"b", "later"};
  auto some = open(node, options);
  node.put("a", "k", "1");
  node.put("b", "k", "2");
  node.create_table("later", std::nullopt);
  node.put("later", "k", "3");
  EXPECT_EQ(poll_all(*all, true), (Texts{"a k=1", "b k=2", "later k=3"}));
  EXPECT_EQ(poll_all(*some, true), (Texts{"b k=2", "later k=3"}));
  node.delete_table("b");
  node.create_table("b", std::nullopt);
  node.put("b", "k", "4");
  node.remove("b", "k");
  EXPECT_EQ(poll_all(*all, true), (Texts{"b k=4", "b k="}));
  EXPECT_EQ(poll_all(*some, true), (Texts{"b k=4", "b k="}));
}

TEST(Subscription, UnderstandsTablesThatCameAndWentWhileItWasBehind) {
  StreamNode node;
  auto subscription = open(node, named("s"));
  node.create_table("t", std::nullopt);
  node.put("t", "k", "1");
  node.delete_table("t");
  ASSERT_EQ(node.catalog().find("t"), nullptr);
  EXPECT_EQ(poll_all(*subscription, true), Texts{"t k=1"});
}

TEST(Subscription, UnderstandsATableThatWasDeletedWhileItWasClosed) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  open(node, named("s")).reset();
  node.put("t", "k", "1");
  node.delete_table("t");
  node.restart();
  EXPECT_EQ(poll_all(*open(node, named("s")), true), Texts{"t k=1"});
}

TEST(DeletedTables, AreForgottenOnceNobodyCanAskForThem) {
  StreamNode node(32 << 10);
  node.create_table("plain", std::nullopt);
  node.create_table("streamed", StreamViewType::kKeysOnly);
  node.create_table("kept", StreamViewType::kKeysOnly);
  const Generation plain = node.catalog().find("plain")->generation;
  const Generation streamed = node.catalog().find("streamed")->generation;
  node.delete_table("plain");
  node.delete_table("streamed");
  DeletedTables deleted(node.node(), node.streams());
  const auto fill_and_trim = [&] {
    for (int i = 0; i < 300; ++i) {
      node.put("kept", "k", std::string(300, 'x') + std::to_string(node.log().durable_lsn()));
    }
    node.maintain();
    ASSERT_TRUE(node.engine().checkpoint());
    ASSERT_TRUE(node.log().trim(node.log().segments().back().first_lsn));
  };
  deleted.forget_due();
  EXPECT_NE(node.catalog().find(plain), nullptr) << "the log may still have its changes";
  fill_and_trim();
  deleted.forget_due();
  EXPECT_EQ(node.catalog().find(plain), nullptr);
  EXPECT_NE(node.catalog().find(streamed), nullptr) << "its stream is shown for a day";
  node.restart();
  DeletedTables after(node.node(), node.streams());
  node.clock.advance(24 * kHourMs);
  after.forget_due();
  EXPECT_NE(node.catalog().find(streamed), nullptr) << "a restart puts it off";
  fill_and_trim();
  after.forget_due();
  EXPECT_EQ(node.catalog().find(streamed), nullptr);
  EXPECT_NE(node.catalog().find("kept"), nullptr);
  node.restart();
  EXPECT_EQ(node.catalog().all().size(), 1u);
}

TEST(Subscription, HoldsNoDefinitionsOfItsOwn) {
  StreamNode node(32 << 10);
  auto subscription = open(node, named("s"));
  node.create_table("t", std::nullopt);
  node.enable("t", StreamViewType::kKeysOnly);
  node.put("t", "k", "1");
  auto batch = subscription->poll(10, 1 << 20);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->changes.size(), 1u);
  EXPECT_EQ(batch->changes[0].table, node.catalog().find("t"));

  const std::weak_ptr<const Table> gone = [&] {
    node.create_table("gone", std::nullopt);
    node.put("gone", "k", "1");
    EXPECT_EQ(poll_all(*subscription, true), Texts{"gone k=1"});
    node.delete_table("gone");
    return std::weak_ptr(node.catalog().all().back());
  }();
  DeletedTables deleted(node.node(), node.streams());
  for (int round = 0; round < 2; ++round) {
    deleted.forget_due();
    for (int i = 0; i < 300; ++i) {
      node.put("t", "k", std::string(300, 'x') + std::to_string(node.log().durable_lsn()));
    }
    node.maintain();
    ASSERT_TRUE(node.engine().checkpoint());
    poll_all(*subscription, true);
    ASSERT_TRUE(node.log().trim(node.log().segments().back().first_lsn));
  }
  EXPECT_TRUE(gone.expired()) << "once nobody can ask for it";
}

TEST(Subscription, StartsWhereItIsTold) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  node.put("t", "k", "1");
  Lsn second = node.put("t", "k", "2");
  auto horizon = open(node, named("horizon"));
  auto latest = open(node, named("latest", {StartAt::Kind::kLatest, 0}));
  auto at = open(node, named("at", {StartAt::Kind::kLsn, second}));
  node.put("t", "k", "3");
  EXPECT_EQ(poll_all(*horizon, false), (Texts{"t k=1", "t k=2", "t k=3"}));
  EXPECT_EQ(poll_all(*latest, false), Texts{"t k=3"});
  EXPECT_EQ(poll_all(*at, false), (Texts{"t k=2", "t k=3"}));
}

TEST(Subscription, BeginsAgainWhereItFirstBeganWhenNothingWasAcknowledged) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  node.put("t", "k", "1");
  auto first = open(node, named("s", {StartAt::Kind::kLatest, 0}));
  node.put("t", "k", "2");
  first.reset();
  node.restart();
  node.put("t", "k", "3");
  auto again = open(node, named("s", {StartAt::Kind::kLatest, 0}));
  EXPECT_EQ(poll_all(*again, false), (Texts{"t k=2", "t k=3"}));
}

TEST(Subscription, ThePositionMovesContiguously) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn first = node.put("t", "a", "1");
  Lsn second = node.put("t", "b", "2");
  Lsn start = subscription->position();
  EXPECT_LT(start, first);
  EXPECT_EQ(poll_all(*subscription, false).size(), 2u);
  EXPECT_EQ(subscription->position(), start) << "delivered is not acknowledged";
  subscription->acknowledge(first);
  EXPECT_EQ(subscription->position(), first);
  subscription->acknowledge(second + 1000);
  EXPECT_GE(subscription->position(), second);
  EXPECT_LE(subscription->position(), node.log().durable_lsn());
}

TEST(Subscription, RewindGivesWhatWasNotAcknowledgedAgain) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn first = node.put("t", "a", "1");
  node.put("t", "b", "2");
  EXPECT_EQ(poll_all(*subscription, false).size(), 2u);
  subscription->acknowledge(first);
  subscription->rewind();
  EXPECT_EQ(poll_all(*subscription, true), Texts{"t b=2"});
  subscription->rewind();
  EXPECT_TRUE(poll_all(*subscription, true).empty());
}

TEST(Subscription, PersistsAtMostOnceInAnIntervalAndOnFlush) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn begin = subscription->persisted();
  auto acknowledge_one = [&] {
    Lsn lsn = node.put("t", "a", std::to_string(node.log().durable_lsn()));
    poll_all(*subscription, true);
    return lsn;
  };
  Lsn first = acknowledge_one();
  EXPECT_EQ(subscription->persisted(), begin);
  node.clock.advance(200);
  acknowledge_one();
  EXPECT_GE(subscription->persisted(), first);
  Lsn third = acknowledge_one();
  EXPECT_LT(subscription->persisted(), third);
  subscription->flush();
  EXPECT_GE(subscription->persisted(), third);
  EXPECT_EQ(subscription->needs(), subscription->persisted() + 1);
}

TEST(Subscription, AnIdleNodeStaysIdle) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  node.put("t", "a", "1");
  poll_all(*subscription, true);
  subscription->flush();
  Lsn before = node.log().durable_lsn();
  for (int i = 0; i < 100; ++i) {
    node.clock.advance(1000);
    poll_all(*subscription, true);
  }
  EXPECT_EQ(node.log().durable_lsn(), before);
}

TEST(Subscription, LongStretchesWithoutInterestMoveThePersistedPosition) {
  StreamNode node(1 << 20);
  node.create_table("t", std::nullopt);
  node.create_table("other", std::nullopt);
  SubscriptionOptions options = named("s");
  options.tables = {"t"};
  auto subscription = open(node, options);
  Lsn begin = subscription->persisted();
  for (int i = 0; i < 100; ++i)
    node.put("other", "k", std::string(100'000, 'x') + std::to_string(i));
  EXPECT_TRUE(poll_all(*subscription, true).empty());
  EXPECT_GT(subscription->persisted(), begin + 50);
}

TEST(Subscription, OnlyOneCheckpointIsUnderWay) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn first = node.put("t", "a", "1");
  Lsn second = node.put("t", "b", "2");
  poll_all(*subscription, false);
  node.hold_commits = true;
  subscription->acknowledge(first);
  subscription->flush();
  subscription->acknowledge(second);
  subscription->flush();
  EXPECT_LT(subscription->persisted(), first);
  node.hold_commits = false;
  node.commit();
  EXPECT_EQ(subscription->persisted(), first);
  subscription->flush();
  EXPECT_GE(subscription->persisted(), second);
}

TEST(Subscription, ACheckpointThatFailedIsTriedAgainWithoutFurtherRecords) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn lsn = node.put("t", "a", "1");
  poll_all(*subscription, false);
  node.refuse_commits = true;
  subscription->acknowledge(lsn);
  subscription->flush();
  EXPECT_LT(subscription->persisted(), lsn);
  node.refuse_commits = false;
  node.clock.advance(1000);
  poll_all(*subscription, false);
  node.commit();
  EXPECT_GE(subscription->persisted(), lsn);
}

TEST(Subscription, MayBeClosedWhileItsCheckpointIsUnderWay) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  Lsn lsn = node.put("t", "a", "1");
  poll_all(*subscription, true);
  node.hold_commits = true;
  subscription->flush();
  subscription.reset();
  node.hold_commits = false;
  node.commit();
  EXPECT_GE(open(node, named("s"))->persisted(), lsn);
}

TEST(Subscription, IsToldOfWhatWasTrimmed) {
  StreamNode node(32 << 10);
  node.create_table("t", std::nullopt);
  auto strict = open(node, named("strict"));
  SubscriptionOptions options = named("lenient");
  options.go_on_when_trimmed = true;
  auto lenient = open(node, options);
  for (int i = 0; i < 300; ++i) node.put("t", "k", std::string(300, 'x') + std::to_string(i));
  node.maintain();
  ASSERT_TRUE(node.engine().checkpoint());
  std::vector<SegmentInfo> segments = node.log().segments();
  ASSERT_GT(segments.size(), 3u);
  ASSERT_TRUE(node.log().trim(segments[2].first_lsn));
  auto batch = strict->poll(10, 1000);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, ErrorCode::kTrimmed);
  EXPECT_NE(batch.error().message.find("'strict'"), std::string::npos);
  auto seen = poll_all(*lenient, true);
  EXPECT_LT(seen.size(), 300u);
  EXPECT_EQ(seen.back(), "t k=" + std::string(300, 'x') + "299");
  EXPECT_EQ(lenient->gaps(), 1u);
}

TEST(Subscription, KeepsOldImagesOfTablesThatAreThereAndThatCome) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  node.create_table("other", std::nullopt);
  SubscriptionOptions options = named("s");
  options.tables = {"t", "later"};
  options.old_images = true;
  auto subscription = open(node, options);
  EXPECT_TRUE(node.catalog().find("t")->keep_old_images);
  EXPECT_FALSE(node.catalog().find("other")->keep_old_images);
  node.create_table("later", std::nullopt);
  EXPECT_TRUE(node.catalog().find("later")->keep_old_images);
  for (const char* table : {"t", "later"}) {
    node.put(table, "k", "1");
    node.put(table, "k", "2");
    node.remove(table, "k");
  }
  auto batch = subscription->poll(100, 1 << 20);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->changes.size(), 6u);
  for (const Change& change : batch->changes) {
    EXPECT_EQ(change.change.old_image.has_value(), change.change.kind != ChangeKind::kInsert);
  }
}

TEST(Subscription, EntriesComeWhole) {
  StreamNode node;
  node.create_table("t", std::nullopt);
  auto subscription = open(node, named("s"));
  node.put("t", "x", "1");
  node.write({{"t", "a", "1"}, {"t", "b", "1"}, {"t", "c", "1"}});
  auto first = subscription->poll(2, 1 << 20);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->changes.size(), 1u);
  EXPECT_TRUE(first->more);
  auto second = subscription->poll(2, 1 << 20);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->changes.size(), 3u) << "one entry is never cut";
  EXPECT_EQ(second->changes[0].entry.field(EntryField::kTransactionId), "t1");
}

TEST(Subscription, RefusesBadNames) {
  StreamNode node;
  EXPECT_EQ(Subscription::open(node.node(), named("")).error().code, ErrorCode::kConfig);
}

// Whatever is written, acknowledged, flushed, restarted: changes come in order, none is skipped,
// and after a restart none that was persisted comes again.
TEST(Subscription, RandomHistoriesAgainstAModel) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    StreamNode node(32 << 10);
    node.create_table("t", std::nullopt);
    node.create_table("other", std::nullopt);
    SubscriptionOptions options = named("s");
    options.tables = {"t"};
    options.checkpoint_interval_ms = 100;
    auto subscription = open(node, options);
    std::vector<Lsn> written;
    size_t next = 0;          // of `written`, expected from the next poll
    size_t acknowledged = 0;  // all before it
    for (int step = 0; step < 300; ++step) {
      switch (random.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3: {
          std::string value = std::to_string(step) + std::string(random.below(400), 'x');
          Lsn lsn = node.put(random.one_in(3) ? "other" : "t", "k", value);
          if (node.log().durable_lsn() >= lsn) {
            // Which table it was shows in the item.
            auto frame = node.log().frame_holding(lsn);
            const EntryView entry = *(*frame)->begin();
            const ChangeView change = *entry.begin();
            if (split_store_key(change.key)->generation == node.catalog().find("t")->generation) {
              written.push_back(lsn);
            }
          }
          break;
        }
        case 4:
        case 5:
        case 6: {
          auto batch = subscription->poll(1 + random.below(5), 1 + random.below(2000));
          ASSERT_TRUE(batch);
          for (const Change& change : batch->changes) {
            ASSERT_LT(next, written.size());
            ASSERT_EQ(change.change.lsn, written[next++]);
          }
          break;
        }
        case 7:
          if (acknowledged < next) {
            acknowledged += 1 + random.below(next - acknowledged);
            subscription->acknowledge(written[acknowledged - 1]);
          }
          break;
        case 8:
          node.clock.advance(static_cast<int64_t>(random.below(150)));
          if (random.one_in(3)) subscription->flush();
          break;
        default:
          if (!random.one_in(4)) break;
          Lsn persisted = subscription->persisted();
          subscription.reset();
          node.restart();
          subscription = open(node, options);
          ASSERT_EQ(subscription->persisted(), persisted);
          next = static_cast<size_t>(std::upper_bound(written.begin(), written.end(), persisted) -
                                     written.begin());
          ASSERT_LE(next, acknowledged) << "what was not acknowledged comes again";
          acknowledged = next;
      }
    }
    for (;;) {
      auto batch = subscription->poll(100, 1 << 20);
      ASSERT_TRUE(batch);
      for (const Change& change : batch->changes) ASSERT_EQ(change.change.lsn, written[next++]);
      if (!batch->more) break;
    }
    EXPECT_EQ(next, written.size());
  }
}

}  // namespace
}  // namespace millrace::streams
