#include "core/model/schema.h"

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/model/refusals.h"

namespace millrace {
namespace {

constexpr size_t kPartitionPrefixBytes = 8 + 8 + 2;

Error schema_mismatch() {
  return validation_error("The provided key element does not match the schema");
}

// The value of a key attribute after DynamoDB's checks.
Result<std::string_view> key_scalar(const KeyAttribute& attribute, bool is_partition, MapView key,
                                    bool exact) {
  const std::optional<ValueView> value = key.get(attribute.name);
  if (!value) {
    if (exact) return schema_mismatch();
    return invalid_parameter("Missing the key " + attribute.name + " in the item");
  }
  if (value->type() != attribute.type) {
    if (exact) return schema_mismatch();
    return invalid_parameter("Type mismatch for key " + attribute.name +
                             " expected: " + std::string(wire_name(attribute.type)) +
                             " actual: " + std::string(wire_name(value->type())));
  }
  const std::string_view scalar = value->scalar();
  if (scalar.empty()) {
    return validation_error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty " +
        std::string(attribute.type == ValueType::kString ? "string" : "binary") +
        " value. Key: " + attribute.name);
  }
  if (scalar.size() > (is_partition ? kPartitionKeyBytesMax : kSortKeyBytesMax)) {
    return key_too_long(is_partition);
  }
  return scalar;
}

}  // namespace

void append_generation_prefix(Generation generation, std::string& out) {
  put_big_endian64(out, generation);
}

void append_partition_prefix(Generation generation, std::string_view partition_scalar,
                             std::string& out) {
  put_big_endian64(out, generation);
  put_big_endian64(out, xxh3_64(partition_scalar));
  put_big_endian16(out, static_cast<uint16_t>(partition_scalar.size()));
  out.append(partition_scalar);
}

Result<std::string> store_key(const KeySchema& schema, Generation generation, MapView key,
                              bool exact) {
  std::string out;
  RETURN_IF_ERROR(assign_store_key(schema, generation, key, exact, out));
  return out;
}

Status assign_store_key(const KeySchema& schema, Generation generation, MapView key, bool exact,
                        std::string& out) {
  if (exact && key.size() != (schema.sort ? 2u : 1u)) return schema_mismatch();
  ASSIGN_OR_RETURN(const std::string_view partition,
                   key_scalar(schema.partition, true, key, exact));
  std::string_view sort;
  if (schema.sort) {
    ASSIGN_OR_RETURN(sort, key_scalar(*schema.sort, false, key, exact));
  }
  out.clear();
  out.reserve(kPartitionPrefixBytes + partition.size() + sort.size());
  append_partition_prefix(generation, partition, out);
  out.append(sort);
  return {};
}

Status check_key_types(const KeySchema& schema, MapView item) {
  auto matches = [&](const KeyAttribute& attribute) {
    const std::optional<ValueView> value = item.get(attribute.name);
    return value && value->type() == attribute.type;
  };
  if (matches(schema.partition) && (!schema.sort || matches(*schema.sort))) return {};
  return schema_mismatch();
}

std::string_view partition_prefix(std::string_view store_key) {
  const Result<StoreKeyView> parts = split_store_key(store_key);
  CHECK(parts.has_value());
  return store_key.substr(0, store_key.size() - parts->sort_scalar.size());
}

Result<StoreKeyView> split_store_key(std::string_view key) {
  const auto too_short = [] {
    return make_error(ErrorCode::kCorruption, "a store key is too short");
  };
  if (key.size() < kPartitionPrefixBytes) return too_short();
  StoreKeyView view;
  view.generation = get_big_endian64(key.data());
  view.partition_hash = get_big_endian64(key.data() + 8);
  const size_t partition_size = get_big_endian16(key.data() + 16);
  key.remove_prefix(kPartitionPrefixBytes);
  if (key.size() < partition_size) return too_short();
  view.partition_scalar = key.substr(0, partition_size);
  view.sort_scalar = key.substr(partition_size);
  return view;
}

std::string prefix_successor(std::string_view prefix) {
  std::string successor(prefix);
  while (!successor.empty() && static_cast<uint8_t>(successor.back()) == 0xFF) successor.pop_back();
  if (!successor.empty()) ++successor.back();
  return successor;
}

}  // namespace millrace
