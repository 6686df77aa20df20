#include <algorithm>

#include "core/ops/catalog.h"
#include "core/ops/definition_values.h"
#include "core/ops/stream_codec.h"
#include "core/ops/table_description.h"

namespace millrace {

namespace {

// The attributes of a definition's item. Persisted; unknown ones are ignored, so a release may add
// some. The format is the lowest whose releases do not misread the rest.
constexpr uint64_t kFormat = 2;
constexpr uint64_t kFormatWithoutLineage = 1;

uint64_t format_of(const Table& table) {
  const bool lineage = std::any_of(table.streams.begin(), table.streams.end(), has_lineage);
  return lineage ? kFormat : kFormatWithoutLineage;
}

Value key_attribute_value(const KeyAttribute& attribute) {
  return Value::map(
      {{"Name", text_value(attribute.name)}, {"Type", text_value(wire_name(attribute.type))}});
}

Value key_attributes_value(const std::vector<KeyAttribute>& attributes) {
  Value::List values;
  for (const KeyAttribute& attribute : attributes) values.push_back(key_attribute_value(attribute));
  return Value::list(std::move(values));
}

// Persisted.
constexpr std::pair<IndexKind, std::string_view> kKinds[] = {{IndexKind::kGlobal, "GLOBAL"},
                                                             {IndexKind::kLocal, "LOCAL"}};
constexpr std::pair<IndexProjection, std::string_view> kProjections[] = {
    {IndexProjection::kAll, "ALL"},
    {IndexProjection::kKeysOnly, "KEYS_ONLY"},
    {IndexProjection::kInclude, "INCLUDE"}};
constexpr std::pair<IndexStatus, std::string_view> kStatuses[] = {
    {IndexStatus::kCreating, "CREATING"}, {IndexStatus::kActive, "ACTIVE"}};

template <typename Enum, size_t kSize>
std::string_view name_of(Enum value, const std::pair<Enum, std::string_view> (&names)[kSize]) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return {};
}

Value index_value(const Index& index) {
  Value::Map entries;
  entries.emplace("Name", text_value(index.name));
  entries.emplace("Kind", text_value(name_of(index.kind, kKinds)));
  entries.emplace("Generation", integer_value(index.generation));
  entries.emplace("PartitionKey", key_attributes_value(index.key.partition));
  entries.emplace("SortKey", key_attributes_value(index.key.sort));
  entries.emplace("Projection", text_value(name_of(index.projection, kProjections)));
  Value::List names;
  for (const std::string& name : index.non_key_attributes) names.push_back(text_value(name));
  entries.emplace("NonKeyAttributes", Value::list(std::move(names)));
  entries.emplace("Status", text_value(name_of(index.status, kStatuses)));
  entries.emplace("ReadUnits", integer_value(static_cast<uint64_t>(index.read_units)));
  entries.emplace("WriteUnits", integer_value(static_cast<uint64_t>(index.write_units)));
  if (index.backfilling) entries.emplace("Backfilling", Value::boolean(true));
  put_settings(index.throughput, entries);
  return Value::map(std::move(entries));
}

Value ttl_value(const TtlDefinition& ttl) {
  return Value::map({{"Attribute", text_value(ttl.attribute)},
                     {"Generation", integer_value(ttl.generation)},
                     {"Backfilling", Value::boolean(ttl.backfilling)}});
}

Result<TtlDefinition> ttl_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("TimeToLive");
  DefinitionReader reader(value.map());
  TtlDefinition ttl{reader.text("Attribute"), reader.integer("Generation"),
                    reader.truth("Backfilling")};
  RETURN_IF_ERROR(reader.status());
  return ttl;
}

Result<Index> index_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("Indexes");
  DefinitionReader reader(value.map());
  Index index;
  index.name = reader.text("Name");
  index.kind = reader.one_of("Kind", kKinds);
  index.generation = reader.integer("Generation");
  index.key.partition = reader.key_attributes("PartitionKey");
  index.key.sort = reader.key_attributes("SortKey");
  index.projection = reader.one_of("Projection", kProjections);
  index.non_key_attributes = reader.texts("NonKeyAttributes");
  index.status = reader.one_of("Status", kStatuses);
  index.read_units = static_cast<int64_t>(reader.integer("ReadUnits"));
  index.write_units = static_cast<int64_t>(reader.integer("WriteUnits"));
  if (reader.has("Backfilling")) index.backfilling = reader.truth("Backfilling");
  RETURN_IF_ERROR(read_settings(value.map(), index.throughput));
  RETURN_IF_ERROR(reader.status());
  if (index.key.partition.empty()) return damaged("PartitionKey");
  return index;
}

}  // namespace

