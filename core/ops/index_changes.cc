#include "core/ops/index_changes.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "core/model/index_key.h"
#include "core/ops/ttl.h"

namespace millrace {

namespace {

bool has_attribute(const std::vector<KeyAttribute>& attributes, std::string_view name) {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const KeyAttribute& attribute) { return attribute.name == name; });
}

std::optional<std::string> entry_key(const Table& table, const Index& index,
                                     std::optional<ItemView> item) {
  if (!item) return std::nullopt;
  return index_entry_key(index.key, index.generation, table.key, item->attributes());
}

void append_put(const Table& table, const Index& index, std::string_view key,
                std::optional<ItemView> old_item, ItemView new_item, bool same_key,
                IndexChanges& changes) {
  if (index.projection == IndexProjection::kAll) {
    if (!same_key || old_item->encoded() != new_item.encoded()) changes.put_item(key);
    return;
  }
  std::string image = projected_image(table, index, new_item);
  if (same_key && projected_image(table, index, *old_item) == image) return;
  changes.put(key, image);
}

}  // namespace

bool is_projected(const Table& table, const Index& index, std::string_view name) {
  if (index.projection == IndexProjection::kAll) return true;
  if (table.key.partition.name == name || (table.key.sort && table.key.sort->name == name)) {
    return true;
  }
  if (has_attribute(index.key.partition, name) || has_attribute(index.key.sort, name)) return true;
  return std::find(index.non_key_attributes.begin(), index.non_key_attributes.end(), name) !=
         index.non_key_attributes.end();
}

void append_index_changes(const Table& table, std::optional<ItemView> old_item,
                          std::optional<ItemView> new_item, IndexChanges& changes) {
  for (const Index& index : table.indexes) {
    const std::optional<std::string> old_key = entry_key(table, index, old_item);
    const std::optional<std::string> new_key = entry_key(table, index, new_item);
    const bool same_key = old_key == new_key;
    if (old_key && !same_key) changes.remove(*old_key);
    if (new_key) append_put(table, index, *new_key, old_item, *new_item, same_key, changes);
  }
  if (table.ttl) append_ttl_changes(table, old_item, new_item, changes);
}

void append_index_entry(const Table& table, const Index& index, ItemView item,
                        IndexChanges& changes) {
  if (auto key = entry_key(table, index, item)) {
    changes.put(*key, projected_image(table, index, item));
  }
}

std::string projected_image(const Table& table, const Index& index, ItemView item) {
  if (index.projection == IndexProjection::kAll) return std::string(item.encoded());
  std::string entries;
  size_t count = 0;
  for (const MapView::Entry& entry : item.attributes()) {
    if (!is_projected(table, index, entry.name)) continue;
    put_length_prefixed(entries, entry.name);
    entries.append(entry.value.encoded());
    ++count;
  }
  std::string image;
  put_varint(image, count);
  return image + entries;
}

}  // namespace millrace
