#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace {

// DynamoDB's arithmetic of consumed capacity.
// Source: developer guide, "DynamoDB read and write operations", capacity unit consumption.

/// What ReturnConsumedCapacity asks for.
enum class CapacityDetail : uint8_t { kNone, kTotal, kIndexes };
/// `value`: NONE, TOTAL or INDEXES, already checked.
CapacityDetail capacity_detail(std::string_view value);

/// Units are counted in halves, so that sums are exact.
struct HalfUnits {
  size_t count = 0;
  HalfUnits& operator+=(HalfUnits other) {
    count += other.count;
    return *this;
  }
};

/// A read of `bytes`: a unit for each 4 KB begun and at least one, half of that if eventually
/// consistent.
HalfUnits read_units(size_t bytes, bool consistent);
HalfUnits transactional_read_units(size_t bytes);
/// A write: a unit for each KB begun of the larger of the item's old and new image, at least one.
HalfUnits write_units(size_t old_bytes, size_t new_bytes);

/// What an operation consumed of one table and, by name, of its indexes.
struct ConsumedUnits {
  HalfUnits table;
  std::map<std::string, HalfUnits, std::less<>> local_indexes;
  std::map<std::string, HalfUnits, std::less<>> global_indexes;

  ConsumedUnits() = default;
  ConsumedUnits(HalfUnits of_table) : table(of_table) {}  // most operations touch no index
  ConsumedUnits& operator+=(const ConsumedUnits& other);
  HalfUnits total() const;
};

enum class CapacityKind : uint8_t { kPlain, kTransactionalRead, kTransactionalWrite };

/// Appends one ConsumedCapacity: {"TableName":"t","CapacityUnits":1.0,...}. `detail` is not kNone.
void render_capacity(std::string_view table_name, const ConsumedUnits& units, CapacityDetail detail,
                     CapacityKind kind, std::string& out);

/// Appends the member `"ConsumedCapacity":[...]` to an object, with one element a table. `detail`
/// is not kNone.
void render_capacities(const std::map<std::string_view, ConsumedUnits>& units,
                       CapacityDetail detail, CapacityKind kind, std::string& out);

}  // namespace millrace
