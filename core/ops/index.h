#pragma once

#include <string>
#include <vector>

#include "core/model/index_key.h"
#include "core/model/schema.h"
#include "core/ops/table_settings.h"

namespace millrace {

enum class IndexKind : uint8_t { kGlobal, kLocal };
enum class IndexProjection : uint8_t { kAll, kKeysOnly, kInclude };
/// kCreating: written by every change of its table, but not read before its backfill is done. The
/// last two are only shown, in the answer to the request that changed or removed the index.
enum class IndexStatus : uint8_t { kCreating, kActive, kUpdating, kDeleting };

/// Limits: developer guide, "Quotas in Amazon DynamoDB".
inline constexpr size_t kGlobalIndexesMax = 20;
inline constexpr size_t kLocalIndexesMax = 5;
inline constexpr size_t kProjectedAttributesMax = 100;

/// A secondary index of a table. Its entries are in the tables under its own generation; their
/// images are the items as far as they are projected.
struct Index {
  std::string name;
  IndexKind kind = IndexKind::kGlobal;
  Generation generation = 0;
  IndexKeySchema key;
  IndexProjection projection = IndexProjection::kAll;
  std::vector<std::string> non_key_attributes;  // of kInclude
  IndexStatus status = IndexStatus::kActive;
  bool backfilling = false;                 // kCreating: its backfill has begun
  int64_t read_units = 0, write_units = 0;  // kGlobal
  ThroughputSettings throughput;            // kGlobal
};

}  // namespace millrace
