// DescribeContinuousBackups and UpdateContinuousBackups, which answer alike.

#include <algorithm>

#include "core/ops/attachment_request.h"
#include "core/ops/json_fields.h"
#include "core/ops/operations.h"

namespace millrace {

namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
// The service can restore up to about five minutes ago.
constexpr int64_t kRestorableLagMs = 5 * 60 * 1000;

std::string description(const Table& table, int64_t now_ms) {
  std::string recovery, backups, body;
  JsonFields members(recovery);
  const std::optional<PointInTimeRecovery>& enabled = table.attachments.recovery;
  members.text("PointInTimeRecoveryStatus", enabled ? "ENABLED" : "DISABLED");
  if (enabled) {
    const int64_t earliest = std::max(enabled->enabled_ms, now_ms - enabled->period_days * kDayMs);
    members.integer("RecoveryPeriodInDays", enabled->period_days);
    members.time("EarliestRestorableDateTime", earliest);
    members.time("LatestRestorableDateTime", std::max(earliest, now_ms - kRestorableLagMs));
  }
  members.end();
  JsonFields outer(backups);
  outer.text("ContinuousBackupsStatus", "ENABLED");
  outer.raw("PointInTimeRecoveryDescription", recovery);
  outer.end();
  JsonFields fields(body);
  fields.raw("ContinuousBackupsDescription", backups);
  fields.end();
  return body;
}

Error no_table(std::string_view name) {
  return make_error(ErrorCode::kTableNotFound, "Table not found: " + std::string(name));
}

struct RecoveryMembers {
  std::optional<std::string_view> table_name;
  bool has_specification = false;
  std::optional<bool> enabled;
  std::optional<int64_t> period_days;
};

Status read_request(RequestJson& json, RecoveryMembers& members) {
  constexpr std::string_view kSpecification = "PointInTimeRecoverySpecification";
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "TableName") return read_string(value, members.table_name);
    if (name != kSpecification) return {};
    members.has_specification = true;
    ASSIGN_OR_RETURN(JsonObject object, read_structure(value, kSpecification));
    return each_member(object, [&](std::string_view member, JsonValue inner) -> Status {
      if (member == "PointInTimeRecoveryEnabled") return read_bool(inner, members.enabled);
      if (member == "RecoveryPeriodInDays")
        return read_integer(inner, "Integer", members.period_days);
      return {};
    });
  });
}

Status check_request(const RecoveryMembers& members) {
  RETURN_IF_ERROR(check_defined_table_name(members.table_name));
  const std::string path = "pointInTimeRecoverySpecification";
  const std::string days = path + ".recoveryPeriodInDays";
  Violations violations;
  violations.require(members.has_specification, path);
  if (members.has_specification)
    violations.require(members.enabled.has_value(), path + ".pointInTimeRecoveryEnabled");
  violations.at_least(members.period_days, days, 1);
  if (members.period_days.value_or(0) > PointInTimeRecovery::kPeriodDaysMax) {
    violations.add(std::to_string(*members.period_days), days,
                   "Member must have value less than or equal to 35");
  }
  RETURN_IF_ERROR(violations.status());
  if (!*members.enabled && members.period_days) {
    return validation_error(
        "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time "
        "recovery.");
  }
  return {};
}

}  // namespace

void describe_continuous_backups(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  RecoveryMembers members;
  Status status = read_request(json, members);
  if (status) status = check_defined_table_name(members.table_name);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> table = node.catalog.resolve(*members.table_name, no_table);
  if (!table) return reply.error(table.error());
  reply.ok(description(**table, node.clock.wall_ms()));
}

void update_continuous_backups(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  RecoveryMembers members;
  Status status = read_request(json, members);
  if (status) status = check_request(members);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> table = node.catalog.resolve(*members.table_name, no_table);
  if (!table) return reply.error(table.error());
  submit_attachment_change(node, std::move(reply), {*table, {}}, no_table((*table)->name),
                           [enabled = *members.enabled, days = members.period_days](
                               Table& changed, int64_t now_ms) -> Result<AttachmentChange> {
                             std::optional<PointInTimeRecovery>& recovery =
                                 changed.attachments.recovery;
                             if (!enabled) {
                               recovery.reset();
                             } else {
                               if (!recovery) recovery.emplace().enabled_ms = now_ms;
                               if (days) recovery->period_days = *days;
                             }
                             return AttachmentChange{description(changed, now_ms), true};
                           });
}

}  // namespace millrace
