#include "core/ops/table_description.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>

#include "core/model/item_json.h"

namespace millrace {

namespace {

class KeySchemaJson {
 public:
  void add(const KeyAttribute& attribute, std::string_view role) {
    if (json_.size() > 1) json_ += ',';
    JsonFields fields(json_);
    fields.text("AttributeName", attribute.name);
    fields.text("KeyType", role);
    fields.end();
  }
  std::string text() const { return json_ + "]"; }

 private:
  std::string json_ = "[";
};

std::string key_schema_json(const KeySchema& key) {
  KeySchemaJson json;
  json.add(key.partition, "HASH");
  if (key.sort) json.add(*key.sort, "RANGE");
  return json.text();
}

std::string key_schema_json(const IndexKeySchema& key) {
  KeySchemaJson json;
  for (const KeyAttribute& attribute : key.partition) json.add(attribute, "HASH");
  for (const KeyAttribute& attribute : key.sort) json.add(attribute, "RANGE");
  return json.text();
}

// Of the table's key and its indexes', in the order of their names, as the service lists them.
std::string attribute_definitions_json(const Table& table) {
  std::map<std::string_view, ValueType> attributes;
  attributes.emplace(table.key.partition.name, table.key.partition.type);
  if (table.key.sort) attributes.emplace(table.key.sort->name, table.key.sort->type);
  for (const Index& index : table.indexes) {
    for (const auto* role : {&index.key.partition, &index.key.sort}) {
      for (const KeyAttribute& attribute : *role)
        attributes.emplace(attribute.name, attribute.type);
    }
  }
  std::string json = "[";
  for (const auto& [name, type] : attributes) {
    if (json.size() > 1) json += ',';
    JsonFields fields(json);
    fields.text("AttributeName", name);
    fields.text("AttributeType", wire_name(type));
    fields.end();
  }
  return json + "]";
}

std::string projection_json(const Index& index) {
  std::string json;
  JsonFields fields(json);
  fields.text("ProjectionType", projection_name(index.projection));
  if (index.projection == IndexProjection::kInclude) {
    std::string names = "[";
    for (const std::string& name : index.non_key_attributes) {
      if (names.size() > 1) names += ',';
      render_json_string(name, names);
    }
    fields.raw("NonKeyAttributes", names + "]");
  }
  fields.end();
  return json;
}

std::string_view status_name(IndexStatus status) {
  switch (status) {
    case IndexStatus::kCreating:
      return "CREATING";
    case IndexStatus::kUpdating:
      return "UPDATING";
    case IndexStatus::kDeleting:
      return "DELETING";
    case IndexStatus::kActive:
      break;
  }
  return "ACTIVE";
}

void render_index(const Catalog& catalog, const Table& table, const Index& index, bool creating,
                  int64_t now_ms, std::string& out) {
  const CapacityUnits units{index.read_units, index.write_units};
  const bool global = index.kind == IndexKind::kGlobal;
  JsonFields fields(out);
  fields.text("IndexName", index.name);
  fields.raw("KeySchema", key_schema_json(index.key));
  fields.raw("Projection", projection_json(index));
  if (global) {
    fields.text("IndexStatus", creating ? "CREATING" : status_name(index.status));
    // Only of an index that was added to a table.
    if (index.status == IndexStatus::kCreating) fields.truth("Backfilling", index.backfilling);
    render_provisioned(index.throughput, units, now_ms, fields);
  }
  const TableSizes::Size size = catalog.sizes().size(index.generation);
  fields.integer("IndexSizeBytes", static_cast<int64_t>(size.bytes));
  fields.integer("ItemCount", static_cast<int64_t>(size.entries));
  fields.text("IndexArn", catalog.table_arn(table.name) + "/index/" + index.name);
  if (global) {
    render_on_demand(index.throughput, fields);
    // CreateTable does not answer with an index's yet.
    if (!creating) render_warm(index.throughput, table.billing_mode, units, false, fields);
  }
  fields.end();
}

void render_indexes(const Catalog& catalog, const Table& table, bool creating, int64_t now_ms,
                    JsonFields& fields) {
  for (IndexKind kind : {IndexKind::kGlobal, IndexKind::kLocal}) {
    std::string list = "[";
    for (const Index& index : table.indexes) {
      if (index.kind != kind) continue;
      if (list.size() > 1) list += ',';
      render_index(catalog, table, index, creating, now_ms, list);
    }
    if (list.size() == 1) continue;
    fields.raw(kind == IndexKind::kGlobal ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes",
               list + "]");
  }
}

void render_settings(const Table& table, std::string_view status, JsonFields& fields) {
  if (!table.settings.table_class.empty()) {
    std::string table_class;
    JsonFields members(table_class);
    members.text("TableClass", table.settings.table_class);
    if (table.settings.table_class_ms > 0)
      members.time("LastUpdateDateTime", table.settings.table_class_ms);
    members.end();
    fields.raw("TableClassSummary", table_class);
  }
  if (!table.settings.kms_key_arn.empty()) {
    std::string encryption;
    JsonFields members(encryption);
    members.text("Status", status == "CREATING" ? "ENABLING" : "ENABLED");
    members.text("SSEType", "KMS");
    members.text("KMSMasterKeyArn", table.settings.kms_key_arn);
    members.end();
    fields.raw("SSEDescription", encryption);
  }
}

void render_billing(const Table& table, bool creating, JsonFields& fields) {
  if (table.billing_mode != kPayPerRequest && table.pay_per_request_ms == 0) return;
  std::string billing;
  JsonFields members(billing);
  members.text("BillingMode", table.billing_mode);
  if (table.pay_per_request_ms > 0 && !creating)
    members.time("LastUpdateToPayPerRequestDateTime", table.pay_per_request_ms);
  members.end();
  fields.raw("BillingModeSummary", billing);
}

void render_stream(const Catalog& catalog, const Table& table, JsonFields& fields) {
  if (table.streams.empty()) return;
  const StreamDefinition& latest = table.streams.back();
  fields.text("LatestStreamArn", catalog.stream_arn(table, latest));
  fields.text("LatestStreamLabel", latest.label);
  if (table.enabled_stream() == nullptr) return;
  std::string specification;
  JsonFields members(specification);
  members.truth("StreamEnabled", true);
  members.text("StreamViewType", view_type_name(latest.view_type));
  members.end();
  fields.raw("StreamSpecification", specification);
}

}  // namespace

void render_provisioned(const ThroughputSettings& settings, CapacityUnits units, int64_t now_ms,
                        JsonFields& fields) {
  std::string throughput;
  JsonFields members(throughput);
  if (settings.increased_ms > 0) members.time("LastIncreaseDateTime", settings.increased_ms);
  if (settings.decreased_ms > 0) members.time("LastDecreaseDateTime", settings.decreased_ms);
  members.integer("NumberOfDecreasesToday", settings.decreases_today(now_ms));
  members.integer("ReadCapacityUnits", units.read);
  members.integer("WriteCapacityUnits", units.write);
  members.end();
  fields.raw("ProvisionedThroughput", throughput);
}

void render_warm(const ThroughputSettings& settings, std::string_view billing_mode,
                 CapacityUnits units, bool creating, JsonFields& fields) {
  if (creating && settings.warm.read == 0 && settings.warm.write == 0) return;
  const CapacityUnits warm = settings.warm_units(billing_mode, units);
  std::string throughput;
  JsonFields members(throughput);
  members.integer("ReadUnitsPerSecond", warm.read);
  members.text("Status", creating ? "UPDATING" : "ACTIVE");
  members.integer("WriteUnitsPerSecond", warm.write);
  members.end();
  fields.raw("WarmThroughput", throughput);
}

void render_on_demand(const ThroughputSettings& settings, JsonFields& fields) {
  if (!settings.on_demand.any()) return;
  std::string throughput;
  JsonFields members(throughput);
  if (settings.on_demand.read) members.integer("MaxReadRequestUnits", *settings.on_demand.read);
  if (settings.on_demand.write) members.integer("MaxWriteRequestUnits", *settings.on_demand.write);
  members.end();
  fields.raw("OnDemandThroughput", throughput);
}

void render_table(const Catalog& catalog, const Table& table, std::string_view status,
                  int64_t now_ms, std::string& out) {
  // Of a table that is being deleted the service shows no definition, but what it holds and costs.
  const bool defined = status != "DELETING";
  const bool creating = status == "CREATING";
  JsonFields fields(out);
  if (defined) fields.raw("AttributeDefinitions", attribute_definitions_json(table));
  fields.text("TableName", table.name);
  if (defined) fields.raw("KeySchema", key_schema_json(table.key));
  fields.text("TableStatus", status);
  if (defined) fields.time("CreationDateTime", table.created_ms);
  const CapacityUnits units{table.read_units, table.write_units};
  const ThroughputSettings& throughput = table.settings.throughput;
  render_provisioned(throughput, units, now_ms, fields);
  render_billing(table, creating, fields);
  if (defined) render_warm(throughput, table.billing_mode, units, creating, fields);
  if (defined) render_on_demand(throughput, fields);
  const TableSizes::Size size = catalog.sizes().size(table.generation);
  fields.integer("TableSizeBytes", static_cast<int64_t>(size.bytes));
  fields.integer("ItemCount", static_cast<int64_t>(size.entries));
  fields.text("TableArn", catalog.table_arn(table.name));
  fields.text("TableId", table.id);
  if (defined) {
    render_indexes(catalog, table, creating, now_ms, fields);
    render_stream(catalog, table, fields);
    render_settings(table, status, fields);
  }
  fields.truth("DeletionProtectionEnabled", table.deletion_protection);
  fields.end();
}

std::string_view table_status(const Table& table) {
  for (const Index& index : table.indexes) {
    if (index.status == IndexStatus::kCreating && !index.backfilling) return "UPDATING";
  }
  return "ACTIVE";
}

std::string_view projection_name(IndexProjection projection) {
  switch (projection) {
    case IndexProjection::kAll:
      return "ALL";
    case IndexProjection::kKeysOnly:
      return "KEYS_ONLY";
    case IndexProjection::kInclude:
      break;
  }
  return "INCLUDE";
}

std::string_view view_type_name(StreamViewType type) {
  switch (type) {
    case StreamViewType::kKeysOnly:
      return "KEYS_ONLY";
    case StreamViewType::kNewImage:
      return "NEW_IMAGE";
    case StreamViewType::kOldImage:
      return "OLD_IMAGE";
    case StreamViewType::kNewAndOldImages:
      break;
  }
  return "NEW_AND_OLD_IMAGES";
}

std::optional<StreamViewType> view_type_of(std::string_view name) {
  for (StreamViewType type : {StreamViewType::kKeysOnly, StreamViewType::kNewImage,
                              StreamViewType::kOldImage, StreamViewType::kNewAndOldImages}) {
    if (view_type_name(type) == name) return type;
  }
  return std::nullopt;
}

std::string stream_label(int64_t time_ms) {
  std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> date;
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 40> label;
  std::snprintf(label.data(), label.size(), "%s.%03d", date.data(),
                static_cast<int>(time_ms % 1000));
  return label.data();
}

StreamDefinition new_stream(const Catalog& catalog, const Table& table, StreamViewType view_type,
                            Lsn lsn, int64_t now_ms) {
  StreamDefinition stream;
  stream.view_type = view_type;
  stream.enabled_at = lsn;
  stream.created_ms = now_ms;
  if (!table.streams.empty())
    stream.created_ms = std::max(now_ms, table.streams.back().created_ms + 1);
  stream.label = stream_label(stream.created_ms);
  stream.open_shards(catalog.stream_shards());
  return stream;
}

}  // namespace millrace
