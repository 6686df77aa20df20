#include "core/ops/capacity.h"

#include <algorithm>

#include "core/model/item_json.h"

namespace millrace {

namespace {

constexpr size_t kReadUnitBytes = 4096;
constexpr size_t kWriteUnitBytes = 1024;

size_t units_begun(size_t bytes, size_t unit_bytes) {
  return std::max<size_t>(1, (bytes + unit_bytes - 1) / unit_bytes);
}

void append_units(HalfUnits units, CapacityKind kind, std::string& out) {
  std::string number = std::to_string(units.count / 2) + (units.count % 2 == 0 ? ".0" : ".5");
  out.append("\"CapacityUnits\":").append(number);
  if (kind == CapacityKind::kTransactionalRead) {
    out.append(",\"ReadCapacityUnits\":").append(number);
  } else if (kind == CapacityKind::kTransactionalWrite) {
    out.append(",\"WriteCapacityUnits\":").append(number);
  }
}

void append_indexes(std::string_view member,
                    const std::map<std::string, HalfUnits, std::less<>>& indexes, CapacityKind kind,
                    std::string& out) {
  if (indexes.empty()) return;
  out.append(",\"").append(member).append("\":{");
  for (const auto& [name, units] : indexes) {
    if (out.back() != '{') out += ',';
    render_json_string(name, out);
    out += ":{";
    append_units(units, kind, out);
    out += '}';
  }
  out += '}';
}

}  // namespace

CapacityDetail capacity_detail(std::string_view value) {
  if (value == "TOTAL") return CapacityDetail::kTotal;
  if (value == "INDEXES") return CapacityDetail::kIndexes;
  return CapacityDetail::kNone;
}

HalfUnits read_units(size_t bytes, bool consistent) {
  return {units_begun(bytes, kReadUnitBytes) * (consistent ? 2 : 1)};
}

HalfUnits transactional_read_units(size_t bytes) {
  return {units_begun(bytes, kReadUnitBytes) * 4};
}

HalfUnits write_units(size_t old_bytes, size_t new_bytes) {
  return {units_begun(std::max(old_bytes, new_bytes), kWriteUnitBytes) * 2};
}

ConsumedUnits& ConsumedUnits::operator+=(const ConsumedUnits& other) {
  table += other.table;
  for (const auto& [name, units] : other.local_indexes) local_indexes[name] += units;
  for (const auto& [name, units] : other.global_indexes) global_indexes[name] += units;
  return *this;
}

HalfUnits ConsumedUnits::total() const {
  HalfUnits sum = table;
  for (const auto& [name, units] : local_indexes) sum += units;
  for (const auto& [name, units] : global_indexes) sum += units;
  return sum;
}

void render_capacity(std::string_view table_name, const ConsumedUnits& units, CapacityDetail detail,
                     CapacityKind kind, std::string& out) {
  out += "{\"TableName\":";
  render_json_string(table_name, out);
  out += ',';
  append_units(units.total(), kind, out);
  if (detail == CapacityDetail::kIndexes) {
    out += ",\"Table\":{";
    append_units(units.table, kind, out);
    out += '}';
    append_indexes("LocalSecondaryIndexes", units.local_indexes, kind, out);
    append_indexes("GlobalSecondaryIndexes", units.global_indexes, kind, out);
  }
  out += '}';
}

void render_capacities(const std::map<std::string_view, ConsumedUnits>& units,
                       CapacityDetail detail, CapacityKind kind, std::string& out) {
  if (out.back() != '{') out += ',';
  out += "\"ConsumedCapacity\":[";
  for (const auto& [table_name, table_units] : units) {
    if (out.back() != '[') out += ',';
    render_capacity(table_name, table_units, detail, kind, out);
  }
  out += ']';
}

}  // namespace millrace
