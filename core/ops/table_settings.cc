#include "core/ops/table_settings.h"

#include <algorithm>

#include "core/ops/definition_values.h"

namespace millrace {

namespace {

// What an on-demand table or index can take at once when it is new.
// Source: developer guide, "Understanding DynamoDB warm throughput".
constexpr CapacityUnits kOnDemandUnits{12000, 4000};

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;

void put_integer(std::string_view name, int64_t value, Value::Map& entries) {
  if (value != 0) entries.emplace(name, integer_value(static_cast<uint64_t>(value)));
}

int64_t integer_or_zero(std::string_view name, DefinitionReader& reader) {
  return reader.has(name) ? static_cast<int64_t>(reader.integer(name)) : 0;
}

}  // namespace

CapacityUnits ThroughputSettings::warm_units(std::string_view billing_mode,
                                             CapacityUnits units) const {
  const CapacityUnits& now = billing_mode == kPayPerRequest ? kOnDemandUnits : units;
  return {std::max(warm.read, now.read), std::max(warm.write, now.write)};
}

void ThroughputSettings::keep_warm(std::string_view billing_mode, CapacityUnits units) {
  warm = warm_units(billing_mode, units);
}

void ThroughputSettings::note_change(CapacityUnits before, CapacityUnits after, int64_t now_ms) {
  if (after.read < before.read || after.write < before.write) {
    decreases = decreases_today(now_ms) + 1;
    decreased_ms = now_ms;
  }
  if (after.read > before.read || after.write > before.write) increased_ms = now_ms;
}

int64_t ThroughputSettings::decreases_today(int64_t now_ms) const {
  return decreased_ms / kDayMs == now_ms / kDayMs ? decreases : 0;
}

void put_settings(const ThroughputSettings& settings, Value::Map& definition) {
  Value::Map entries;
  put_integer("OnDemandReads", settings.on_demand.read.value_or(0), entries);
  put_integer("OnDemandWrites", settings.on_demand.write.value_or(0), entries);
  put_integer("WarmReads", settings.warm.read, entries);
  put_integer("WarmWrites", settings.warm.write, entries);
  put_integer("Increased", settings.increased_ms, entries);
  put_integer("Decreased", settings.decreased_ms, entries);
  put_integer("Decreases", settings.decreases, entries);
  if (!entries.empty()) definition.emplace("Throughput", Value::map(std::move(entries)));
}

Status read_settings(MapView definition, ThroughputSettings& settings) {
  auto value = definition.get("Throughput");
  if (!value) return {};
  if (value->type() != ValueType::kMap) return damaged("Throughput");
  DefinitionReader reader(value->map());
  auto limit = [&](std::string_view name) -> std::optional<int64_t> {
    int64_t units = integer_or_zero(name, reader);
    return units == 0 ? std::nullopt : std::optional(units);
  };
  settings.on_demand = {limit("OnDemandReads"), limit("OnDemandWrites")};
  settings.warm = {integer_or_zero("WarmReads", reader), integer_or_zero("WarmWrites", reader)};
  settings.increased_ms = integer_or_zero("Increased", reader);
  settings.decreased_ms = integer_or_zero("Decreased", reader);
  settings.decreases = integer_or_zero("Decreases", reader);
  return reader.status();
}

void put_settings(const TableSettings& settings, Value::Map& definition) {
  put_settings(settings.throughput, definition);
  if (!settings.table_class.empty()) {
    definition.emplace("TableClass", text_value(settings.table_class));
    put_integer("TableClassTime", settings.table_class_ms, definition);
  }
  if (!settings.kms_key_arn.empty()) definition.emplace("KmsKey", text_value(settings.kms_key_arn));
}

Status read_settings(MapView definition, TableSettings& settings) {
  RETURN_IF_ERROR(read_settings(definition, settings.throughput));
  DefinitionReader reader(definition);
  if (reader.has("TableClass")) settings.table_class = reader.text("TableClass");
  settings.table_class_ms = integer_or_zero("TableClassTime", reader);
  if (reader.has("KmsKey")) settings.kms_key_arn = reader.text("KmsKey");
  return reader.status();
}

}  // namespace millrace
