#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/value.h"

namespace millrace {

/// What tells the keys of one table or index from all others, never used twice. A table's is the
/// LSN of the change that created it, an index's its number within that change above the LSN's 53
/// bits, see index_generation. Values below kFirstUserGeneration are hidden system tables.
/// Persisted in every key.
using Generation = uint64_t;

/// The generation of the `number`th index (1 to 2,047) that the change of a definition with this
/// LSN creates. LSNs stay below 2^53 and a change has one of its own, so no other table or index
/// ever gets it.
constexpr Generation index_generation(uint64_t lsn, uint64_t number) { return number << 53 | lsn; }

/// Hidden system tables; their keys are (generation, S partition key). Persisted.
inline constexpr Generation kCatalogGeneration = 1;       // table definitions by name
inline constexpr Generation kCheckpointGeneration = 2;    // positions of subscriptions by name
inline constexpr Generation kTokenGeneration = 3;         // idempotency tokens of transactions
inline constexpr Generation kDropGeneration = 4;          // generations whose space is to come back
inline constexpr Generation kBackfillGeneration = 5;      // progress of backfills by index
inline constexpr Generation kSubscriptionGeneration = 6;  // definitions of subscriptions by name
inline constexpr Generation kFirstUserGeneration = 1024;

struct KeyAttribute {
  std::string name;
  ValueType type = ValueType::kString;  // kString, kNumber or kBinary
};

/// The primary key of a table: partition key and, for a composite key, sort key.
struct KeySchema {
  KeyAttribute partition;
  std::optional<KeyAttribute> sort;
};

/// Limits of key values in bytes: developer guide, "Quotas in Amazon DynamoDB".
inline constexpr size_t kPartitionKeyBytesMax = 2048;
inline constexpr size_t kSortKeyBytesMax = 1024;

// The key of an item in the log, the memory table and LevelDB (persisted, order-preserving):
//
//   generation:u64 big-endian, xxh3_64 of the partition key's scalar bytes:u64 big-endian,
//   length of the partition key's scalar bytes:u16 big-endian, those bytes, sort key's scalar bytes
//
// Scalar bytes of a number are Number::append_ordered's. Within a partition memcmp gives the order
// of sort keys that DynamoDB promises.

/// Appends the prefix of all keys of a table.
void append_generation_prefix(Generation generation, std::string& out);
/// Appends the prefix of all keys of a partition.
void append_partition_prefix(Generation generation, std::string_view partition_scalar,
                             std::string& out);
/// The prefix of all keys of the partition that a store key is of; of an index entry's key too,
/// which begins alike.
std::string_view partition_prefix(std::string_view store_key);

/// Builds the store key of `key`, a map of exactly the key attributes (`exact`, as in GetItem's
/// Key) or of an item with more (`!exact`, as in PutItem's Item). Errors are DynamoDB's
/// ValidationExceptions: missing key, wrong type, empty value, too long, "The provided key element
/// does not match the schema".
Result<std::string> store_key(const KeySchema& schema, Generation generation, MapView key,
                              bool exact);
/// The same into `out`, whose memory is used again.
Status assign_store_key(const KeySchema& schema, Generation generation, MapView key, bool exact,
                        std::string& out);

/// "The provided key element does not match the schema" unless `item` has all key attributes, each
/// of its type: all that BatchWriteItem says of a wrong key, where PutItem says what is wrong.
Status check_key_types(const KeySchema& schema, MapView item);

/// The parts of a store key.
struct StoreKeyView {
  Generation generation;
  uint64_t partition_hash;
  std::string_view partition_scalar;
  std::string_view sort_scalar;
};
/// kCorruption if `key` is too short to be one.
Result<StoreKeyView> split_store_key(std::string_view key);

/// The smallest string greater than every string that begins with `prefix`; empty if there is none.
std::string prefix_successor(std::string_view prefix);

}  // namespace millrace
