// Consumers on threads of their own read a stream through splits, merges, rollovers, trims and
// restarts, each shard once its parent has been read: every change once, in order per item.
// MILLRACE_SEEDS (3) runs from MILLRACE_FIRST_SEED (1) on; 200 is the long run.

#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "stream_node.h"

namespace millrace::streams {
namespace {

constexpr int kKeys = 24;
constexpr int kConsumers = 3;
constexpr int kPhases = 8;
constexpr int kSteps = 120;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

// Reads on one thread at a time; what it has read outlives the node.
class Consumer {
 public:
  explicit Consumer(uint64_t seed) : random_(seed) {}

  // One page of one shard.
  void step(Streams& streams, const std::string& arn) {
    const Result<Stream> stream = streams.find(arn);
    ASSERT_TRUE(stream) << stream.error().message;
    for (const ShardDefinition& shard : stream->definition().shards) {
      auto [known, first] = shards_.try_emplace(shard.name.ordinal);
      if (first && shard.parent) known->second.parent = shard.parent->ordinal;
    }
    std::vector<uint32_t> ready;
    for (const auto& [ordinal, shard] : shards_) {
      auto parent = shard.parent ? shards_.find(*shard.parent) : shards_.end();
      if (!shard.drained && (parent == shards_.end() || parent->second.drained))
        ready.push_back(ordinal);
    }
    if (ready.empty()) return;
    const uint32_t chosen = ready[random_() % ready.size()];
    read(streams, *stream, chosen, shards_.at(chosen));
  }

  // Iterators are lost with a client.
  void forget_iterators() {
    for (auto& [ordinal, shard] : shards_) shard.iterator.clear();
  }
  size_t records() const { return records_; }

 private:
  struct Shard {
    std::optional<uint32_t> parent;
    std::string iterator;
    Lsn last = 0;
    bool drained = false;
  };

  Result<std::string> place(Streams& streams, const Stream& stream, uint32_t ordinal,
                            const Shard& shard) {
    if (shard.last != 0) {
      auto after =
          streams.iterator(stream, ordinal, IteratorType::kAfterSequenceNumber, shard.last, 0);
      // Only what had been read is trimmed.
      if (after || after.error().code != ErrorCode::kTrimmedDataAccess) return after;
    }
    return streams.iterator(stream, ordinal, IteratorType::kTrimHorizon, 0, 0);
  }

  void read(Streams& streams, const Stream& stream, uint32_t ordinal, Shard& shard) {
    if (shard.iterator.empty()) {
      auto begun = place(streams, stream, ordinal, shard);
      if (!begun) return gone(begun.error(), shard);
      shard.iterator = *begun;
    }
    std::string page;
    auto answer = streams.read(shard.iterator, 1 + random_() % 20, page);
    if (!answer) return gone(answer.error(), shard);
    for (const SeenRecord& record : parse_records(page)) {
      ASSERT_GT(record.lsn, shard.last);
      shard.last = record.lsn;
      const int expected = ++seen_[record.key];
      ASSERT_EQ(record.value, std::to_string(expected)) << record.key << " in shard " << ordinal;
      ++records_;
    }
    shard.iterator = answer->next.value_or("");
    shard.drained = !answer->next;
  }

  // A shard that shows nothing any more has been read; an iterator that is too old is asked for
  // anew.
  void gone(const Error& error, Shard& shard) {
    shard.iterator.clear();
    if (error.code == ErrorCode::kResourceNotFound) {
      shard.drained = true;
    } else {
      ASSERT_EQ(error.code, ErrorCode::kExpiredIterator) << error.message;
    }
  }

  std::mt19937_64 random_;
  std::map<uint32_t, Shard> shards_;
  std::map<std::string, int> seen_;
  size_t records_ = 0;
};

class Play {
 public:
  explicit Play(uint64_t seed) : random_(seed) {
    node_.shards = 1 + static_cast<uint32_t>(random_() % 4);
    node_.create_table("t", StreamViewType::kNewImage);
    arn_ = node_.streams().arn(node_.stream_of("t"));
    for (int i = 0; i < kConsumers; ++i) consumers_.emplace_back(random_());
  }

