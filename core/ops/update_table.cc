#include "core/ops/definition_command.h"
#include "core/ops/definition_request.h"
#include "core/ops/operations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

/// What is to change, without a view into the request.
struct TableChange {
  std::optional<std::string> billing_mode;
  std::optional<int64_t> read_units, write_units;
  std::optional<bool> stream_enabled;
  std::optional<StreamViewType> stream_view_type;
  std::optional<bool> deletion_protection;
};

Error invalid(std::string_view what) {
  return validation_error(std::string(kInvalid).append(what));
}

Status check_stream_members(const std::optional<StreamMembers>& stream) {
  if (!stream) return {};
  if (*stream->enabled && !stream->view_type)
    return invalid("If stream is being enabled then UpdateViewType is required");
  if (!*stream->enabled && stream->view_type)
    return invalid("If stream is being disabled, then UpdateViewType must not be specified");
  return {};
}

// Some changes must be the only one in their request.
Status check_alone(const DefinitionMembers& members) {
  if (members.deletion_protection &&
      (members.billing_mode || members.throughput || members.stream)) {
    return invalid("DeletionProtection modification must be the only operation in the request");
  }
  if (members.stream && members.throughput)
    return invalid("You cannot modify stream status while updating table IOPS");
  return {};
}

Result<TableChange> change_of(const DefinitionMembers& members) {
  RETURN_IF_ERROR(check_defined_table_name(members.table_name));
  Violations violations;
  check_definition_constraints(members, violations);
  RETURN_IF_ERROR(violations.status());
  RETURN_IF_ERROR(check_throughput_bounds(members));
  RETURN_IF_ERROR(check_supported(members));
  if (!members.billing_mode && !members.throughput && !members.stream &&
      !members.deletion_protection) {
    return validation_error(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
        "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
        "OnDemandThroughput, WarmThroughput or TableClass is required");
  }
  RETURN_IF_ERROR(check_alone(members));
  RETURN_IF_ERROR(check_stream_members(members.stream));
  if (members.billing_mode == "PROVISIONED" && !members.throughput)
    return invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  TableChange change;
  if (members.billing_mode) change.billing_mode = std::string(*members.billing_mode);
  if (members.throughput) {
    change.read_units = members.throughput->read_units;
    change.write_units = members.throughput->write_units;
  }
  if (members.stream) {
    change.stream_enabled = members.stream->enabled;
    if (members.stream->view_type)
      change.stream_view_type = view_type_of(*members.stream->view_type);
  }
  change.deletion_protection = members.deletion_protection;
  return change;
}

class UpdateTableCommand final : public DefinitionCommand {
 public:
  UpdateTableCommand(Node& node, Reply reply, std::string name, TableChange change)
      : DefinitionCommand(node, std::move(reply)),
        name_(std::move(name)),
        change_(std::move(change)) {}

  void evaluate(Commit& commit) override {
    TablePtr found = catalog_.find(name_);
    if (found == nullptr) return fail(table_not_found(name_));
    Table table = *found;
    Status status = apply_throughput(commit.time_ms(), table);
    if (status) status = apply_stream(commit.next_lsn(), commit.time_ms(), table);
    if (!status) return fail(status.error());
    if (change_.deletion_protection) table.deletion_protection = *change_.deletion_protection;
    commit.put(Catalog::key_of(name_), Catalog::encode(table), true, std::nullopt);
    answer_description(table, "UPDATING");
  }

 private:
  Status apply_throughput(int64_t now_ms, Table& table) const {
    if (!change_.billing_mode && !change_.read_units) return {};
    std::string mode = change_.billing_mode.value_or(table.billing_mode);
    if (mode == "PAY_PER_REQUEST") {
      if (change_.read_units) {
        return invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST");
      }
      if (table.billing_mode != mode) table.pay_per_request_ms = now_ms;
      table.billing_mode = mode;
      table.read_units = table.write_units = 0;
      return {};
    }
    if (table.billing_mode == mode && table.read_units == *change_.read_units &&
        table.write_units == *change_.write_units) {
      return unchanged(table);
    }
    table.billing_mode = mode;
    table.read_units = *change_.read_units;
    table.write_units = *change_.write_units;
    return {};
  }

  Error unchanged(const Table& table) const {
    return validation_error(
        "The provisioned throughput for the table will not change. The requested value equals the "
        "current value. Current ReadCapacityUnits provisioned for the table: " +
        std::to_string(table.read_units) +
        ". Requested ReadCapacityUnits: " + std::to_string(*change_.read_units) +
        ". Current WriteCapacityUnits provisioned for the table: " +
        std::to_string(table.write_units) +
        ". Requested WriteCapacityUnits: " + std::to_string(*change_.write_units) +
        ". Refer to the Amazon DynamoDB Developer Guide for current limits and how to request "
        "higher limits.");
  }

  Status apply_stream(Lsn lsn, int64_t now_ms, Table& table) const {
    if (!change_.stream_enabled) return {};
    if (*change_.stream_enabled) {
      if (table.enabled_stream() != nullptr)
        return validation_error("Table already has an enabled stream: TableName: " + name_);
      table.streams.push_back(new_stream(table, *change_.stream_view_type, lsn, now_ms));
      return {};
    }
    if (table.enabled_stream() == nullptr)
      return validation_error("Table has no stream to disable: TableName: " + name_);
    table.streams.back().disabled_at = lsn;
    table.streams.back().disabled_time_ms = now_ms;
    return {};
  }

  const std::string name_;
  const TableChange change_;
};

}  // namespace

void update_table(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  DefinitionMembers members;
  Status status = json.each_member(
      [&](std::string_view name, JsonValue value) { return members.read(name, value); });
  if (!status) return reply.error(status.error());
  Result<TableChange> change = change_of(members);
  if (!change) return reply.error(change.error());
  TablePtr table = node.catalog.resolve(*members.table_name);
  if (table == nullptr) return reply.error(table_not_found(*members.table_name));
  node.submit(std::make_unique<UpdateTableCommand>(node, std::move(reply), table->name,
                                                   std::move(*change)));
}

}  // namespace millrace
