#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/random.h"
#include "core/ops/hit_checks.h"

namespace prometheus {
struct MetricFamily;
}

namespace millrace::sidecar {

/// Chooses a fraction of the reads at random, counts what became of their hits, and writes a log
/// line for hits that were wrong. Each network thread chooses by memory of its own.
class HitVerifier final : public HitChecks {
 public:
  /// `fraction`: above 0, at most 1. `threads`: network threads.
  HitVerifier(double fraction, size_t threads, Random random);

  bool chooses() override;
  void checked(const Result<bool>& equal, const CheckedHit& hit) override;

  /// Appends millrace_cache_checked_hits_total and millrace_cache_mismatch_ratio.
  void collect(std::vector<prometheus::MetricFamily>& families) const;

 private:
  enum Outcome : uint8_t { kEqual, kMismatch, kUnreadable, kOutcomes };
  enum Cache : uint8_t { kItems, kPages, kCaches };

  struct alignas(64) Thread {
    std::atomic<uint64_t> left{1};  // reads up to the next that is chosen, which included
    std::mutex mutex;
    std::unique_ptr<Random> random;
  };

  uint64_t gap(Random& random) const;
  static void tell(const CheckedHit& hit, uint64_t mismatches);

  const double fraction_;
  /// The first: all that are no network threads.
  std::vector<Thread> threads_;
  std::array<std::array<std::atomic<uint64_t>, kOutcomes>, kCaches> counts_{};
};

}  // namespace millrace::sidecar
