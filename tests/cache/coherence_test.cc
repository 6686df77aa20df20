// The cache beside a store that remembers every version: no answer differs from the store's at the
// answer's LSN, whatever the order in which commits, reads and late fills come. MILLRACE_SEEDS and
// MILLRACE_STEPS set the length; MILLRACE_FIRST_SEED with one seed replays a failure of the stepped
// runs exactly.

#include <atomic>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "coherence_model.h"

namespace millrace::cache {
namespace {

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

/// Sizes from "next to nothing fits" to "everything fits".
ItemCacheOptions options_for(uint64_t seed) {
  constexpr size_t kSizes[] = {1200, 2500, 6000, 1u << 20};
  return {.bytes_max = kSizes[seed % std::size(kSizes)],
          .policy = {.item_ttl_s = 20,
                     .negative_ttl_s = 10,
                     .stale_if_error_s = seed % 2 == 0 ? 60u : 0u,
                     .admission = seed % 5 == 0 ? Admission::kOnRead : Admission::kAll},
          .shards = seed % 3 == 0 ? 2u : 1u};
}

struct RunResult {
  std::string error;  // empty: coherent
  uint64_t answers = 0;
  ItemCacheStatistics statistics;
};

/// One thread, every interleaving chosen by the seed.
RunResult run_stepped(uint64_t seed, uint64_t steps, PlantedBug bug) {
  Random random(seed);
  ManualClock clock;
  ItemCache cache(options_for(seed), clock);
  CoherenceModel model(cache, bug);
  std::deque<CoherentClient> clients;
  for (int i = 0; i < 6; ++i) clients.emplace_back(model, cache, bug);
  enum class Commit : uint8_t { kNone, kFirstHalf } commit = Commit::kNone;
  const bool late = bug == PlantedBug::kLateInvalidation;
  FramePtr untold;

  RunResult result;
  for (uint64_t i = 0; i < steps && result.error.empty(); ++i) {
    if (random.one_in(200)) clock.advance_s(static_cast<int64_t>(random.below(15)));
    if (random.one_in(5000)) cache.clear();
    if (random.one_in(500)) cache.clear(model.key(random.below(CoherenceModel::kKeys)));
    if (random.one_in(4)) {
      if (commit == Commit::kNone) {
        model.stage(random);
        late ? (untold = model.frame(), model.publish()) : model.tell_cache();
        commit = Commit::kFirstHalf;
      } else {
        late ? cache.on_commit(untold) : model.publish();
        commit = Commit::kNone;
      }
      continue;
    }
    CoherentClient& client = clients[random.below(clients.size())];
    switch (client.step()) {
      case CoherentClient::Step::kIdle:
        client.begin(random);
        break;
      case CoherentClient::Step::kViewed:
        client.look();
        break;
      case CoherentClient::Step::kRead:
        client.read(random);
        break;
      case CoherentClient::Step::kFill:
        if (random.one_in(6)) client.fill(random);
        break;
      case CoherentClient::Step::kWaiting:
        if (client.resumed()) client.look();
        break;
    }
    result.error = client.error();
  }
  for (const CoherentClient& client : clients) result.answers += client.answers();
  result.statistics = cache.statistics();
  return result;
}

/// A committer and readers with a thread each.
RunResult run_threaded(uint64_t seed, uint64_t reads, PlantedBug bug) {
  ManualClock clock;
  ItemCache cache(options_for(seed), clock);
  CoherenceModel model(cache, bug);
  std::atomic<int> readers_left{3};
  std::vector<std::unique_ptr<CoherentClient>> clients;
  std::vector<std::thread> threads;
  for (uint64_t n = 0; n < 3; ++n) {
    clients.push_back(std::make_unique<CoherentClient>(model, cache, bug));
    threads.emplace_back([&, n, client = clients.back().get()] {
      Random random(seed * 100 + n);
      for (uint64_t i = 0; i < reads && client->error().empty(); ++i) {
        client->begin(random);
        while (client->step() != CoherentClient::Step::kIdle) {
          if (random.one_in(3)) std::this_thread::yield();
          if (client->step() == CoherentClient::Step::kViewed) {
            client->look();
          } else if (client->step() == CoherentClient::Step::kRead) {
            client->read(random);
          } else if (client->step() == CoherentClient::Step::kFill) {
            client->fill(random);
          } else {
            client->wait();
            client->look();
          }
        }
      }
      --readers_left;
    });
  }
  Random random(seed);
  while (readers_left > 0) {
    model.commit(random, [&] {
      if (random.one_in(3)) std::this_thread::yield();
    });
    if (random.one_in(300)) clock.advance_s(static_cast<int64_t>(random.below(15)));
    if (random.one_in(1000)) cache.clear();
    if (random.one_in(2)) std::this_thread::yield();
  }
  RunResult result;
  for (std::thread& thread : threads) thread.join();
  for (const auto& client : clients) {
    if (!client->error().empty()) result.error = client->error();
    result.answers += client->answers();
  }
  result.statistics = cache.statistics();
  return result;
}

TEST(Coherence, EveryAnswerIsTheStoresInEveryInterleaving) {
  const uint64_t first = setting("MILLRACE_FIRST_SEED", 1);
  const uint64_t seeds = setting("MILLRACE_SEEDS", 20);
  ItemCacheStatistics sum;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const RunResult result =
        run_stepped(seed, setting("MILLRACE_STEPS", 20'000), PlantedBug::kNone);
    EXPECT_EQ(result.error, "") << "seed " << seed;
    EXPECT_GT(result.answers, 100u) << "seed " << seed;
    sum.hits += result.statistics.hits;
    sum.waits += result.statistics.waits;
    sum.bypasses += result.statistics.bypasses;
    sum.fills += result.statistics.fills;
    sum.fills_refused += result.statistics.fills_refused;
    sum.evictions += result.statistics.evictions;
    sum.expirations += result.statistics.expirations;
    sum.stale_answers += result.statistics.stale_answers;
  }
  // The runs have been where it is dangerous.
  for (uint64_t count : {sum.hits, sum.waits, sum.bypasses, sum.fills, sum.fills_refused,
                         sum.evictions, sum.expirations}) {
    EXPECT_GT(count, 100u);
  }
  EXPECT_GT(sum.stale_answers, seeds);
}

TEST(Coherence, EveryAnswerIsTheStoresWithConcurrentReaders) {
  const uint64_t first = setting("MILLRACE_FIRST_SEED", 1);
  const uint64_t seeds = setting("MILLRACE_SEEDS", 8);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const RunResult result =
        run_threaded(seed, setting("MILLRACE_STEPS", 5'000), PlantedBug::kNone);
    EXPECT_EQ(result.error, "") << "seed " << seed;
  }
}

class PlantedBugTest : public ::testing::TestWithParam<PlantedBug> {};

TEST_P(PlantedBugTest, IsCaughtWithinTenSeeds) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const RunResult result = run_stepped(seed, 20'000, GetParam());
    if (!result.error.empty()) return;
  }
  FAIL() << "not caught";
}

INSTANTIATE_TEST_SUITE_P(Coherence, PlantedBugTest,
                         ::testing::Values(PlantedBug::kUnguardedFill,
                                           PlantedBug::kLateInvalidation,
                                           PlantedBug::kUnpublishedHit,
                                           PlantedBug::kForgottenRemoval));

}  // namespace
}  // namespace millrace::cache
