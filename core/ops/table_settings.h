#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/value.h"

namespace millrace {

// What a table or index is asked to take and how it is kept, beyond what this store needs to know:
// remembered, checked and shown as the service does, and nothing is throttled or encrypted by it.

struct CapacityUnits {
  int64_t read = 0, write = 0;
  bool operator==(const CapacityUnits&) const = default;
};

/// Limits of an on-demand table or index; none: not limited.
struct OnDemandLimits {
  std::optional<int64_t> read, write;
  bool any() const { return read || write; }
};

/// Of a table or a global index.
struct ThroughputSettings {
  OnDemandLimits on_demand;
  /// What it could take at once at its best so far, or was asked to: it never falls.
  CapacityUnits warm;
  int64_t increased_ms = 0, decreased_ms = 0;  // of its provisioned units; 0: never
  int64_t decreases = 0;                       // on the UTC day of decreased_ms

  /// Remembers what it can take now, before its units or billing mode change.
  void keep_warm(std::string_view billing_mode, CapacityUnits units);
  /// What it can take at once.
  CapacityUnits warm_units(std::string_view billing_mode, CapacityUnits units) const;
  /// Notes a change of its provisioned units.
  void note_change(CapacityUnits before, CapacityUnits after, int64_t now_ms);
  int64_t decreases_today(int64_t now_ms) const;
};

/// The service's initial quota of each kind of units of a table. Source: developer guide, "Quotas
/// in Amazon DynamoDB".
inline constexpr int64_t kTableUnitsMax = 40'000;

struct TableSettings {
  ThroughputSettings throughput;
  std::string table_class;  // empty: STANDARD, and never set
  int64_t table_class_ms = 0;
  std::string kms_key_arn;  // empty: the service's own key, which is not shown
};

inline constexpr std::string_view kPayPerRequest = "PAY_PER_REQUEST";
inline constexpr std::string_view kProvisioned = "PROVISIONED";

/// Adds them to the map that a definition is encoded as, if they are not as they begin, and reads
/// them back. Persisted.
void put_settings(const ThroughputSettings& settings, Value::Map& definition);
void put_settings(const TableSettings& settings, Value::Map& definition);
Status read_settings(MapView definition, ThroughputSettings& settings);
Status read_settings(MapView definition, TableSettings& settings);

}  // namespace millrace
