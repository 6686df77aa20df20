#include "streams/log_needs.h"

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "stream_node.h"
#include "streams/change_feed.h"
#include "streams/subscription.h"

namespace millrace::streams {
namespace {

class LogNeedsTest : public testing::Test {
 protected:
  LogNeedsTest() : node_(32 << 10) {
    node_.create_table("busy", std::nullopt);
    node_.create_table("quiet", StreamViewType::kNewAndOldImages);
  }

  Generation generation_of(const std::string& table) {
    return node_.catalog().find(table)->generation;
  }

  /// Many changes of the busy table and few of the quiet one, some of which share a transaction.
  void write(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = std::to_string(written_++) + std::string(300, 'x');
      const std::string key = "k" + std::to_string(written_ % 7);
      busy_.push_back(node_.put("busy", key, value));
      if (i % 12 == 5) {
        Lsn lsn = node_.put("quiet", key, value);
        quiet_.push_back(lsn);
      } else if (i % 12 == 11) {
        Lsn lsn = node_.write({{"busy", key, "t" + value}, {"quiet", key, "t" + value}});
        busy_.push_back(lsn);
        quiet_.push_back(lsn + 1);
      }
    }
  }

  /// What the sidecar does on the thread that trims.
  void rewrite(const std::vector<ReaderNeeds>& readers = {}) {
    node_.step_index();
    ASSERT_TRUE(node_.engine().checkpoint());
    const auto needs = [&] {
      LogNeeds needs;
      needs.below = std::min(node_.engine().statistics().checkpoint_lsn,
                             node_.index().statistics().indexed_through);
      needs.settled = needs.below;
      for (const ReaderNeeds& reader : readers) {
        needs.settled = std::min(needs.settled, reader.from);
      }
      needs.needed = needed_changes(node_.catalog(), readers);
      return needs;
    };
    if (!rewriter_) rewriter_.emplace(node_.log());
    for (;;) {
      auto more = rewriter_->step(needs);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
  }
  uint64_t rewritten() { return node_.log().rewrite_statistics().segments; }

  static std::vector<Lsn> lsns(const std::vector<SeenRecord>& records) {
    std::vector<Lsn> result;
    for (const SeenRecord& record : records) result.push_back(record.lsn);
    return result;
  }
  std::vector<Lsn> from(const std::vector<Lsn>& all, Lsn first) {
    return {std::lower_bound(all.begin(), all.end(), first), all.end()};
  }

  static SubscriptionOptions options(const std::string& name) {
    SubscriptionOptions options;
    options.name = name;
    options.tables = {"busy"};
    return options;
  }
  /// LSNs of all changes that a subscription gets, each acknowledged.
  std::vector<Lsn> drain(Subscription& subscription) {
    std::vector<Lsn> result;
    for (bool more = true; more;) {
      auto batch = subscription.poll(10, 1 << 20);
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch) return result;
      for (const Change& change : batch->changes) result.push_back(change.change.lsn);
      if (!batch->changes.empty()) subscription.acknowledge(batch->changes.back().change.lsn);
      more = batch->more || !batch->changes.empty();
    }
    return result;
  }

