#include "core/ops/item_collections.h"

#include "core/model/index_key.h"
#include "core/model/item_json.h"

namespace millrace {

namespace {

uint64_t bytes_within(const View& view, std::string prefix) {
  std::string end = prefix_successor(prefix);
  return view.approximate_file_bytes(prefix, end);
}

uint64_t approximate_bytes(const View& view, const Table& table, std::string_view scalar) {
  std::string prefix;
  append_partition_prefix(table.generation, scalar, prefix);
  uint64_t bytes = bytes_within(view, std::move(prefix));
  std::string partition;
  append_ended(scalar, partition);
  for (const Index& index : table.indexes) {
    if (index.kind != IndexKind::kLocal) continue;
    prefix.clear();
    append_index_partition_prefix(index.generation, partition, prefix);
    bytes += bytes_within(view, prefix);
  }
  return bytes;
}

bool has_local_index(const Table& table) {
  for (const Index& index : table.indexes) {
    if (index.kind == IndexKind::kLocal) return true;
  }
  return false;
}

}  // namespace

void ItemCollections::add(const ItemWrite& write) {
  if (write.kind == WriteKind::kConditionCheck || !has_local_index(*write.table)) return;
  const auto value = MapView(write.image).get(write.table->key.partition.name);
  if (!value) return;
  std::vector<Collection>& collections = tables_[write.table->name];
  for (const Collection& known : collections) {
    if (known.partition == value->encoded()) return;
  }
  collections.push_back({write.table, std::string(value->encoded())});
}

void ItemCollections::render(const View& view, const Collection& collection, std::string& out) {
  const Table& table = *collection.table;
  const ValueView value(collection.partition);
  out += "{\"ItemCollectionKey\":";
  render_item(ItemView(encode_item({{table.key.partition.name, Value::decode(value)}})), out);
  const uint64_t gigabytes = approximate_bytes(view, table, value.scalar()) >> 30;
  out += ",\"SizeEstimateRangeGB\":[" + std::to_string(gigabytes) + ".0," +
         std::to_string(gigabytes + 1) + ".0]}";
}

void ItemCollections::render_only(const View& view, std::string& out) const {
  render(view, tables_.begin()->second.front(), out);
}

void ItemCollections::render(const View& view, std::string& out) const {
  out += '{';
  for (const auto& [table_name, collections] : tables_) {
    if (out.back() != '{') out += ',';
    render_json_string(table_name, out);
    out += ":[";
    for (const Collection& collection : collections) {
      if (out.back() != '[') out += ',';
      render(view, collection, out);
    }
    out += ']';
  }
  out += '}';
}

}  // namespace millrace
