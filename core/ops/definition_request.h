#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/ops/request_json.h"
#include "core/ops/settings_request.h"
#include "core/ops/table_description.h"
#include "core/ops/violations.h"

namespace millrace {

// The members that CreateTable and UpdateTable share.

struct ThroughputMembers {
  std::optional<int64_t> read_units, write_units;
};

struct StreamMembers {
  std::optional<bool> enabled;
  std::optional<std::string_view> view_type;
};

struct DefinitionMembers {
  std::optional<std::string_view> table_name;
  std::optional<std::string_view> billing_mode;
  std::optional<ThroughputMembers> throughput;
  std::optional<StreamMembers> stream;
  std::optional<bool> deletion_protection;
  SettingsMembers settings;
  std::vector<std::string_view> unsupported;  // members that are not ignored silently

  Status read(std::string_view name, JsonValue value);
};

Status read_throughput(JsonValue value, ThroughputMembers& throughput);
/// `path`: "provisionedThroughput.".
void check_throughput_constraints(const ThroughputMembers& throughput, const std::string& path,
                                  Violations& violations);
Status check_units_in_bounds(const ThroughputMembers& throughput);

void check_definition_constraints(const DefinitionMembers& members, Violations& violations);

/// The rules between billing mode and throughput that need no table.
Status check_throughput_bounds(const DefinitionMembers& members);

/// Refuses what is not supported, by name.
Status check_supported(const DefinitionMembers& members);

}  // namespace millrace
