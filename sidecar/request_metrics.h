#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "core/ops/operation.h"

namespace prometheus {
struct MetricFamily;
}

namespace millrace::sidecar {

/// Counts answers and their latency by operation and status. Each network thread counts in memory
/// of its own, so that counting costs a few nanoseconds; reading sums up.
class RequestMetrics final : public RequestObserver {
 public:
  /// `operations` is complete and outlives this.
  RequestMetrics(const OperationTable& operations, size_t threads);

  void on_answer(const Operation& operation, int status, int64_t elapsed_ns) override;
  /// Counts, and writes the log line.
  void on_damage(const Error& error) override;

  /// Appends millrace_requests_total, millrace_request_duration_seconds and
  /// millrace_damaged_reads_total. Operations that were
  /// never asked for are left out.
  void collect(std::vector<prometheus::MetricFamily>& families) const;

 private:
  static constexpr std::array<const char*, 4> kStatuses = {"200", "400", "500", "other"};
  /// Upper bounds in microseconds; a further bucket takes what is slower.
  static constexpr std::array<int64_t, 16> kBoundsUs = {
      25,   50,    100,   200,   400,    800,    1600,    3200,
      6400, 12800, 25600, 51200, 102400, 409600, 1638400, 6553600};

  /// What one thread saw of one operation.
  struct Counts {
    std::array<std::atomic<uint64_t>, kStatuses.size()> by_status{};
    std::array<std::atomic<uint64_t>, kBoundsUs.size() + 1> by_duration{};
    std::atomic<uint64_t> duration_ns{0};
  };
  struct ThreadCounts {
    std::unique_ptr<Counts[]> by_operation;
  };
  struct Totals {
    std::array<uint64_t, kStatuses.size()> by_status{};
    std::array<uint64_t, kBoundsUs.size() + 1> by_duration{};
    uint64_t duration_ns = 0;
    uint64_t answers = 0;
  };
  Totals totals(size_t operation) const;

  const OperationTable& operations_;
  /// By thread; the first: all that are no network threads.
  std::vector<ThreadCounts> counts_;
  std::atomic<uint64_t> damaged_reads_{0};
};

}  // namespace millrace::sidecar