  void phase() {
    std::atomic<bool> writing = true;
    std::vector<std::thread> threads;
    for (Consumer& consumer : consumers_) {
      threads.emplace_back([&] {
        while (writing && !testing::Test::HasFailure()) consumer.step(node_.streams(), arn_);
      });
    }
    for (int i = 0; i < kSteps; ++i) step();
    writing = false;
    for (std::thread& thread : threads) thread.join();
    for (Consumer& consumer : consumers_) drain(consumer);
  }

  // Everything has been read, so anything may be taken away.
  void between() {
    switch (random_() % 6) {
      case 0:
        node_.restart();
        break;
      case 1:
        EXPECT_TRUE(node_.change("t", TrimStream{std::nullopt}));
        break;
      case 2:
        node_.clock.advance(kHourMs);  // iterators expire
        break;
      case 3:
        node_.clock.advance(25 * kHourMs);  // nothing that was is shown
        break;
      case 4:
        for (Consumer& consumer : consumers_) consumer.forget_iterators();
        break;
      default:
        node_.step_index();
    }
  }

  size_t changes() const { return changes_; }
  size_t lineage_changes() const { return lineage_changes_; }

 private:
  void step() {
    node_.clock.advance(static_cast<int64_t>(random_() % 50));
    if (random_() % 10 != 0) {
      const std::string key = "k" + std::to_string(random_() % kKeys);
      node_.put("t", key, std::to_string(++values_[key]));
      ++changes_;
      return;
    }
    std::vector<uint32_t> open;
    for (const ShardDefinition& shard : node_.stream_of("t").definition().shards) {
      if (!shard.closed_at) open.push_back(shard.name.ordinal);
    }
    const uint32_t one = open[random_() % open.size()], other = open[random_() % open.size()];
    LineageChange change = RollOver{};
    switch (random_() % 5) {
      case 0:
      case 1:
        change = SplitShard{one, random_() % 2 ? std::optional<uint64_t>(random_()) : std::nullopt};
        break;
      case 2:
      case 3:
        change = MergeShards{one, other};
        break;
      default:
        if (random_() % 2) change = RollOver{{one}};
    }
    // Many are refused: no neighbours, or changes that are still shown.
    if (node_.change("t", std::move(change))) ++lineage_changes_;
  }

  void drain(Consumer& consumer) {
    for (int i = 0; i < 200'000 && consumer.records() < changes_; ++i) {
      consumer.step(node_.streams(), arn_);
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_EQ(consumer.records(), changes_);
    // And nothing behind it.
    for (int i = 0; i < 100; ++i) consumer.step(node_.streams(), arn_);
    ASSERT_EQ(consumer.records(), changes_);
  }

  std::mt19937_64 random_;
  StreamNode node_{16 << 10};
  std::string arn_;
  std::vector<Consumer> consumers_;
  std::map<std::string, int> values_;
  size_t changes_ = 0, lineage_changes_ = 0;
};

TEST(LineageConsumer, ReadsEveryChangeOnceAndInOrderPerItem) {
  const uint64_t first = setting("MILLRACE_FIRST_SEED", 1);
  const uint64_t seeds = setting("MILLRACE_SEEDS", 3);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Play run(seed);
    for (int phase = 0; phase < kPhases && !testing::Test::HasFailure(); ++phase) {
      run.phase();
      run.between();
    }
    if (testing::Test::HasFailure()) {
      std::fprintf(stderr, "failed with seed %llu\n", static_cast<unsigned long long>(seed));
      return;
    }
    EXPECT_GT(run.changes(), 500u);
    EXPECT_GT(run.lineage_changes(), 10u);
  }
}

}  // namespace
}  // namespace millrace::streams
