#include "core/ops/table_description.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "core/model/item_json.h"

namespace millrace {

namespace {

std::string key_schema_json(const KeySchema& key) {
  std::string json = "[";
  auto add = [&](const KeyAttribute& attribute, std::string_view role) {
    if (json.size() > 1) json += ',';
    JsonFields fields(json);
    fields.text("AttributeName", attribute.name);
    fields.text("KeyType", role);
    fields.end();
  };
  add(key.partition, "HASH");
  if (key.sort) add(*key.sort, "RANGE");
  return json + "]";
}

// In the order of their names, as the service lists them.
std::string attribute_definitions_json(const KeySchema& key) {
  std::vector<const KeyAttribute*> attributes{&key.partition};
  if (key.sort) attributes.push_back(&*key.sort);
  std::sort(attributes.begin(), attributes.end(),
            [](const KeyAttribute* a, const KeyAttribute* b) { return a->name < b->name; });
  std::string json = "[";
  for (const KeyAttribute* attribute : attributes) {
    if (json.size() > 1) json += ',';
    JsonFields fields(json);
    fields.text("AttributeName", attribute->name);
    fields.text("AttributeType", wire_name(attribute->type));
    fields.end();
  }
  return json + "]";
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

void render_billing(const Table& table, JsonFields& fields) {
  if (table.billing_mode != kPayPerRequest && table.pay_per_request_ms == 0) return;
  std::string billing;
  JsonFields members(billing);
  members.text("BillingMode", table.billing_mode);
  if (table.pay_per_request_ms > 0)
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
                 CapacityUnits units, JsonFields& fields) {
  const CapacityUnits warm = settings.warm_units(billing_mode, units);
  std::string throughput;
  JsonFields members(throughput);
  members.integer("ReadUnitsPerSecond", warm.read);
  members.text("Status", "ACTIVE");
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
  JsonFields fields(out);
  fields.raw("AttributeDefinitions", attribute_definitions_json(table.key));
  fields.text("TableName", table.name);
  fields.raw("KeySchema", key_schema_json(table.key));
  fields.text("TableStatus", status);
  fields.time("CreationDateTime", table.created_ms);
  const CapacityUnits units{table.read_units, table.write_units};
  const ThroughputSettings& throughput = table.settings.throughput;
  render_provisioned(throughput, units, now_ms, fields);
  render_billing(table, fields);
  if (status != "CREATING") render_warm(throughput, table.billing_mode, units, fields);
  render_on_demand(throughput, fields);
  // The service brings these two up to date every six hours or so; a new table has zero.
  fields.integer("TableSizeBytes", 0);
  fields.integer("ItemCount", 0);
  fields.text("TableArn", catalog.table_arn(table.name));
  fields.text("TableId", table.id);
  render_stream(catalog, table, fields);
  render_settings(table, status, fields);
  fields.truth("DeletionProtectionEnabled", table.deletion_protection);
  fields.end();
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

StreamDefinition new_stream(const Table& table, StreamViewType view_type, Lsn lsn, int64_t now_ms) {
  StreamDefinition stream;
  stream.view_type = view_type;
  stream.enabled_at = lsn;
  stream.created_ms = now_ms;
  if (!table.streams.empty())
    stream.created_ms = std::max(now_ms, table.streams.back().created_ms + 1);
  stream.label = stream_label(stream.created_ms);
  return stream;
}

}  // namespace millrace
