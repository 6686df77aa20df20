#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/random.h"
#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace {

using millrace::sim::Failure;
using millrace::sim::Planted;
using millrace::sim::Simulation;

constexpr int kSteps = 3000;

bool run_seed(uint64_t seed, bool verbose) {
  try {
    Simulation simulation(seed);
    simulation.run(kSteps);
    if (verbose) {
      auto counts = simulation.counts();
      std::printf(
          "seed %llu: %llu writes, %llu changes, %llu reads, %llu hits of items, %llu of "
          "pages, %llu items warmed, %llu crashes, "
          "%llu writes refused, %llu reads damaged, %llu segments rewritten\n",
          static_cast<unsigned long long>(seed), static_cast<unsigned long long>(counts.writes),
          static_cast<unsigned long long>(counts.changes),
          static_cast<unsigned long long>(counts.reads),
          static_cast<unsigned long long>(counts.item_hits),
          static_cast<unsigned long long>(counts.page_hits),
          static_cast<unsigned long long>(counts.warmed),
          static_cast<unsigned long long>(counts.crashes),
          static_cast<unsigned long long>(counts.refused),
          static_cast<unsigned long long>(counts.damaged),
          static_cast<unsigned long long>(counts.rewritten));
    }
    return true;
  } catch (const Failure& failure) {
    std::printf("seed %llu FAILED: %s\n  again: millrace_sim --seed %llu\n",
                static_cast<unsigned long long>(seed), failure.what(),
                static_cast<unsigned long long>(seed));
    return false;
  }
}

// A check that cannot fail shows nothing: each planted fault must be found within a few seeds.
bool finds_planted(Planted planted, const char* name, uint64_t first) {
  for (uint64_t seed = first; seed < first + 10; ++seed) {
    try {
      Simulation(seed, planted).run(kSteps);
    } catch (const Failure& failure) {
      std::printf("planted fault '%s' is found: %s\n", name, failure.what());
      return true;
    }
  }
  std::printf("planted fault '%s' is NOT found from seed %llu on\n", name,
              static_cast<unsigned long long>(first));
  return false;
}

}  // namespace

/// millrace_sim [--seeds N] [--seed S]: N random seeds (100), or one seed again.
int main(int argc, char** argv) {
  uint64_t seeds = 100;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seed") == 0) {
      return run_seed(std::strtoull(argv[i + 1], nullptr, 10), true) ? 0 : 1;
    }
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = std::strtoull(argv[i + 1], nullptr, 10);
  }
  uint64_t first = millrace::random_seed() >> 16;
  std::printf("first seed %llu\n", static_cast<unsigned long long>(first));
  uint64_t failed = 0;
  if (!finds_planted(Planted::kUnsyncedLog, "unsynced log", first)) ++failed;
  if (!finds_planted(Planted::kStaleItems, "stale items", first)) ++failed;
  if (!finds_planted(Planted::kStalePages, "stale pages", first)) ++failed;
  if (!finds_planted(Planted::kEarlyAcks, "early acknowledgements", first)) ++failed;
  const uint64_t not_found = failed;
  for (uint64_t i = 0; i < seeds; ++i) {
    if (!run_seed(first + i, false)) ++failed;
    std::fflush(stdout);
  }
  std::printf("%llu seeds passed, %llu failed\n",
              static_cast<unsigned long long>(seeds - (failed - not_found)),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
