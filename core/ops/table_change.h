#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/ops/catalog.h"
#include "core/ops/settings_request.h"

namespace millrace {

/// What UpdateTable is to change, without a view into its request.
struct TableChange {
  std::optional<std::string> billing_mode;
  std::optional<CapacityUnits> units;
  std::optional<bool> stream_enabled;
  std::optional<StreamViewType> stream_view_type;
  std::optional<bool> deletion_protection;
  SettingsMembers settings;

  /// Whether the service shows the table as UPDATING for a while.
  bool takes_a_while() const {
    return billing_mode || units || stream_enabled || settings.table_class;
  }
};

/// Makes the changes in `table`, as part of the entry with this LSN and time; its errors are the
/// client's, and then `table` is of no use.
Status apply_change(const TableChange& change, const Catalog& catalog, Lsn lsn, int64_t now_ms,
                    Table& table);

/// The refusal of units that change nothing. `whose`: "table" or "index I".
Error units_will_not_change(std::string_view whose, CapacityUnits units);

}  // namespace millrace
