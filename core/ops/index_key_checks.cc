#include <algorithm>
#include <functional>

#include "core/model/index_key.h"
#include "core/model/refusals.h"
#include "core/ops/index_changes.h"

namespace millrace {

namespace {

std::string empty_value(const KeyAttribute& attribute) {
  return std::string("The AttributeValue for a key attribute cannot contain an empty ") +
         (attribute.type == ValueType::kString ? "string" : "binary") + " value.";
}

Error wrong_type(const Index& index, const KeyAttribute& attribute, ValueType type) {
  return invalid_parameter("Type mismatch for Index Key " + attribute.name +
                           " Expected: " + std::string(wire_name(attribute.type)) + " Actual: " +
                           std::string(wire_name(type)) + " IndexName: " + index.name);
}

Error empty_in_put(const Index& index, const KeyAttribute& attribute) {
  return validation_error(
      "One or more parameter values are not valid. A value specified for a secondary index key is "
      "not supported. " +
      empty_value(attribute) + " IndexName: " + index.name + ", IndexKey: " + attribute.name);
}

Error empty_in_update(const KeyAttribute& attribute) {
  return validation_error(
      "One or more parameter values are not valid. The update expression attempted to update a "
      "secondary index key to a value that is not supported. " +
      empty_value(attribute));
}

std::vector<const Index*> by_name(const Table& table) {
  std::vector<const Index*> indexes;
  for (const Index& index : table.indexes) indexes.push_back(&index);
  std::sort(indexes.begin(), indexes.end(),
            [](const Index* a, const Index* b) { return a->name < b->name; });
  return indexes;
}

using ValueOf = std::function<std::optional<ValueView>(std::string_view)>;
using FaultError = std::function<Error(const Index&, const KeyAttribute&, ValueView)>;

using AttributeCheck = std::function<Status(const Index&, const KeyAttribute&)>;

Status check_each(const std::vector<const Index*>& indexes, const AttributeCheck& check) {
  for (const Index* index : indexes) {
    for (const auto* attributes : {&index->key.partition, &index->key.sort}) {
      for (const KeyAttribute& attribute : *attributes) RETURN_IF_ERROR(check(*index, attribute));
    }
  }
  return {};
}

// The first key attribute of an index whose value has this fault.
Status check_fault(const std::vector<const Index*>& indexes, IndexKeyFault fault,
                   const ValueOf& value_of, const FaultError& error) {
  return check_each(indexes, [&](const Index& index, const KeyAttribute& attribute) -> Status {
    const std::optional<ValueView> value = value_of(attribute.name);
    if (value && index_key_fault(attribute, *value) == fault)
      return error(index, attribute, *value);
    return {};
  });
}

// The first key attribute of an index to which the update gives another type.
Status check_assigned_types(const std::vector<const Index*>& indexes, const Update& update) {
  return check_each(indexes, [&](const Index& index, const KeyAttribute& attribute) -> Status {
    const std::optional<ValueType> type = update.assigned_type(attribute.name);
    if (type && *type != attribute.type) return wrong_type(index, attribute, *type);
    return {};
  });
}

bool is_key_attribute(const Index& index, std::string_view name) {
  for (const auto* attributes : {&index.key.partition, &index.key.sort}) {
    for (const KeyAttribute& attribute : *attributes) {
      if (attribute.name == name) return true;
    }
  }
  return false;
}

}  // namespace

Status check_put_index_keys(const Table& table, MapView item) {
  if (table.indexes.empty()) return {};
  const std::vector<const Index*> indexes = by_name(table);
  const ValueOf value_of = [&](std::string_view name) { return item.get(name); };
  RETURN_IF_ERROR(check_fault(indexes, IndexKeyFault::kEmpty, value_of,
                              [](const Index& index, const KeyAttribute& attribute, ValueView) {
                                return empty_in_put(index, attribute);
                              }));
  RETURN_IF_ERROR(
      check_fault(indexes, IndexKeyFault::kWrongType, value_of,
                  [](const Index& index, const KeyAttribute& attribute, ValueView value) {
                    return wrong_type(index, attribute, value.type());
                  }));
  for (const Index* index : indexes) {
    if (too_long(index->key.partition, kPartitionKeyBytesMax, item)) {
      return key_too_long(/*is_partition=*/true);
    }
    if (too_long(index->key.sort, kSortKeyBytesMax, item)) {
      return key_too_long(/*is_partition=*/false);
    }
  }
  return {};
}

Status check_update_index_keys(const Table& table, const Update& update) {
  if (table.indexes.empty()) return {};
  const std::vector<const Index*> indexes = by_name(table);
  const ValueOf value_of = [&](std::string_view name) { return update.assigned_value(name); };
  RETURN_IF_ERROR(check_fault(indexes, IndexKeyFault::kEmpty, value_of,
                              [](const Index&, const KeyAttribute& attribute, ValueView) {
                                return empty_in_update(attribute);
                              }));
  RETURN_IF_ERROR(check_assigned_types(indexes, update));
  for (const Path& path : update.paths()) {
    if (path.size() == 1) continue;
    for (const Index* index : indexes) {
      if (!is_key_attribute(*index, path[0].name)) continue;
      return validation_error(
          "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
          "allowed: IndexKey: " +
          path[0].name);
    }
  }
  return {};
}

Status check_updated_index_keys(const Table& table, ItemView new_item) {
  if (table.indexes.empty()) return {};
  const std::vector<const Index*> indexes = by_name(table);
  const MapView item = new_item.attributes();
  const ValueOf value_of = [&](std::string_view name) { return item.get(name); };
  RETURN_IF_ERROR(check_fault(indexes, IndexKeyFault::kEmpty, value_of,
                              [](const Index&, const KeyAttribute& attribute, ValueView) {
                                return empty_in_update(attribute);
                              }));
  RETURN_IF_ERROR(check_fault(indexes, IndexKeyFault::kWrongType, value_of,
                              [](const Index&, const KeyAttribute&, ValueView) {
                                return validation_error(
                                    "The update expression attempted to update the secondary "
                                    "index key to unsupported type");
                              }));
  for (const Index* index : indexes) {
    if (too_long(index->key.partition, kPartitionKeyBytesMax, item) ||
        too_long(index->key.sort, kSortKeyBytesMax, item)) {
      return validation_error(
          "The update expression attempted to update the secondary index key beyond allowed size "
          "limits");
    }
  }
  return {};
}

}  // namespace millrace
