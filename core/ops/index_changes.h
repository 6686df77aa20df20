#pragma once

#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/expr/expression.h"
#include "core/model/value.h"
#include "core/ops/catalog.h"
#include "core/store/index_change.h"

namespace millrace {

// What a write of an item means to the indexes of its table, those being created included: the one
// place that knows it. Items are encoded; none: there was or will be no item.

/// Adds what a change from `old_item` to `new_item` changes in the indexes; nothing for an index
/// whose entry stays as it is. For the Commit::put or remove of that change.
void append_index_changes(const Table& table, std::optional<ItemView> old_item,
                          std::optional<ItemView> new_item, IndexChanges& changes);

/// Adds the entry that `item` must have in one index, if any, with an image of its own: for the
/// change of something other than the item (backfill).
void append_index_entry(const Table& table, const Index& index, ItemView item,
                        IndexChanges& changes);

/// The image of `item`'s entry: the attributes that the index projects.
std::string projected_image(const Table& table, const Index& index, ItemView item);

/// Whether entries of an index have the attribute, if the items have it.
bool is_projected(const Table& table, const Index& index, std::string_view name);

// DynamoDB's refusals of values for key attributes of indexes: of the wrong type, empty, too long.
// Where several indexes have the attribute, the first by name is named.

/// Of an item that PutItem brings.
Status check_put_index_keys(const Table& table, MapView item);
/// Of what an update expression says, whatever the item is: values that it assigns, types that it
/// brings, and paths into key attributes.
Status check_update_index_keys(const Table& table, const Update& update);
/// Of what an update made of an item.
Status check_updated_index_keys(const Table& table, ItemView new_item);

}  // namespace millrace
