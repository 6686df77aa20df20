#include "sidecar/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>

#include "sidecar/subscription_status.h"

namespace millrace::sidecar {
namespace {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily family(const std::string& name, const std::string& help,
                                prometheus::MetricType type) {
  return {name, help, type, {}};
}

void add_value(prometheus::MetricFamily& family, double value, Labels labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

template <typename Number>
void add(Families& families, const std::string& name, const std::string& help,
         prometheus::MetricType type, Number value) {
  families.push_back(family(name, help, type));
  add_value(families.back(), static_cast<double>(value));
}

constexpr auto kCounter = prometheus::MetricType::Counter;
constexpr auto kGauge = prometheus::MetricType::Gauge;

void collect_engine(Engine& engine, const NewestEntry& newest, Families& families) {
  Engine::Statistics statistics = engine.statistics();
  add(families, "millrace_commit_batches_total", "Flushes of the change log.", kCounter,
      statistics.batches);
  add(families, "millrace_commit_commands_total", "Commands evaluated.", kCounter,
      statistics.commands);
  add(families, "millrace_changes_total", "Changes made durable.", kCounter, statistics.changes);
  add(families, "millrace_log_bytes_total", "Bytes appended to the change log.", kCounter,
      statistics.log_bytes);
  add(families, "millrace_commit_queue_bytes", "Commands that wait for the committer.", kGauge,
      statistics.queue_bytes);
  add(families, "millrace_memory_table_bytes", "Changes not yet written to the tables.", kGauge,
      statistics.memory_table_bytes);
  add(families, "millrace_durable_lsn", "The last durable change.", kGauge, newest.lsn());
  add(families, "millrace_checkpoint_lsn", "Up to here the tables need no log.", kGauge,
      statistics.checkpoint_lsn);
  add(families, "millrace_disk_used_bytes", "Files of the data folder.", kGauge,
      statistics.disk.used_bytes);
  add(families, "millrace_disk_budget_bytes", "What the data folder may take.", kGauge,
      statistics.disk.budget_bytes);
  add(families, "millrace_disk_reserve_bytes",
      "With less room than this writes that grow are throttled.", kGauge,
      statistics.disk.reserve_bytes);
  add(families, "millrace_disk_level",
      "0: there is room; 1: writes that grow are throttled; 2: all writes are.", kGauge,
      static_cast<int>(statistics.disk_level));
  add(families, "millrace_healthy", "0: the log has stopped, or maintenance of the tables fails.",
      kGauge, engine.health() ? 1 : 0);
  uint64_t retained = 0;
  for (const SegmentInfo& segment : engine.log().segments()) retained += segment.bytes;
  add(families, "millrace_log_retained_bytes", "Segments of the change log on disk.", kGauge,
      retained);
  const RewriteStatistics rewritten = engine.log().rewrite_statistics();
  add(families, "millrace_log_rewritten_segments_total",
      "Segments rewritten without what nobody needs.", kCounter, rewritten.segments);
  add(families, "millrace_log_rewritten_bytes_before_total", "Their bytes before.", kCounter,
      rewritten.bytes_before);
  add(families, "millrace_log_rewritten_bytes_after_total", "Their bytes after.", kCounter,
      rewritten.bytes_after);
}

/// By the names that DAX has for them: a read that the cache was asked for is one or the other.
template <typename Counts>
void add_hits(const std::string& name, const std::string& reads, const Counts& counts,
              Families& families) {
  add(families, name + "CacheHits", reads + " that the cache answered.", kCounter, counts.hits);
  add(families, name + "CacheMisses", reads + " that read the store instead.", kCounter,
      counts.misses + counts.bypasses);
}

/// What each table has in a cache, whose metrics begin with `prefix`.
void collect_shares(const std::string& prefix, const cache::TableShares& shares,
                    const Catalog& catalog, Families& families) {
  auto entries = family(prefix + "_table_entries", "Entries of the cache by table.", kGauge);
  auto bytes = family(prefix + "_table_bytes", "Memory of the cache's entries by table.", kGauge);
  // What a deleted table has left behind goes with time.
  for (const TablePtr& table : catalog.tables()) {
    const auto share = shares.find(table->generation);
    if (share == shares.end()) continue;
    add_value(entries, static_cast<double>(share->second.entries), {{"table", table->name}});
    add_value(bytes, static_cast<double>(share->second.bytes), {{"table", table->name}});
  }
  families.push_back(std::move(entries));
  families.push_back(std::move(bytes));
}

void collect_cache(const cache::ItemCache& cache, const Catalog& catalog, Families& families) {
  cache::ItemCacheStatistics statistics = cache.statistics();
  auto reads = family("millrace_cache_reads_total",
                      "Reads by what the item cache did with them; one that waits is counted again "
                      "when it goes on.",
                      kCounter);
  add_value(reads, static_cast<double>(statistics.hits), {{"outcome", "hit"}});
  add_value(reads, static_cast<double>(statistics.misses), {{"outcome", "miss"}});
  add_value(reads, static_cast<double>(statistics.waits), {{"outcome", "wait"}});
  add_value(reads, static_cast<double>(statistics.bypasses), {{"outcome", "bypass"}});
  families.push_back(std::move(reads));
  add_hits("Item", "Reads of an item", statistics, families);
  add(families, "millrace_cache_fills_total", "Entries put in by reads.", kCounter,
      statistics.fills);
  add(families, "millrace_cache_fills_refused_total",
      "Items too large, or out of date when they were read.", kCounter, statistics.fills_refused);
  add(families, "millrace_cache_writes_total", "Changes of cached tables that it was told of.",
      kCounter, statistics.writes);
  add(families, "millrace_cache_evictions_total", "Entries that left for lack of room.", kCounter,
      statistics.evictions);
  add(families, "millrace_cache_evicted_bytes_total",
      "Memory of entries that left for lack of room.", kCounter, statistics.evicted_bytes);
  add(families, "millrace_cache_expirations_total", "Entries that left for their age.", kCounter,
      statistics.expirations);
  add(families, "millrace_cache_stale_answers_total",
      "Answers by entries past their time to live, since the store could not be read.", kCounter,
      statistics.stale_answers);
  add(families, "millrace_cache_entries", "Entries in the item cache.", kGauge, statistics.entries);
  add(families, "millrace_cache_bytes", "Memory of the item cache.", kGauge, statistics.bytes);
  add(families, "millrace_cache_bytes_max", "Limit of millrace_cache_bytes.", kGauge,
      cache.bytes_max());
  collect_shares("millrace_cache", cache.table_shares(), catalog, families);
}

void collect_cache_warmer(const CacheWarmer& warmer, Families& families) {
  const cache::WarmRestart::Progress progress = warmer.progress();
  add(families, "millrace_cache_warmed",
      "1 once the last run's hot set has been gone through, or there was none that is sound.",
      kGauge, progress.done ? 1 : 0);
  add(families, "millrace_cache_warm_keys_total", "Keys of the last run's hot set seen so far.",
      kCounter, progress.keys);
  add(families, "millrace_cache_warm_fills_total",
      "Items of the last run's hot set read from the store.", kCounter, progress.filled);
  add(families, "millrace_cache_warm_unread_total",
      "Items of the last run's hot set that could not be read.", kCounter, progress.unread);
}

void collect_query_cache(const cache::QueryCache& cache, const Catalog& catalog,
                         Families& families) {
  cache::QueryCacheStatistics statistics = cache.statistics();
  auto reads = family("millrace_query_cache_reads_total",
                      "Reads by what the query cache did with them; one that waits is counted "
                      "again when it goes on.",
                      kCounter);
  for (const auto& [operation, counts] :
       {std::pair("Query", statistics.queries), std::pair("Scan", statistics.scans)}) {
    for (const auto& [outcome, count] :
         {std::pair("hit", counts.hits), std::pair("miss", counts.misses),
          std::pair("wait", counts.waits), std::pair("bypass", counts.bypasses)}) {
      add_value(reads, static_cast<double>(count),
                {{"operation", operation}, {"outcome", outcome}});
    }
  }
  families.push_back(std::move(reads));
  add_hits("Query", "Queries", statistics.queries, families);
  add_hits("Scan", "Scans", statistics.scans, families);
  add(families, "millrace_query_cache_fills_total", "Pages put in by reads.", kCounter,
      statistics.fills);
  add(families, "millrace_query_cache_fills_refused_total",
      "Pages too large, or out of date when they were read.", kCounter, statistics.fills_refused);
  add(families, "millrace_query_cache_voids_total",
      "Pages found void because what they cover had changed.", kCounter, statistics.voids);
  add(families, "millrace_query_cache_evictions_total", "Pages that left for lack of room.",
      kCounter, statistics.evictions);
  add(families, "millrace_query_cache_evicted_bytes_total",
      "Memory of pages that left for lack of room.", kCounter, statistics.evicted_bytes);
  add(families, "millrace_query_cache_expirations_total", "Pages that left for their age.",
      kCounter, statistics.expirations);
  add(families, "millrace_query_cache_entries", "Pages in the query cache.", kGauge,
      statistics.entries);
  add(families, "millrace_query_cache_bytes", "Memory of the query cache.", kGauge,
      statistics.bytes);
  add(families, "millrace_query_cache_bytes_max", "Limit of millrace_query_cache_bytes.", kGauge,
      cache.bytes_max());
  collect_shares("millrace_query_cache", cache.table_shares(), catalog, families);
}

void collect_connectors(const MetricsSources& sources, Families& families) {
  if (sources.connectors.empty()) return;
  auto lag_seconds =
      family("millrace_connector_lag_seconds",
             "Time of the newest durable entry less that of the last delivered one.", kGauge);
  auto lag_records =
      family("millrace_connector_lag_records",
             "LSNs between the newest durable entry and the last delivered one.", kGauge);
  auto in_flight = family("millrace_connector_in_flight_records",
                          "Handed over and not yet acknowledged.", kGauge);
  auto up = family("millrace_connector_up",
                   "1: it delivers; 0: it is trying again after a failure, or has ended.", kGauge);
  auto delivered =
      family("millrace_connector_delivered_total", "Records acknowledged without a gap.", kCounter);
  auto retried = family("millrace_connector_retried_total", "Records handed over again.", kCounter);
  auto failures = family("millrace_connector_failures_total",
                         "Failures after which delivery began again.", kCounter);
  for (const auto& connector : sources.connectors) {
    connectors::Pump::Metrics metrics =
        connector->metrics(sources.newest.lsn(), sources.newest.time_ms());
    Labels labels = {{"connector", connector->name()}};
    add_value(lag_seconds, metrics.lag_seconds, labels);
    add_value(lag_records, static_cast<double>(metrics.lag_records), labels);
    add_value(in_flight, static_cast<double>(metrics.records_in_flight), labels);
    add_value(up, metrics.failing || metrics.ended ? 0 : 1, labels);
    add_value(delivered, static_cast<double>(metrics.delivered), labels);
    add_value(retried, static_cast<double>(metrics.retried), labels);
    add_value(failures, static_cast<double>(metrics.failures), labels);
  }
  for (auto* each : {&lag_seconds, &lag_records, &in_flight, &up, &delivered, &retried, &failures})
    families.push_back(std::move(*each));
}

void collect_subscriptions(const MetricsSources& sources, Families& families) {
  const auto groups = sources.subscriptions.all();
  if (groups.empty()) return;
  auto lag_seconds =
      family("millrace_subscription_lag_seconds",
             "Time of the newest durable entry less that of the last acknowledged one.", kGauge);
  auto lag_records =
      family("millrace_subscription_lag_records",
             "LSNs between the newest durable entry and the last acknowledged one.", kGauge);
  auto members = family("millrace_subscription_members", "Members with a session.", kGauge);
  auto unacknowledged = family("millrace_subscription_unacknowledged_records",
                               "Handed out and not yet acknowledged.", kGauge);
  auto delivered = family("millrace_subscription_delivered_total",
                          "Records handed out, repeats included.", kCounter);
  auto acknowledged =
      family("millrace_subscription_acknowledged_total", "Records acknowledged.", kCounter);
  auto gaps = family("millrace_subscription_gaps_total",
                     "Times that a shard went on behind changes the log had lost.", kCounter);
  for (const auto& group : groups) {
    const streams::GroupStatus status = group->status();
    const GroupTotals totals = totals_of(status, sources.newest);
    const Labels labels = {{"subscription", group->definition().name}};
    add_value(lag_seconds, totals.lag.seconds, labels);
    add_value(lag_records, static_cast<double>(totals.lag.records), labels);
    add_value(members, static_cast<double>(status.members.size()), labels);
    add_value(unacknowledged, static_cast<double>(totals.records_unacknowledged), labels);
    add_value(delivered, static_cast<double>(status.delivered), labels);
    add_value(acknowledged, static_cast<double>(status.acknowledged), labels);
    add_value(gaps, static_cast<double>(totals.gaps), labels);
  }
  for (auto* each :
       {&lag_seconds, &lag_records, &members, &unacknowledged, &delivered, &acknowledged, &gaps})
    families.push_back(std::move(*each));
}

}  // namespace

std::string metrics_page(const MetricsSources& sources) {
  Families families;
  sources.requests.collect(families);
  collect_engine(sources.engine, sources.newest, families);
  if (sources.cache != nullptr) collect_cache(*sources.cache, sources.catalog, families);
  if (sources.query_cache != nullptr)
    collect_query_cache(*sources.query_cache, sources.catalog, families);
  if (sources.cache_warmer) collect_cache_warmer(*sources.cache_warmer, families);
  if (sources.hit_verifier != nullptr) sources.hit_verifier->collect(families);
  collect_connectors(sources, families);
  collect_subscriptions(sources, families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace millrace::sidecar
