#include <charconv>

#include "core/ops/catalog.h"
#include "core/ops/table_description.h"

namespace millrace {

namespace {

// The attributes of a definition's item. Persisted; unknown ones are ignored, so a release may add
// some. kFormat rises only when an older release would misread the rest.
constexpr uint64_t kFormat = 1;

Value text_value(std::string_view text) { return Value::string(std::string(text)); }

Value integer_value(uint64_t number) {
  return Value::number(Number::parse(std::to_string(number)).value());
}

Value key_attribute_value(const KeyAttribute& attribute) {
  return Value::map(
      {{"Name", text_value(attribute.name)}, {"Type", text_value(wire_name(attribute.type))}});
}

Value stream_value(const StreamDefinition& stream) {
  Value::Map entries;
  entries.emplace("Label", text_value(stream.label));
  entries.emplace("ViewType", text_value(view_type_name(stream.view_type)));
  entries.emplace("EnabledAt", integer_value(stream.enabled_at));
  if (stream.disabled_at) {
    entries.emplace("DisabledAt", integer_value(*stream.disabled_at));
    entries.emplace("DisabledTime", integer_value(static_cast<uint64_t>(stream.disabled_time_ms)));
  }
  entries.emplace("Shards", integer_value(stream.shard_count));
  entries.emplace("Created", integer_value(static_cast<uint64_t>(stream.created_ms)));
  return Value::map(std::move(entries));
}

Error damaged(std::string_view what) {
  return make_error(ErrorCode::kCorruption,
                    "catalogue: a table's definition has no good " + std::string(what));
}

// Reads the attributes of one map, with the first that is missing or wrong kept as the error.
class Reader {
 public:
  explicit Reader(MapView map) : map_(map) {}

  std::string text(std::string_view name) {
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kString) return fail(name), std::string();
    return std::string(value->scalar());
  }
  uint64_t integer(std::string_view name) {
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kNumber) return fail(name), 0;
    std::string digits = value->number().text();
    uint64_t number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return fail(name), 0;
    return number;
  }
  bool truth(std::string_view name) {
    auto value = map_.get(name);
    if (!value || !value->is_bool()) return fail(name), false;
    return value->type() == ValueType::kTrue;
  }
  KeyAttribute key_attribute(std::string_view name) {
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kMap) return fail(name), KeyAttribute{};
    Reader entries(value->map());
    KeyAttribute attribute{entries.text("Name"), ValueType::kString};
    std::string type = entries.text("Type");
    if (type == "N") {
      attribute.type = ValueType::kNumber;
    } else if (type == "B") {
      attribute.type = ValueType::kBinary;
    } else if (type != "S") {
      fail(name);
    }
    if (!entries.status()) fail(name);
    return attribute;
  }
  bool has(std::string_view name) const { return map_.get(name).has_value(); }
  std::optional<ValueView> get(std::string_view name) const { return map_.get(name); }

  void fail(std::string_view name) {
    if (status_) status_ = damaged(name);
  }
  const Status& status() const { return status_; }

 private:
  MapView map_;
  Status status_;
};

Result<StreamDefinition> stream_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("Streams");
  Reader reader(value.map());
  StreamDefinition stream;
  stream.label = reader.text("Label");
  auto type = view_type_of(reader.text("ViewType"));
  if (!type) return damaged("ViewType");
  stream.view_type = *type;
  stream.enabled_at = reader.integer("EnabledAt");
  if (reader.has("DisabledAt")) {
    stream.disabled_at = reader.integer("DisabledAt");
    stream.disabled_time_ms = static_cast<int64_t>(reader.integer("DisabledTime"));
  }
  stream.shard_count = static_cast<uint32_t>(reader.integer("Shards"));
  stream.created_ms = static_cast<int64_t>(reader.integer("Created"));
  RETURN_IF_ERROR(reader.status());
  return stream;
}

}  // namespace

std::string Catalog::encode(const Table& table) {
  ItemTree item;
  item.emplace("Format", integer_value(kFormat));
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
  return encode_item(item);
}

Result<Table> Catalog::decode(ItemView item) {
  Reader reader(item.attributes());
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
  return table;
}

}  // namespace millrace
