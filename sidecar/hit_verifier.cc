#include "sidecar/hit_verifier.h"

#include <prometheus/metric_family.h>

#include <string>
#include <utility>

#include "core/net/io_threads.h"
#include "sidecar/event_log.h"
#include "streams/record.h"

namespace millrace::sidecar {

HitVerifier::HitVerifier(double fraction, size_t threads, Random random)
    : fraction_(fraction), threads_(threads + 1) {
  for (Thread& thread : threads_) {
    thread.random = std::make_unique<Random>(random.next());
    thread.left = gap(*thread.random);
  }
}

// Uniform around the mean: at gaps of one length, requests that alternate would be seen half.
uint64_t HitVerifier::gap(Random& random) const {
  return 1 + static_cast<uint64_t>(random.fraction() * (2 / fraction_ - 1));
}

bool HitVerifier::chooses() {
  const size_t index = static_cast<size_t>(IoThreads::current() + 1);
  Thread& thread = threads_[index < threads_.size() ? index : 0];
  const uint64_t left = thread.left.load(std::memory_order_relaxed);
  if (left > 1) {
    thread.left.store(left - 1, std::memory_order_relaxed);
    return false;
  }
  std::lock_guard lock(thread.mutex);
  thread.left.store(gap(*thread.random), std::memory_order_relaxed);
  return true;
}

void HitVerifier::checked(const Result<bool>& equal, const CheckedHit& hit) {
  const Outcome outcome = !equal ? kUnreadable : *equal ? kEqual : kMismatch;
  auto& counts = counts_[hit.key.empty() ? kPages : kItems];
  const uint64_t count = counts[outcome].fetch_add(1, std::memory_order_relaxed) + 1;
  // The first, the second, the fourth and so on: one wrong entry that is asked for all the time
  // must not fill the log.
  if (outcome == kMismatch && (count & (count - 1)) == 0) tell(hit, count);
}

void HitVerifier::tell(const CheckedHit& hit, uint64_t mismatches) {
  std::string key;
  if (!hit.key.empty()) streams::render_keys(hit.table, hit.key, key);
  log_event(Severity::kError, "cache-mismatch",
            {{"operation", std::string(hit.operation)},
             {"table", hit.table.name},
             {"index", std::string(hit.index)},
             {"key", key},
             {"lsn", std::to_string(hit.lsn)},
             {"mismatches", std::to_string(mismatches)}});
}

void HitVerifier::collect(std::vector<prometheus::MetricFamily>& families) const {
  prometheus::MetricFamily checked{"millrace_cache_checked_hits_total",
                                   "Hits that were held against the store as of the same LSN.",
                                   prometheus::MetricType::Counter,
                                   {}};
  constexpr std::array<const char*, kCaches> kCacheNames = {"item", "query"};
  constexpr std::array<const char*, kOutcomes> kOutcomeNames = {"equal", "mismatch", "unreadable"};
  std::array<double, kOutcomes> sums{};
  for (size_t cache = 0; cache < kCaches; ++cache) {
    for (size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      const auto count =
          static_cast<double>(counts_[cache][outcome].load(std::memory_order_relaxed));
      sums[outcome] += count;
      prometheus::ClientMetric metric;
      metric.label = {{"cache", kCacheNames[cache]}, {"outcome", kOutcomeNames[outcome]}};
      metric.counter.value = count;
      checked.metric.push_back(std::move(metric));
    }
  }
  families.push_back(std::move(checked));
  prometheus::MetricFamily ratio{
      "millrace_cache_mismatch_ratio",
      "Mismatches by checked hits, since the start; anything but 0 is an "
      "error of the cache.",
      prometheus::MetricType::Gauge,
      {}};
  const double compared = sums[kEqual] + sums[kMismatch];
  prometheus::ClientMetric metric;
  metric.gauge.value = compared == 0 ? 0 : sums[kMismatch] / compared;
  ratio.metric.push_back(std::move(metric));
  families.push_back(std::move(ratio));
}

}  // namespace millrace::sidecar
