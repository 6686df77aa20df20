#include "sidecar/request_metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <string>

#include "sidecar/event_log.h"

namespace millrace::sidecar {

RequestMetrics::RequestMetrics(const OperationTable& operations, size_t threads)
    : operations_(operations), counts_(threads + 1) {
  for (ThreadCounts& thread : counts_)
    thread.by_operation = std::make_unique<Counts[]>(operations.all().size());
}

void RequestMetrics::on_answer(const Operation& operation, int status, int64_t elapsed_ns) {
  const size_t index = static_cast<size_t>(IoThreads::current() + 1);
  ThreadCounts& thread = counts_[index < counts_.size() ? index : 0];
  Counts& counts = thread.by_operation[operation.index];
  size_t status_index = 3;
  if (status == 200) status_index = 0;
  if (status == 400) status_index = 1;
  if (status == 500) status_index = 2;
  int64_t elapsed_us = elapsed_ns / 1000;
  size_t bucket = static_cast<size_t>(
      std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), elapsed_us) - kBoundsUs.begin());
  counts.by_status[status_index].fetch_add(1, std::memory_order_relaxed);
  counts.by_duration[bucket].fetch_add(1, std::memory_order_relaxed);
  counts.duration_ns.fetch_add(static_cast<uint64_t>(elapsed_ns), std::memory_order_relaxed);
}

void RequestMetrics::on_damage(const Error& error) {
  const uint64_t count = damaged_reads_.fetch_add(1, std::memory_order_relaxed) + 1;
  // The first, the second, the fourth and so on: one damaged block that is asked for all the time
  // must not fill the log.
  if ((count & (count - 1)) != 0) return;
  log_event(Severity::kError, "damage",
            {{"message", error.message}, {"reads", std::to_string(count)}});
}

RequestMetrics::Totals RequestMetrics::totals(size_t operation) const {
  Totals sum;
  for (const ThreadCounts& thread : counts_) {
    const Counts& counts = thread.by_operation[operation];
    for (size_t i = 0; i < counts.by_status.size(); ++i)
      sum.by_status[i] += counts.by_status[i].load(std::memory_order_relaxed);
    for (size_t i = 0; i < counts.by_duration.size(); ++i)
      sum.by_duration[i] += counts.by_duration[i].load(std::memory_order_relaxed);
    sum.duration_ns += counts.duration_ns.load(std::memory_order_relaxed);
  }
  for (uint64_t answers : sum.by_duration) sum.answers += answers;
  return sum;
}

void RequestMetrics::collect(std::vector<prometheus::MetricFamily>& families) const {
  prometheus::MetricFamily requests{"millrace_requests_total",
                                    "Answers by operation and HTTP status.",
                                    prometheus::MetricType::Counter,
                                    {}};
  prometheus::MetricFamily durations{"millrace_request_duration_seconds",
                                     "From a parsed request to its answer.",
                                     prometheus::MetricType::Histogram,
                                     {}};
  for (const auto& operation : operations_.all()) {
    Totals sum = totals(operation->index);
    if (sum.answers == 0) continue;
    for (size_t i = 0; i < kStatuses.size(); ++i) {
      if (sum.by_status[i] == 0) continue;
      prometheus::ClientMetric metric;
      metric.label = {{"operation", operation->name}, {"status", kStatuses[i]}};
      metric.counter.value = static_cast<double>(sum.by_status[i]);
      requests.metric.push_back(std::move(metric));
    }
    prometheus::ClientMetric metric;
    metric.label = {{"operation", operation->name}};
    metric.histogram.sample_count = sum.answers;
    metric.histogram.sample_sum = static_cast<double>(sum.duration_ns) * 1e-9;
    uint64_t below = 0;
    for (size_t i = 0; i < kBoundsUs.size(); ++i) {
      below += sum.by_duration[i];
      metric.histogram.bucket.push_back({below, static_cast<double>(kBoundsUs[i]) * 1e-6});
    }
    durations.metric.push_back(std::move(metric));
  }
  families.push_back(std::move(requests));
  families.push_back(std::move(durations));
  prometheus::MetricFamily damaged{"millrace_damaged_reads_total",
                                   "Requests that met damage.",
                                   prometheus::MetricType::Counter,
                                   {}};
  prometheus::ClientMetric metric;
  metric.counter.value = static_cast<double>(damaged_reads_.load(std::memory_order_relaxed));
  damaged.metric.push_back(std::move(metric));
  families.push_back(std::move(damaged));
}

}  // namespace millrace::sidecar
