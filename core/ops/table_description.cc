#include "core/ops/table_description.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "core/model/item_json.h"

namespace millrace {

namespace {

// What an on-demand table can take at once when it is new.
// Source: developer guide, "Understanding DynamoDB warm throughput".
constexpr int64_t kOnDemandReads = 12000;
constexpr int64_t kOnDemandWrites = 4000;

class Fields {
 public:
  explicit Fields(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view name, std::string_view value) {
    begin(name);
    render_json_string(value, out_);
  }
  void raw(std::string_view name, std::string_view value) {
    begin(name);
    out_ += value;
  }
  void integer(std::string_view name, int64_t value) { raw(name, std::to_string(value)); }
  void truth(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void time(std::string_view name, int64_t time_ms) {
    std::array<char, 32> digits;
    int size = std::snprintf(digits.data(), digits.size(), "%lld.%03lld",
                             static_cast<long long>(time_ms / 1000),
                             static_cast<long long>(time_ms % 1000));
    raw(name, std::string_view(digits.data(), static_cast<size_t>(size)));
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_.append("\"").append(name).append("\":");
  }
  std::string& out_;
};

std::string key_schema_json(const KeySchema& key) {
  std::string json = "[";
  auto add = [&](const KeyAttribute& attribute, std::string_view role) {
    if (json.size() > 1) json += ',';
    Fields fields(json);
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
    Fields fields(json);
    fields.text("AttributeName", attribute->name);
    fields.text("AttributeType", wire_name(attribute->type));
    fields.end();
  }
  return json + "]";
}

void render_throughput(const Table& table, bool creating, Fields& fields) {
  bool on_demand = table.billing_mode == "PAY_PER_REQUEST";
  std::string throughput;
  Fields units(throughput);
  units.integer("NumberOfDecreasesToday", 0);
  units.integer("ReadCapacityUnits", table.read_units);
  units.integer("WriteCapacityUnits", table.write_units);
  units.end();
  fields.raw("ProvisionedThroughput", throughput);
  if (on_demand || table.pay_per_request_ms > 0) {
    std::string billing;
    Fields members(billing);
    members.text("BillingMode", table.billing_mode);
    if (table.pay_per_request_ms > 0)
      members.time("LastUpdateToPayPerRequestDateTime", table.pay_per_request_ms);
    members.end();
    fields.raw("BillingModeSummary", billing);
  }
  if (creating) return;
  std::string warm;
  Fields members(warm);
  members.integer("ReadUnitsPerSecond", on_demand ? kOnDemandReads : table.read_units);
  members.text("Status", "ACTIVE");
  members.integer("WriteUnitsPerSecond", on_demand ? kOnDemandWrites : table.write_units);
  members.end();
  fields.raw("WarmThroughput", warm);
}

void render_stream(const Catalog& catalog, const Table& table, Fields& fields) {
  if (table.streams.empty()) return;
  const StreamDefinition& latest = table.streams.back();
  fields.text("LatestStreamArn", catalog.stream_arn(table, latest));
  fields.text("LatestStreamLabel", latest.label);
  if (table.enabled_stream() == nullptr) return;
  std::string specification;
  Fields members(specification);
  members.truth("StreamEnabled", true);
  members.text("StreamViewType", view_type_name(latest.view_type));
  members.end();
  fields.raw("StreamSpecification", specification);
}

}  // namespace

void render_table(const Catalog& catalog, const Table& table, std::string_view status,
                  std::string& out) {
  Fields fields(out);
  fields.raw("AttributeDefinitions", attribute_definitions_json(table.key));
  fields.text("TableName", table.name);
  fields.raw("KeySchema", key_schema_json(table.key));
  fields.text("TableStatus", status);
  fields.time("CreationDateTime", table.created_ms);
  render_throughput(table, status == "CREATING", fields);
  // The service brings these two up to date every six hours or so; a new table has zero.
  fields.integer("TableSizeBytes", 0);
  fields.integer("ItemCount", 0);
  fields.text("TableArn", catalog.table_arn(table.name));
  fields.text("TableId", table.id);
  render_stream(catalog, table, fields);
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