  StreamNode node_;
  std::optional<LogRewriter> rewriter_;
  int written_ = 0;
  std::vector<Lsn> busy_, quiet_;
};

TEST_F(LogNeedsTest, AreDefinitionsStreamsAndWhatReadersHaveYetToRead) {
  const Generation busy = generation_of("busy"), quiet = generation_of("quiet");
  const Lsn enabled = node_.stream_of("quiet").definition().enabled_at;
  NeededChange needed = needed_changes(node_.catalog(), {});
  EXPECT_TRUE(needed(kCatalogGeneration, 5));
  EXPECT_FALSE(needed(kCheckpointGeneration, enabled + 10));
  EXPECT_FALSE(needed(busy, enabled + 10));
  EXPECT_FALSE(needed(quiet, enabled));
  EXPECT_TRUE(needed(quiet, enabled + 1));
  EXPECT_FALSE(needed(quiet + 1'000'000, enabled + 1)) << "of no table";

  const ReaderNeeds reader{enabled + 50, {{"busy"}}}, of_all{enabled + 70, {}};
  needed = needed_changes(node_.catalog(), {reader, of_all});
  EXPECT_FALSE(needed(busy, enabled + 49));
  EXPECT_TRUE(needed(busy, enabled + 50));
  needed = needed_changes(node_.catalog(), {of_all});
  EXPECT_FALSE(needed(busy, enabled + 69));
  EXPECT_TRUE(needed(busy, enabled + 70));

  // What a stream has stays needed when it is disabled, and when its table is deleted.
  const Lsn last = node_.put("quiet", "k", "v");
  node_.delete_table("quiet");
  needed = needed_changes(node_.catalog(), {});
  EXPECT_TRUE(needed(quiet, last));
  EXPECT_FALSE(needed(quiet, node_.log().durable_lsn() + 1));
}

TEST_F(LogNeedsTest, AQuietStreamIsReadWholeFromARewrittenLog) {
  write(600);
  ASSERT_GT(node_.log().segments().size(), 6u);
  // Iterators from before, in the middle of what is rewritten.
  const Stream stream = node_.stream_of("quiet");
  std::vector<std::string> iterators;
  std::vector<Lsn> seen;
  for (const ShardDefinition& shard : stream.definition().shards) {
    auto iterator =
        node_.streams().iterator(stream, shard.name.ordinal, IteratorType::kTrimHorizon, 0, 0);
    ASSERT_TRUE(iterator);
    std::string page;
    auto read = node_.streams().read(*iterator, 5, page);
    ASSERT_TRUE(read) << read.error().message;
    for (const SeenRecord& record : parse_records(page)) seen.push_back(record.lsn);
    iterators.push_back(*read->next);
  }
  ASSERT_NO_FATAL_FAILURE(rewrite());
  EXPECT_GT(rewritten(), 4u);
  const RewriteStatistics statistics = node_.log().rewrite_statistics();
  EXPECT_LT(statistics.bytes_after, statistics.bytes_before / 2);

  for (std::string& iterator : iterators) {
    for (Lsn lsn : lsns(read_on(node_, iterator))) seen.push_back(lsn);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, quiet_);
  EXPECT_EQ(lsns(read_all(node_, node_.stream_of("quiet"))), quiet_);
  // The files of the index are those of the segments as they are now.
  node_.step_index();
  const auto segments = node_.log().segments();
  const std::vector<std::string> names = node_.index_disk.list("/shards").value();
  for (const std::string& name : names) {
    EXPECT_TRUE(std::any_of(segments.begin(), segments.end(), [&](const SegmentInfo& segment) {
      return ShardFile::name_of(segment.name()) == name;
    })) << name;
  }
  node_.restart();
  rewriter_.reset();
  EXPECT_EQ(lsns(read_all(node_, node_.stream_of("quiet"))), quiet_);
  write(300);
  ASSERT_NO_FATAL_FAILURE(rewrite());
  EXPECT_EQ(lsns(read_all(node_, node_.stream_of("quiet"))), quiet_);
}

TEST_F(LogNeedsTest, ReadersBesideRewritingGetEachRecordOnce) {
  std::atomic<bool> done{false};
  write(1);
  const auto read = [&] {
    const Stream stream = node_.stream_of("quiet");
    std::vector<Lsn> seen;
    std::vector<std::string> iterators;
    for (const ShardDefinition& shard : stream.definition().shards) {
      iterators.push_back(
          node_.streams()
              .iterator(stream, shard.name.ordinal, IteratorType::kTrimHorizon, 0, 0)
              .value());
    }
    for (bool last = false; !last;) {
      last = done;
      for (std::string& iterator : iterators) {
        for (Lsn lsn : lsns(read_on(node_, iterator, 3))) seen.push_back(lsn);
      }
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, quiet_);
  };
  std::thread first(read), second(read);
  for (int i = 0; i < 12; ++i) {
    write(100);
    ASSERT_NO_FATAL_FAILURE(rewrite());
  }
  done = true;
  first.join();
  second.join();
  EXPECT_GT(rewritten(), 8u);
}

TEST_F(LogNeedsTest, AFeedOverWhatWasLeftOutIsToldSo) {
  write(300);
  const Lsn middle = busy_[busy_.size() / 2];
  ASSERT_NO_FATAL_FAILURE(rewrite());
  const TableFilter busy{{"busy"}};
  ChangeFeed feed(node_.log(), node_.catalog(), {busy}, busy_.front());
  std::string out;
  for (int i = 0; i < 2; ++i) {
    auto more = feed.next(1000, out);
    while (more && *more) more = feed.next(1000, out);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, ErrorCode::kTrimmed) << more.error().message;
  }
  // Of the quiet table nothing is missing.
  ChangeReader quiet(node_.log(), node_.catalog(), {{{"quiet"}}}, quiet_.front());
  std::vector<Lsn> seen;
  for (bool more = true; more;) {
    auto batch = quiet.read(7, 1 << 20);
    ASSERT_TRUE(batch) << batch.error().message;
    for (const Change& change : batch->changes) seen.push_back(change.change.lsn);
    more = batch->more;
  }
  EXPECT_EQ(seen, quiet_);
  // From the horizon there is what is whole.
  const Lsn whole = first_whole_lsn(node_.log(), node_.catalog(), busy);
  EXPECT_GT(whole, middle);
  ChangeReader reader(node_.log(), node_.catalog(), {busy}, whole);
  auto batch = reader.read(1000, 1 << 20);
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_FALSE(batch->changes.empty());
  EXPECT_EQ(batch->changes.front().change.lsn, from(busy_, whole).front());
}

TEST_F(LogNeedsTest, ASubscriptionThatLagsKeepsWhatItNeeds) {
  auto opened = Subscription::open(node_.node(), options("s"));
  ASSERT_TRUE(opened);
  Subscription& subscription = **opened;
  write(300);
  ASSERT_NO_FATAL_FAILURE(rewrite({{subscription.needs(), subscription.tables()}}));
  EXPECT_EQ(rewritten(), 0u);
  EXPECT_EQ(drain(subscription), busy_);
  subscription.flush();
  node_.commit();
  EXPECT_GE(subscription.persisted(), busy_.back());
  ASSERT_NO_FATAL_FAILURE(rewrite({{subscription.needs(), subscription.tables()}}));
  EXPECT_GT(rewritten(), 2u);

  // One that begins now has what is whole; one that was elsewhere is told.
  auto later = Subscription::open(node_.node(), options("later"));
  ASSERT_TRUE(later);
  const Lsn whole = first_whole_lsn(node_.log(), node_.catalog(), (*later)->tables());
  EXPECT_EQ(drain(**later), from(busy_, whole));
  SubscriptionOptions early = options("early");
  early.start = {StartAt::Kind::kLsn, busy_.front()};
  auto strict = Subscription::open(node_.node(), early);
  ASSERT_TRUE(strict);
  EXPECT_EQ((*strict)->poll(10, 1000).error().code, ErrorCode::kTrimmed);
  early.name = "early too";
  early.go_on_when_trimmed = true;
  auto lenient = Subscription::open(node_.node(), early);
  ASSERT_TRUE(lenient);
  EXPECT_EQ(drain(**lenient), from(busy_, whole));
  EXPECT_EQ((*lenient)->gaps(), 1u);
}

}  // namespace
}  // namespace millrace::streams
