#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/random.h"
#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace {

constexpr int kSteps = 3000;

bool run_seed(uint64_t seed, bool verbose) {
  try {
    millrace::sim::Simulation simulation(seed);
    simulation.run(kSteps);
    if (verbose) {
      auto counts = simulation.counts();
      std::printf("seed %llu: %llu writes, %llu changes, %llu reads, %llu hits, %llu crashes\n",
                  static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(counts.writes),
                  static_cast<unsigned long long>(counts.changes),
                  static_cast<unsigned long long>(counts.reads),
                  static_cast<unsigned long long>(counts.hits),
                  static_cast<unsigned long long>(counts.crashes));
    }
    return true;
  } catch (const millrace::sim::Failure& failure) {
    std::printf("seed %llu FAILED: %s\n  again: millrace_sim --seed %llu\n",
                static_cast<unsigned long long>(seed), failure.what(),
                static_cast<unsigned long long>(seed));
    return false;
  }
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
  for (uint64_t i = 0; i < seeds; ++i) {
    if (!run_seed(first + i, false)) ++failed;
    std::fflush(stdout);
  }
  std::printf("%llu seeds passed, %llu failed\n", static_cast<unsigned long long>(seeds - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
