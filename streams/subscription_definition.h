#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/value.h"

namespace millrace::streams {

/// What a named subscription is (README.md). Fixed when it is created.
struct SubscriptionDefinition {
  static constexpr uint32_t kShardsMax = 64;
  static constexpr size_t kNameBytesMax = 128;
  static constexpr size_t kTablesMax = 100;

  std::string name;
  std::vector<std::string> tables;  // sorted, each once; empty: all user tables
  uint32_t shards = 4;
  std::string filter;  // an EventFilter's pattern; empty: every change
  int64_t created_ms = 0;

  /// Whether both give the same changes in the same shards.
  bool same_as(const SubscriptionDefinition& other) const {
    return name == other.name && tables == other.tables && shards == other.shards &&
           filter == other.filter;
  }
};

/// kValidation, with what is wrong and what would be right.
Status check_definition(const SubscriptionDefinition& definition);

/// The store key and item of a definition, and back. Persisted.
std::string subscription_key(std::string_view name);
std::string encode_definition(const SubscriptionDefinition& definition);
Result<SubscriptionDefinition> decode_definition(ItemView item);

/// The name of the checkpoint of a subscription's shard. Persisted.
std::string shard_checkpoint_name(std::string_view subscription, uint32_t shard);

}  // namespace millrace::streams
