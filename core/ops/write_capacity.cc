#include "core/ops/write_capacity.h"

#include "core/model/index_key.h"
#include "core/ops/index_changes.h"

namespace millrace {

namespace {

// An item's entry in an index.
struct Entry {
  std::string key;
  std::string image;
};

std::optional<Entry> entry_of(const Table& table, const Index& index, bool exists,
                              std::string_view image) {
  if (!exists) return std::nullopt;
  const ItemView item(image);
  std::optional<std::string> key =
      index_entry_key(index.key, index.generation, table.key, item.attributes());
  if (!key) return std::nullopt;
  return Entry{*std::move(key), projected_image(table, index, item)};
}

size_t bytes_of(const std::optional<Entry>& entry) {
  return entry ? charged_size(ItemView(entry->image)) : 0;
}

HalfUnits index_units(const std::optional<Entry>& before, const std::optional<Entry>& after) {
  if (!before && !after) return {};
  if (before && after && before->key != after->key) {
    HalfUnits units = write_units(bytes_of(before), 0);
    units += write_units(0, bytes_of(after));
    return units;
  }
  if (before && after && before->image == after->image) return {};
  return write_units(bytes_of(before), bytes_of(after));
}

}  // namespace

ConsumedUnits write_capacity(const ItemWrite& write, const ItemOutcome& outcome) {
  ConsumedUnits units = write_units(outcome.old_bytes(), outcome.new_bytes(write));
  if (!outcome.changed) return units;
  const Table& table = *outcome.table;
  for (const Index& index : table.indexes) {
    const HalfUnits of_index =
        index_units(entry_of(table, index, outcome.existed, outcome.old_image),
                    entry_of(table, index, outcome.exists, outcome.new_image(write)));
    // What costs nothing is not named.
    if (of_index.count == 0) continue;
    auto& indexes = index.kind == IndexKind::kLocal ? units.local_indexes : units.global_indexes;
    indexes[index.name] += of_index;
  }
  return units;
}

ConsumedUnits transactional_write_capacity(const ItemWrite& write, const ItemOutcome& outcome) {
  // A transaction writes the table twice, to prepare it and to commit it, but entries once.
  ConsumedUnits units = write_capacity(write, outcome);
  units.table += HalfUnits(units.table);
  return units;
}

}  // namespace millrace
