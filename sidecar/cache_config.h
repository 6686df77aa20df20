#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "cache/table_policy.h"
#include "core/base/result.h"

namespace YAML {
class Node;
}

namespace millrace::sidecar {

class ConfigReader;

/// `cache` of the configuration.
struct CacheConfig {
  size_t bytes = 64u << 20;        // of the item cache; 0: none
  size_t query_bytes = 64u << 20;  // of the query cache; 0: none
  /// Whether hits show the capacity that they would have consumed, as DynamoDB does, or none, as
  /// DAX does.
  bool capacity_of_hits = true;
  bool warm_restart = true;  // what the item cache held is read again after a restart
  /// Of the reads, at random: their hits are held against the store. 0: none.
  double verify = 1e-4;
  cache::TablePolicy policy;
  std::map<std::string, cache::TablePolicy> tables;  // those with a policy of their own
};

/// Reads the mapping under `cache`.
Status read_cache(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                  CacheConfig& config);

}  // namespace millrace::sidecar
