#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/expr/key_condition.h"
#include "core/ops/catalog.h"

namespace millrace {

/// The key that a query is about: the index's, or the table's if `index` is null.
IndexKeySchema queried_key(const Table& table, const Index* index);

/// A range of keys within one partition of a table or index.
struct KeyRange {
  std::string partition;  // prefix of the keys of the partition
  std::string begin;      // what comes behind it: first included
  std::string end;        // excluded; empty: no bound

  std::string first_key() const { return partition + begin; }
  /// The least key behind the range.
  std::string end_key() const;
};

/// The keys of the items, or entries, that fulfil a condition on queried_key().
KeyRange key_range(const KeyCondition& condition, const Table& table, const Index* index);

// An ExclusiveStartKey holds the key attributes of the table and of the index, and no others. It
// needs not be the key of an item. Errors are DynamoDB's, which differ between Query and Scan; they
// are looked for in the order of these functions.

/// Has it as many attributes as it must?
Status check_start_key_size(MapView start_key, const Table& table, const Index* index,
                            std::string_view error);
/// Has it a key attribute as the schema says?
Status check_start_key_attribute(MapView start_key, const KeyAttribute& attribute);
/// Its store key; its attributes of the table's key are checked here.
Result<std::string> start_store_key(MapView start_key, const Table& table, const Index* index);
/// Does it lie in the range that a query is about? `restricts_sort`: the condition says more than
/// the partition.
Status check_start_in_range(std::string_view start, const KeyRange& range, bool restricts_sort);

}  // namespace millrace
