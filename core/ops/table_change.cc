#include "core/ops/table_change.h"

#include "core/model/refusals.h"
#include "core/ops/table_description.h"

namespace millrace {

namespace {

Status apply_on_demand_mode(const TableChange& change, int64_t now_ms, Table& table) {
  if (change.units) {
    return invalid_parameter(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST");
  }
  if (table.billing_mode == kPayPerRequest) return {};
  table.settings.throughput.keep_warm(table.billing_mode, {table.read_units, table.write_units});
  table.pay_per_request_ms = now_ms;
  table.billing_mode = kPayPerRequest;
  table.read_units = table.write_units = 0;
  return {};
}

Status apply_throughput(const TableChange& change, const Catalog& catalog, int64_t now_ms,
                        Table& table) {
  if (!change.billing_mode && !change.units) return {};
  const std::string mode = change.billing_mode.value_or(table.billing_mode);
  if (mode == kPayPerRequest) return apply_on_demand_mode(change, now_ms, table);
  const CapacityUnits before{table.read_units, table.write_units};
  ThroughputSettings& throughput = table.settings.throughput;
  throughput.keep_warm(table.billing_mode, before);
  const bool same_mode = table.billing_mode == mode;
  if (same_mode && before == *change.units) return units_will_not_change("table", before);
  RETURN_IF_ERROR(check_table_quota(*change.units, catalog.region()));
  if (same_mode) {
    throughput.note_change(before, *change.units, now_ms);
  } else {
    throughput.on_demand = {};
  }
  table.billing_mode = mode;
  table.read_units = change.units->read;
  table.write_units = change.units->write;
  return {};
}

Status apply_stream(const TableChange& change, const Catalog& catalog, Lsn lsn, int64_t now_ms,
                    Table& table) {
  if (!change.stream_enabled) return {};
  if (*change.stream_enabled) {
    if (table.enabled_stream() != nullptr)
      return validation_error("Table already has an enabled stream: TableName: " + table.name);
    table.streams.push_back(new_stream(catalog, table, *change.stream_view_type, lsn, now_ms));
    return {};
  }
  if (table.enabled_stream() == nullptr)
    return validation_error("Table has no stream to disable: TableName: " + table.name);
  table.streams.back().disable(lsn, now_ms);
  return {};
}

}  // namespace

Status apply_change(const TableChange& change, const Catalog& catalog, Lsn lsn, int64_t now_ms,
                    Table& table) {
  RETURN_IF_ERROR(apply_throughput(change, catalog, now_ms, table));
  RETURN_IF_ERROR(apply_stream(change, catalog, lsn, now_ms, table));
  RETURN_IF_ERROR(apply_settings(change.settings, catalog, now_ms, false, table));
  if (change.deletion_protection) table.deletion_protection = *change.deletion_protection;
  return {};
}

Error units_will_not_change(std::string_view whose, CapacityUnits units) {
  const std::string owner =
      whose == "table" ? "the table" : std::string(whose);  // the service's own grammar
  auto both = [&](std::string_view name, int64_t count) {
    return "Current " + std::string(name) + " provisioned for " + owner + ": " +
           std::to_string(count) + ". Requested " + std::string(name) + ": " +
           std::to_string(count) + ". ";
  };
  return validation_error("The provisioned throughput for the " + std::string(whose) +
                          " will not change. The requested value equals the current value. " +
                          both("ReadCapacityUnits", units.read) +
                          both("WriteCapacityUnits", units.write) +
                          "Refer to the Amazon DynamoDB Developer Guide for current limits and "
                          "how to request higher limits.");
}

}  // namespace millrace
