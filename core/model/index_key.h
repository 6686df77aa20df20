#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/model/value.h"

namespace millrace {

/// The key of a secondary index: one to four partition attributes, hashed together, and none to
/// four sort attributes (a local index: one of each). Source: developer guide, "Global secondary
/// indexes", multi-attribute keys.
struct IndexKeySchema {
  std::vector<KeyAttribute> partition;
  std::vector<KeyAttribute> sort;
};

// The key of an index entry (persisted, order-preserving):
//
//   generation of the index:u64 big-endian, xxh3_64 of P:u64 big-endian, length of P:u16
//   big-endian, P, S, B
//
//   P: the partition attributes' scalar bytes, S: the sort attributes', B: those of the item's own
//   partition and sort key, which make the entry unique; each value escaped (00 becomes 00 FF) and
//   ended by 00 01, so that concatenation keeps the order value by value.

/// Appends one value's scalar bytes, escaped and ended.
void append_ended(std::string_view scalar, std::string& out);
/// Escaped but not ended: the prefix of all values that begin with `scalar`.
void append_escaped(std::string_view scalar, std::string& out);

/// Appends the prefix of all entries of one partition of an index; `partition` is P.
void append_index_partition_prefix(Generation generation, std::string_view partition,
                                   std::string& out);

/// The partition attributes' scalar bytes, of the key of an entry or the prefix of a partition;
/// fewer if there are not so many in it.
std::vector<std::string> index_partition_scalars(std::string_view key);

/// The key of `item`'s entry in an index; none if the index has no entry of it: it is sparse, so an
/// item that lacks one of its key attributes is left out, and so is one from before the index with
/// a value that can be no key (wrong type, empty, too long). `table` is the key of the item's
/// table, which the item has.
std::optional<std::string> index_entry_key(const IndexKeySchema& schema, Generation generation,
                                           const KeySchema& table, MapView item);

/// Whether a value can be an index's key attribute. Writes of others are refused, each in the words
/// of its operation.
enum class IndexKeyFault : uint8_t { kNone, kWrongType, kEmpty };
IndexKeyFault index_key_fault(const KeyAttribute& attribute, ValueView value);
/// Whether the values that `item` has of these attributes are too long together for a partition or
/// sort key: kPartitionKeyBytesMax, kSortKeyBytesMax.
bool too_long(const std::vector<KeyAttribute>& attributes, size_t bytes_max, MapView item);

}  // namespace millrace
