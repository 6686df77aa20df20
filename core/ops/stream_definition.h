#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/store/lsn.h"

namespace millrace {

/// The four view types of a stream.
enum class StreamViewType : uint8_t { kKeysOnly, kNewImage, kOldImage, kNewAndOldImages };

/// A range of partition-key hashes, both ends included.
struct HashRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;
  bool contains(uint64_t hash) const { return first <= hash && hash <= last; }
  bool operator==(const HashRange&) const = default;
};

/// Range `index` of `count` equal ones.
HashRange equal_range(uint32_t index, uint32_t count);

/// What a shard's id is made of. Never reused within a stream; later shards have greater ordinals
/// and, but for those that the stream began with, later times.
struct ShardName {
  uint32_t ordinal = 0;
  int64_t created_ms = 0;
  bool operator==(const ShardName&) const = default;
};

/// One shard of a stream: the changes of its range with `opened_at < LSN <= closed_at`.
struct ShardDefinition {
  ShardName name;
  HashRange range;
  std::optional<ShardName> parent;  // the one that the API names; it may be forgotten already
  Lsn opened_at = 0;
  std::optional<Lsn> closed_at;
  int64_t closed_ms = 0;
  /// Of a shard that was merged and is not named as the parent: the ordinal of its child.
  std::optional<uint32_t> merged_into;
  bool operator==(const ShardDefinition&) const = default;
};

/// One enabling of a table's stream. What becomes of it (the members' changes) are entries of the
/// log, so its shards are a pure function of the log.
struct StreamDefinition {
  /// What the index over the log can tell apart: it keeps 64ths of the hash space. A shard of less
  /// would read the frames of its neighbours in vain.
  static constexpr uint32_t kOpenShardsMax = 64;

  std::string label;  // 2026-11-22T10:00:00.000
  StreamViewType view_type = StreamViewType::kNewAndOldImages;
  Lsn enabled_at = 0;              // LSN of the entry that enabled it
  std::optional<Lsn> disabled_at;  // closed from here on
  int64_t disabled_time_ms = 0;
  int64_t created_ms = 0;
  uint32_t initial_shards = 0;
  Lsn trimmed_through = 0;              // no change up to here is shown any more
  std::vector<ShardDefinition> shards;  // by ordinal; the ranges of the open ones cover all hashes

  /// Makes the shards that it begins with; `enabled_at` and `created_ms` are set.
  void open_shards(uint32_t count);
  /// Closes it and its open shards.
  void disable(Lsn lsn, int64_t now_ms);

  const ShardDefinition* find_shard(uint32_t ordinal) const {
    auto found = std::lower_bound(
        shards.begin(), shards.end(), ordinal,
        [](const ShardDefinition& shard, uint32_t wanted) { return shard.name.ordinal < wanted; });
    return found != shards.end() && found->name.ordinal == ordinal ? &*found : nullptr;
  }
  ShardDefinition* find_shard(uint32_t ordinal) {
    return const_cast<ShardDefinition*>(std::as_const(*this).find_shard(ordinal));
  }
};

}  // namespace millrace
