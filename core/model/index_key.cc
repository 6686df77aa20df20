#include "core/model/index_key.h"

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

// Persisted. A value's end sorts below every byte that could follow within a longer value: the
// least such is an escaped 00, that is 00 FF.
constexpr char kZero = '\x00';
constexpr char kEscaped = '\xFF';
constexpr char kEnd = '\x01';

// Appends the scalars of all `attributes`, ended; false if one is missing or can be no key.
bool append_attributes(const std::vector<KeyAttribute>& attributes, size_t bytes_max, MapView item,
                       std::string& out) {
  size_t bytes = 0;
  for (const KeyAttribute& attribute : attributes) {
    const std::optional<ValueView> value = item.get(attribute.name);
    if (!value || index_key_fault(attribute, *value) != IndexKeyFault::kNone) return false;
    const std::string_view scalar = value->scalar();
    bytes += scalar.size();
    if (bytes > bytes_max) return false;
    append_ended(scalar, out);
  }
  return true;
}

}  // namespace

void append_escaped(std::string_view scalar, std::string& out) {
  for (;;) {
    const size_t zero = scalar.find(kZero);
    out.append(scalar.substr(0, zero));
    if (zero == std::string_view::npos) return;
    out.push_back(kZero);
    out.push_back(kEscaped);
    scalar.remove_prefix(zero + 1);
  }
}

void append_ended(std::string_view scalar, std::string& out) {
  append_escaped(scalar, out);
  out.push_back(kZero);
  out.push_back(kEnd);
}

void append_index_partition_prefix(Generation generation, std::string_view partition,
                                   std::string& out) {
  put_big_endian64(out, generation);
  put_big_endian64(out, xxh3_64(partition));
  put_big_endian16(out, static_cast<uint16_t>(partition.size()));
  out.append(partition);
}

std::vector<std::string> index_partition_scalars(std::string_view key) {
  std::vector<std::string> scalars;
  const Result<StoreKeyView> parts = split_store_key(key);
  if (!parts) return scalars;
  std::string scalar;
  for (size_t at = 0; at + 1 < parts->partition_scalar.size(); ++at) {
    const char byte = parts->partition_scalar[at];
    if (byte != kZero) {
      scalar.push_back(byte);
    } else if (parts->partition_scalar[++at] == kEscaped) {
      scalar.push_back(kZero);
    } else {
      scalars.push_back(std::move(scalar));
      scalar.clear();
    }
  }
  return scalars;
}

std::optional<std::string> index_entry_key(const IndexKeySchema& schema, Generation generation,
                                           const KeySchema& table, MapView item) {
  std::string partition;
  if (!append_attributes(schema.partition, kPartitionKeyBytesMax, item, partition)) {
    return std::nullopt;
  }
  std::string key;
  append_index_partition_prefix(generation, partition, key);
  if (!append_attributes(schema.sort, kSortKeyBytesMax, item, key)) return std::nullopt;
  const std::optional<ValueView> own_partition = item.get(table.partition.name);
  CHECK(own_partition.has_value());
  append_ended(own_partition->scalar(), key);
  if (table.sort) {
    const std::optional<ValueView> own_sort = item.get(table.sort->name);
    CHECK(own_sort.has_value());
    append_ended(own_sort->scalar(), key);
  }
  return key;
}

IndexKeyFault index_key_fault(const KeyAttribute& attribute, ValueView value) {
  if (value.type() != attribute.type) return IndexKeyFault::kWrongType;
  return value.scalar().empty() ? IndexKeyFault::kEmpty : IndexKeyFault::kNone;
}

bool too_long(const std::vector<KeyAttribute>& attributes, size_t bytes_max, MapView item) {
  size_t bytes = 0;
  for (const KeyAttribute& attribute : attributes) {
    const std::optional<ValueView> value = item.get(attribute.name);
    if (value && index_key_fault(attribute, *value) == IndexKeyFault::kNone) {
      bytes += value->scalar().size();
    }
  }
  return bytes > bytes_max;
}

}  // namespace millrace
