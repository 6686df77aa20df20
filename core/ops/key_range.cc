#include "core/ops/key_range.h"

#include <set>

#include "core/model/schema.h"

namespace millrace {

namespace {

constexpr std::string_view kStartKeyInvalid = "The provided starting key is invalid";

// In a table's keys the sort key is the last part and stands as it is, so the least key behind it
// is the one with a zero more.
void set_table_bounds(const KeyCondition& condition, KeyRange& range) {
  auto after = [](std::string scalar) { return scalar + '\0'; };
  if (!condition.sort_equal.empty()) {
    range.begin = condition.sort_equal[0];
    range.end = after(range.begin);
  }
  if (condition.lower)
    range.begin =
        condition.lower->included ? condition.lower->scalar : after(condition.lower->scalar);
  if (condition.upper)
    range.end =
        condition.upper->included ? after(condition.upper->scalar) : condition.upper->scalar;
  if (condition.prefix) {
    range.begin = *condition.prefix;
    range.end = prefix_successor(range.begin);
  }
}

// In an index's keys every value is ended, so values stand in order and each is a prefix of the
// keys of all its entries.
void set_index_bounds(const KeyCondition& condition, KeyRange& range) {
  for (const std::string& scalar : condition.sort_equal) append_ended(scalar, range.begin);
  const std::string equal = range.begin;
  range.end = prefix_successor(equal);
  auto ended = [&](const std::string& scalar) {
    std::string key = equal;
    append_ended(scalar, key);
    return key;
  };
  if (condition.lower) {
    range.begin = ended(condition.lower->scalar);
    if (!condition.lower->included) range.begin = prefix_successor(range.begin);
  }
  if (condition.upper) {
    range.end = ended(condition.upper->scalar);
    if (condition.upper->included) range.end = prefix_successor(range.end);
  }
  if (condition.prefix) {
    append_escaped(*condition.prefix, range.begin);
    range.end = prefix_successor(range.begin);
  }
}

Error start_key_mismatch() {
  return validation_error("The provided key element does not match the schema");
}

}  // namespace

std::string KeyRange::end_key() const {
  return end.empty() ? prefix_successor(partition) : partition + end;
}

IndexKeySchema queried_key(const Table& table, const Index* index) {
  if (index != nullptr) return index->key;
  IndexKeySchema key;
  key.partition.push_back(table.key.partition);
  if (table.key.sort) key.sort.push_back(*table.key.sort);
  return key;
}

KeyRange key_range(const KeyCondition& condition, const Table& table, const Index* index) {
  KeyRange range;
  if (index == nullptr) {
    append_partition_prefix(table.generation, condition.partition[0], range.partition);
    set_table_bounds(condition, range);
    return range;
  }
  std::string partition;
  for (const std::string& scalar : condition.partition) append_ended(scalar, partition);
  append_index_partition_prefix(index->generation, partition, range.partition);
  set_index_bounds(condition, range);
  return range;
}

Status check_start_key_size(MapView start_key, const Table& table, const Index* index,
                            std::string_view error) {
  std::set<std::string_view> names{table.key.partition.name};
  if (table.key.sort) names.insert(table.key.sort->name);
  if (index != nullptr) {
    for (const KeyAttribute& attribute : index->key.partition) names.insert(attribute.name);
    for (const KeyAttribute& attribute : index->key.sort) names.insert(attribute.name);
  }
  if (start_key.size() != names.size()) return validation_error(std::string(error));
  return {};
}

Status check_start_key_attribute(MapView start_key, const KeyAttribute& attribute) {
  const std::optional<ValueView> value = start_key.get(attribute.name);
  if (!value) return validation_error(std::string(kStartKeyInvalid));
  switch (index_key_fault(attribute, *value)) {
    case IndexKeyFault::kNone:
      return {};
    case IndexKeyFault::kWrongType:
      return start_key_mismatch();
    case IndexKeyFault::kEmpty:
      break;
  }
  return validation_error(
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
      "contain an empty " +
      std::string(attribute.type == ValueType::kString ? "string" : "binary") +
      " value. Key: " + attribute.name);
}

Result<std::string> start_store_key(MapView start_key, const Table& table, const Index* index) {
  ItemTree own;
  for (const KeyAttribute* attribute :
       {&table.key.partition, table.key.sort ? &*table.key.sort : nullptr}) {
    if (attribute == nullptr) continue;
    if (auto value = start_key.get(attribute->name))
      own.emplace(attribute->name, Value::decode(*value));
  }
  Result<std::string> key = store_key(table.key, table.generation, MapView(encode_item(own)), true);
  if (!key) return validation_error(std::string(kStartKeyInvalid) + ": " + key.error().message);
  if (index == nullptr) return key;
  std::optional<std::string> entry =
      index_entry_key(index->key, index->generation, table.key, start_key);
  if (!entry) return validation_error(std::string(kStartKeyInvalid));
  return *std::move(entry);
}

Status check_start_in_range(std::string_view start, const KeyRange& range, bool restricts_sort) {
  ASSIGN_OR_RETURN(const StoreKeyView parts, split_store_key(start));
  const bool same_partition =
      start.substr(0, start.size() - parts.sort_scalar.size()) == range.partition;
  if (!restricts_sort) {
    if (same_partition) return {};
    return validation_error(
        "The provided starting key is outside query boundaries based on provided conditions");
  }
  if (parts.sort_scalar < range.begin || (!range.end.empty() && parts.sort_scalar >= range.end))
    return validation_error("The provided starting key does not match the range key predicate");
  if (!same_partition)
    return validation_error("The query can return at most one row and cannot be restarted");
  return {};
}

}  // namespace millrace
