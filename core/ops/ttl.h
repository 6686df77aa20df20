#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/value.h"
#include "core/ops/catalog.h"
#include "core/store/index_change.h"

namespace millrace {

// When items expire, and the index that finds those that have. A table with TTL has an entry in it
// for each item whose TTL attribute is a whole number of seconds since the epoch, or has such a
// whole part (persisted):
//
//   key:   generation of the index:u64 big-endian, second:u64 big-endian, the item's store key
//          without its generation
//   image: empty

/// Items that expired longer ago than this are not deleted: five years.
/// Source: developer guide, "Using time to live (TTL) in DynamoDB".
inline constexpr int64_t kTtlOldestSeconds = int64_t{5} * 365 * 24 * 60 * 60;

/// The second at which an item expires; none if its attribute says none.
std::optional<int64_t> expiry_second(ItemView item, std::string_view attribute);

/// Whether an item that expires at `second` is to be deleted.
inline bool has_expired(int64_t second, int64_t now_second) {
  return second < now_second && second >= now_second - kTtlOldestSeconds;
}

/// The index's entries of all items that expire at `second` or later begin here.
std::string ttl_range_begin(Generation index, int64_t second);

struct TtlEntry {
  int64_t second = 0;
  std::string item_key;  // the item's store key
};
/// kCorruption if `key` is too short to be an entry's.
Result<TtlEntry> split_ttl_entry(std::string_view key, Generation table);

/// What a change of an item changes in the TTL index of its table, which has one.
void append_ttl_changes(const Table& table, std::optional<ItemView> old_item,
                        std::optional<ItemView> new_item, IndexChanges& changes);

}  // namespace millrace
