// Hit ratios of the cache's eviction policy beside LRU and SIEVE, in objects of one size.
//
//   cache_hit_ratio [--trace FILE.csv] [--requests N] [--objects N]
//
// Exit status 1 if the chosen policy is anywhere below LRU.
//
// FILE.csv: a block trace, the block number in the last column. Zipf traces are made from fixed
// seeds.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cache/s3_fifo.h"
#include "policies.h"
#include "traces.h"

namespace millrace::cache {
namespace {

template <class Policy>
double hit_percent(const Trace& trace, size_t capacity, Policy policy) {
  std::unordered_map<uint64_t, SimulatedEntry> entries;  // nodes do not move
  size_t hits = 0;
  for (uint64_t object : trace.requests) {
    auto [it, missed] = entries.try_emplace(object);
    if (!missed) {
      ++hits;
      policy.use(it->second);
      continue;
    }
    it->second.object = object;
    policy.insert(it->second, /*by_read=*/true);
    while (policy.count() > capacity) entries.erase(policy.evict()->object);
  }
  return 100.0 * static_cast<double>(hits) / static_cast<double>(trace.requests.size());
}

struct Candidate {
  const char* name;
  std::function<double(const Trace&, size_t)> run;
};

Candidate s3_fifo(const char* name, S3FifoOptions options) {
  return {name, [options](const Trace& trace, size_t capacity) {
            return hit_percent(trace, capacity, S3Fifo<SimulatedEntry>(capacity, options));
          }};
}

std::vector<Candidate> candidates() {
  return {
      {"LRU", [](const Trace& t, size_t n) { return hit_percent(t, n, Lru(n)); }},
      {"SIEVE", [](const Trace& t, size_t n) { return hit_percent(t, n, Sieve(n)); }},
      s3_fifo("10%/2", {.small_share = 0.10, .uses_to_stay = 2}),
      s3_fifo("10%/1", {.small_share = 0.10, .uses_to_stay = 1}),
      s3_fifo("2%/1", {.small_share = 0.02, .uses_to_stay = 1}),
      s3_fifo("chosen", {}),
  };
}

/// Returns the least gain of the last candidate, ours.
double print_table(const std::vector<Trace>& traces) {
  const std::vector<Candidate> columns = candidates();
  std::vector<double> gain(columns.size()), least(columns.size(), 100);
  size_t rows = 0;
  std::printf("%-24s%6s", "hit ratio, %", "size");
  for (const Candidate& column : columns) std::printf("%8s", column.name);
  std::printf("\n");
  for (const Trace& trace : traces) {
    for (size_t percent : {1, 5, 10}) {
      std::printf("%-24s%5zu%%", trace.name.c_str(), percent);
      double lru = 0;
      for (size_t i = 0; i < columns.size(); ++i) {
        const double ratio =
            columns[i].run(trace, std::max<size_t>(2, trace.objects * percent / 100));
        if (i == 0) lru = ratio;
        gain[i] += ratio - lru;
        least[i] = std::min(least[i], ratio - lru);
        std::printf("%8.2f", ratio);
      }
      ++rows;
      std::printf("\n");
    }
  }
  std::printf("%-30s", "mean gain over LRU");
  for (double g : gain) std::printf("%+8.2f", g / static_cast<double>(rows));
  std::printf("\n%-30s", "least gain over LRU");
  for (double l : least) std::printf("%+8.2f", l);
  std::printf("\n");
  return least.back();
}

}  // namespace
}  // namespace millrace::cache

int main(int argc, char** argv) {
  using namespace millrace::cache;
  std::vector<Trace> traces;
  ZipfOptions zipf;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (i + 1 < argc && flag == "--trace") {
      auto trace = read_block_trace(argv[i + 1]);
      if (!trace) {
        std::fprintf(stderr, "%s\n", trace.error().message.c_str());
        return 1;
      }
      traces.push_back(std::move(*trace));
    } else if (i + 1 < argc && flag == "--requests") {
      zipf.requests = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (i + 1 < argc && flag == "--objects") {
      zipf.objects = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: %s [--trace FILE.csv] [--requests N] [--objects N]\n", argv[0]);
      return 2;
    }
  }
  for (double exponent : {0.9, 1.0}) {
    for (double scan_share : {0.0, 0.1, 0.3}) {
      zipf.exponent = exponent;
      zipf.scan_share = scan_share;
      traces.push_back(zipf_trace(zipf));
    }
  }
  if (print_table(traces) >= 0) return 0;
  std::fprintf(stderr, "the chosen policy is below LRU\n");
  return 1;
}
