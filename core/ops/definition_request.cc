#include "core/ops/definition_request.h"

#include "core/model/refusals.h"

namespace millrace {

namespace {

constexpr int64_t kUnitsMax = 1'000'000'000'000;

// Members that change what a table is or does, so that ignoring them would mislead.
constexpr std::string_view kUnsupported[] = {"VectorIndexes",
                                             "GlobalTableSourceArn",
                                             "ReplicaUpdates",
                                             "VectorIndexUpdates",
                                             "MultiRegionConsistency",
                                             "GlobalTableWitnessUpdates",
                                             "DisassociationProtectionEnabled",
                                             "GlobalTableSettingsReplicationMode"};

Result<bool> is_empty_list(JsonValue value) {
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) return malformed_json();
  if (type != simdjson::ondemand::json_type::array) return false;
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  bool empty = true;
  RETURN_IF_ERROR(each_element(array, [&](size_t, JsonValue) -> Status {
    empty = false;
    return {};
  }));
  return empty;
}

Status read_stream(JsonValue value, StreamMembers& stream) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, "StreamSpecification"));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    if (name == "StreamEnabled") return read_bool(inner, stream.enabled);
    if (name == "StreamViewType") return read_string(inner, stream.view_type);
    return {};
  });
}

void check_units(std::optional<int64_t> units, std::string_view path, Violations& violations) {
  violations.require(units.has_value(), path);
  violations.at_least(units, path, 1);
}

}  // namespace

Status read_throughput(JsonValue value, ThroughputMembers& throughput) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, "ProvisionedThroughput"));
  return each_member(object, [&](std::string_view name, JsonValue units) -> Status {
    if (name == "ReadCapacityUnits") return read_integer(units, "Long", throughput.read_units);
    if (name == "WriteCapacityUnits") return read_integer(units, "Long", throughput.write_units);
    return {};
  });
}

void check_throughput_constraints(const ThroughputMembers& throughput, const std::string& path,
                                  Violations& violations) {
  check_units(throughput.write_units, path + "writeCapacityUnits", violations);
  check_units(throughput.read_units, path + "readCapacityUnits", violations);
}

Status check_units_in_bounds(const ThroughputMembers& throughput) {
  auto bounded = [](int64_t units, std::string_view name) -> Status {
    if (units <= kUnitsMax) return {};
    return validation_error("Given value " + std::to_string(units) + " for " + std::string(name) +
                            " is out of bounds");
  };
  RETURN_IF_ERROR(bounded(*throughput.read_units, "ReadCapacityUnits"));
  return bounded(*throughput.write_units, "WriteCapacityUnits");
}

Status DefinitionMembers::read(std::string_view name, JsonValue value) {
  if (name == "TableName") return read_string(value, table_name);
  if (name == "BillingMode") return read_string(value, billing_mode);
  if (name == "ProvisionedThroughput") return read_throughput(value, throughput.emplace());
  if (name == "StreamSpecification") return read_stream(value, stream.emplace());
  if (name == "DeletionProtectionEnabled") return read_bool(value, deletion_protection);
  ASSIGN_OR_RETURN(bool taken, settings.read(name, value));
  if (taken) return {};
  for (std::string_view member : kUnsupported) {
    if (name != member) continue;
    ASSIGN_OR_RETURN(bool nothing, is_empty_list(value));
    if (!nothing) unsupported.push_back(member);
  }
  return {};
}

void check_definition_constraints(const DefinitionMembers& members, Violations& violations) {
  violations.one_of(members.billing_mode, "billingMode", "PROVISIONED, PAY_PER_REQUEST");
  if (members.throughput) {
    check_throughput_constraints(*members.throughput, "provisionedThroughput.", violations);
  }
  if (members.stream) {
    violations.require(members.stream->enabled.has_value(), "streamSpecification.streamEnabled");
    violations.one_of(members.stream->view_type, "streamSpecification.streamViewType",
                      "OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, NEW_IMAGE");
  }
  check_constraints(members.settings, violations);
}

Status check_throughput_bounds(const DefinitionMembers& members) {
  if (!members.throughput) return {};
  if (members.billing_mode == "PAY_PER_REQUEST") {
    return invalid_parameter(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST");
  }
  return check_units_in_bounds(*members.throughput);
}

Status check_supported(const DefinitionMembers& members) {
  if (members.unsupported.empty()) return {};
  std::string names;
  for (std::string_view name : members.unsupported) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return invalid_parameter(names + " is not supported here");
}

}  // namespace millrace
