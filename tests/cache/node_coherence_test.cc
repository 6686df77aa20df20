// A real node and its caches under clients that read in every way: no answer differs from what the
// log says of its LSN, and no LSN is below one that was told before the read began. MILLRACE_SEEDS
// and MILLRACE_STEPS set the length, MILLRACE_FIRST_SEED the first seed; stepped runs are the same
// again.

#include "node_coherence.h"

#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::cache {
namespace {

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

/// One thread: what comes between the parts of a read, or before a frame's publication, is the
/// seed's choice.
void run_stepped(NodeCoherence& node, uint64_t seed, uint64_t steps) {
  Random random(seed);
  node.caches().set_gaps({
      .in_read =
          [&] {
            if (random.one_in(6)) node.write(random);
            if (random.one_in(6)) node.read_again();
            if (random.one_in(12)) node.read(random);
          },
      .before_publish =
          [&] {
            while (random.one_in(3)) node.read(random);
          },
  });
  for (uint64_t i = 0; i < steps && !node.failed(); ++i) {
    if (random.one_in(4)) {
      node.write(random);
    } else if (random.one_in(6)) {
      node.background(random);
      if (random.one_in(4)) node.caches().tell_late();
    } else if (random.one_in(300)) {
      node.change_definitions(random);
    } else {
      node.read(random);
    }
  }
  node.caches().set_gaps({});
}

/// Three readers, two writers and the background with a thread each; `steps` in all.
void run_threaded(NodeCoherence& node, uint64_t seed, uint64_t steps) {
  auto sometimes_yield = [] {
    static thread_local unsigned turn = 0;
    if (++turn % 3 == 0) std::this_thread::yield();
  };
  node.caches().set_gaps({.in_read = sometimes_yield, .before_publish = sometimes_yield});
  std::atomic<int> readers_left{3};
  std::vector<std::thread> threads;
  auto start = [&](uint64_t number, auto&& run) {
    threads.emplace_back(
        [&node, run, random = Random(seed * 100 + number)]() mutable { run(random); });
  };
  for (uint64_t n = 0; n < 3; ++n) {
    start(n, [&](Random& random) {
      for (uint64_t i = 0; i < steps / 4 && !node.failed(); ++i) node.read(random);
      --readers_left;
    });
  }
  for (uint64_t n = 3; n < 5; ++n) {
    start(n, [&](Random& random) {
      for (uint64_t i = 0; i < steps / 8 && !node.failed(); ++i) node.write(random);
    });
  }
  start(5, [&](Random& random) {
    while (readers_left > 0) {
      node.background(random);
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
}

TEST(NodeCoherence, EveryAnswerIsTheStoresInEveryInterleaving) {
  const uint64_t first = setting("MILLRACE_FIRST_SEED", 1);
  const uint64_t seeds = setting("MILLRACE_SEEDS", 12);
  ItemCacheStatistics items;
  QueryCacheStatistics pages;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    NodeCoherence node(seed, Fault::kNone);
    run_stepped(node, seed, setting("MILLRACE_STEPS", 5'000));
    ASSERT_EQ(node.error(), "") << "seed " << seed;
    EXPECT_GT(node.answers(), 1000u);
    const ItemCacheStatistics of_items = node.item_statistics();
    items.hits += of_items.hits;
    items.fills_refused += of_items.fills_refused;
    items.evictions += of_items.evictions;
    items.expirations += of_items.expirations;
    const QueryCacheStatistics of_pages = node.page_statistics();
    pages.queries.hits += of_pages.queries.hits;
    pages.queries.waits += of_pages.queries.waits;
    pages.scans.hits += of_pages.scans.hits;
    pages.voids += of_pages.voids;
    pages.fills_refused += of_pages.fills_refused;
    pages.evictions += of_pages.evictions;
    pages.expirations += of_pages.expirations;
  }
  // The runs have been where it is dangerous.
  const std::pair<const char*, uint64_t> counts[] = {
      {"hits of items", items.hits},
      {"fills of items refused", items.fills_refused},
      {"evictions of items", items.evictions},
      {"expirations of items", items.expirations},
      {"hits of queries", pages.queries.hits},
      {"waits of queries", pages.queries.waits},
      {"hits of scans", pages.scans.hits},
      {"voids of pages", pages.voids},
      {"fills of pages refused", pages.fills_refused},
      {"evictions of pages", pages.evictions},
      {"expirations of pages", pages.expirations},
  };
  for (const auto& [what, count] : counts) EXPECT_GT(count, 10u) << what;
}

TEST(NodeCoherence, EveryAnswerIsTheStoresWithThreads) {
  const uint64_t first = setting("MILLRACE_FIRST_SEED", 1);
  const uint64_t seeds = setting("MILLRACE_SEEDS", 8);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    NodeCoherence node(seed, Fault::kNone);
    run_threaded(node, seed, setting("MILLRACE_STEPS", 4'000));
    ASSERT_EQ(node.error(), "") << "seed " << seed;
  }
}

class NodeFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(NodeFaultTest, IsCaughtWithinTenSeeds) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    NodeCoherence node(seed, GetParam());
    run_stepped(node, seed, 5'000);
    if (node.failed()) return;
  }
  FAIL() << "not caught";
}

INSTANTIATE_TEST_SUITE_P(NodeCoherence, NodeFaultTest,
                         ::testing::Values(Fault::kLateItems, Fault::kLatePages,
                                           Fault::kUnguardedItemFill, Fault::kUnguardedPageFill,
                                           Fault::kUnpublishedItemHit, Fault::kUnpublishedPageHit,
                                           Fault::kIndexChangesNotTold, Fault::kFetchedNotCovered));

}  // namespace
}  // namespace millrace::cache
