#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ops/catalog.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace {

// The members about settings that CreateTable and UpdateTable share, some of them also those of an
// index, and what they do to a definition.

/// MaxReadRequestUnits and MaxWriteRequestUnits, or ReadUnitsPerSecond and WriteUnitsPerSecond.
struct UnitsMembers {
  std::optional<int64_t> read_units, write_units;
  bool any() const { return read_units || write_units; }
};
/// What removes a limit of OnDemandThroughput from a table.
inline constexpr int64_t kOnDemandLimitRemoved = -1;

Status read_on_demand(JsonValue value, UnitsMembers& members);
Status read_warm(JsonValue value, UnitsMembers& members);

struct EncryptionMembers {
  std::optional<bool> enabled;
  std::optional<std::string> type, key;
};

/// Holds no view into the request.
struct SettingsMembers {
  std::optional<std::string> table_class;
  UnitsMembers on_demand, warm;  // without a member: as if absent
  std::optional<EncryptionMembers> encryption;

  /// False if it is no member of these.
  Result<bool> read(std::string_view name, JsonValue value);
  bool any() const { return table_class || on_demand.any() || warm.any() || encryption; }
};

void check_constraints(const SettingsMembers& members, Violations& violations);
/// What needs no table.
Status check_settings(const SettingsMembers& members);

/// Whose throughput it is, as messages say it.
struct ThroughputOwner {
  std::string_view billing_mode;
  CapacityUnits units;
  std::string_view index;  // empty: the table itself
  std::string_view region;
  bool creating = false;
};
/// The quota of a table's provisioned units.
Status check_table_quota(CapacityUnits units, std::string_view region);
Status apply_on_demand(const UnitsMembers& members, const ThroughputOwner& owner,
                       ThroughputSettings& settings);
Status apply_warm(const UnitsMembers& members, const ThroughputOwner& owner,
                  ThroughputSettings& settings);

/// All of them, for a table whose billing mode and units are set.
Status apply_settings(const SettingsMembers& members, const Catalog& catalog, int64_t now_ms,
                      bool creating, Table& table);

}  // namespace millrace