std::string Catalog::encode(const Table& table) {
  ItemTree item;
  item.emplace("Format", integer_value(format_of(table)));
  item.emplace("TableName", text_value(table.name));
  item.emplace("TableId", text_value(table.id));
  item.emplace("Generation", integer_value(table.generation));
  item.emplace("PartitionKey", key_attribute_value(table.key.partition));
  if (table.key.sort) item.emplace("SortKey", key_attribute_value(*table.key.sort));
  item.emplace("BillingMode", text_value(table.billing_mode));
  item.emplace("ReadUnits", integer_value(static_cast<uint64_t>(table.read_units)));
  item.emplace("WriteUnits", integer_value(static_cast<uint64_t>(table.write_units)));
  item.emplace("Created", integer_value(static_cast<uint64_t>(table.created_ms)));
  item.emplace("PayPerRequestSince",
               integer_value(static_cast<uint64_t>(table.pay_per_request_ms)));
  item.emplace("DeletionProtection", Value::boolean(table.deletion_protection));
  item.emplace("KeepOldImages", Value::boolean(table.keep_old_images));
  Value::List streams;
  for (const StreamDefinition& stream : table.streams) streams.push_back(stream_value(stream));
  item.emplace("Streams", Value::list(std::move(streams)));
  if (!table.indexes.empty()) {
    Value::List indexes;
    for (const Index& index : table.indexes) indexes.push_back(index_value(index));
    item.emplace("Indexes", Value::list(std::move(indexes)));
  }
  put_settings(table.settings, item);
  if (table.ttl) item.emplace("TimeToLive", ttl_value(*table.ttl));
  put_attachments(table.attachments, item);
  return encode_item(item);
}

Result<Table> Catalog::decode(ItemView item) {
  DefinitionReader reader(item.attributes());
  if (reader.integer("Format") > kFormat) {
    return make_error(
        ErrorCode::kConfig,
        "catalogue: a table's definition was written by a newer release; start that one");
  }
  Table table;
  table.name = reader.text("TableName");
  table.id = reader.text("TableId");
  table.generation = reader.integer("Generation");
  table.key.partition = reader.key_attribute("PartitionKey");
  if (reader.has("SortKey")) table.key.sort = reader.key_attribute("SortKey");
  table.billing_mode = reader.text("BillingMode");
  table.read_units = static_cast<int64_t>(reader.integer("ReadUnits"));
  table.write_units = static_cast<int64_t>(reader.integer("WriteUnits"));
  table.created_ms = static_cast<int64_t>(reader.integer("Created"));
  table.pay_per_request_ms = static_cast<int64_t>(reader.integer("PayPerRequestSince"));
  table.deletion_protection = reader.truth("DeletionProtection");
  table.keep_old_images = reader.truth("KeepOldImages");
  auto streams = reader.get("Streams");
  if (!streams || streams->type() != ValueType::kList) return damaged("Streams");
  RETURN_IF_ERROR(reader.status());
  for (ValueView value : streams->list()) {
    ASSIGN_OR_RETURN(StreamDefinition stream, stream_of(value));
    table.streams.push_back(std::move(stream));
  }
  // Absent from a definition without indexes, and from those of releases that knew none.
  if (auto indexes = reader.get("Indexes")) {
    if (indexes->type() != ValueType::kList) return damaged("Indexes");
    for (ValueView value : indexes->list()) {
      ASSIGN_OR_RETURN(Index index, index_of(value));
      table.indexes.push_back(std::move(index));
    }
  }
  RETURN_IF_ERROR(read_settings(item.attributes(), table.settings));
  if (auto ttl = reader.get("TimeToLive")) {
    ASSIGN_OR_RETURN(table.ttl, ttl_of(*ttl));
  }
  RETURN_IF_ERROR(read_attachments(item.attributes(), table.attachments));
  return table;
}

}  // namespace millrace
