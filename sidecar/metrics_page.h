#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/item_cache.h"
#include "cache/query_cache.h"
#include "core/store/engine.h"
#include "sidecar/cache_warmer.h"
#include "sidecar/connector_runner.h"
#include "sidecar/hit_verifier.h"
#include "sidecar/log_keeper.h"
#include "sidecar/request_metrics.h"
#include "streams/subscriptions.h"

namespace millrace::sidecar {

/// What GET /metrics shows.
struct MetricsSources {
  const RequestMetrics& requests;
  Engine& engine;
  const Catalog& catalog;
  const cache::ItemCache* cache;                   // none: off
  const cache::QueryCache* query_cache;            // none: off
  const HitVerifier* hit_verifier;                 // none: off
  const std::optional<CacheWarmer>& cache_warmer;  // none: off
  const NewestEntry& newest;
  const std::vector<std::unique_ptr<ConnectorRunner>>& connectors;
  const streams::Subscriptions& subscriptions;
};

/// The page in Prometheus' text format.
std::string metrics_page(const MetricsSources& sources);

}  // namespace millrace::sidecar
