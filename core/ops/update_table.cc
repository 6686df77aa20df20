#include "core/ops/definition_command.h"
#include "core/ops/definition_request.h"
#include "core/ops/operations.h"
#include "core/ops/table_change.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

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

// Most changes must be the only one in their request. Of several, the service names the first of
// these.
Status check_alone(const DefinitionMembers& members) {
  const SettingsMembers& settings = members.settings;
  const int changes = (settings.encryption ? 1 : 0) + (settings.table_class ? 1 : 0) +
                      (settings.on_demand.any() ? 1 : 0) + (settings.warm.any() ? 1 : 0) +
                      (members.deletion_protection ? 1 : 0) + (members.stream ? 1 : 0) +
                      (members.billing_mode || members.throughput ? 1 : 0);
  if (changes > 1) {
    const std::string_view alone = settings.encryption    ? "Server-Side Encryption modification"
                                   : settings.table_class ? "TableClass modification"
                                   : members.deletion_protection ? "DeletionProtection modification"
                                   : settings.warm.any()         ? "WarmThroughput"
                                                                 : "";
    if (!alone.empty())
      return invalid(std::string(alone) + " must be the only operation in the request");
  }
  if (settings.on_demand.any() && (members.stream || members.throughput)) {
    return invalid(
        "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
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
  RETURN_IF_ERROR(check_settings(members.settings));
  RETURN_IF_ERROR(check_supported(members));
  if (!members.billing_mode && !members.throughput && !members.stream &&
      !members.deletion_protection && !members.settings.any()) {
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
  if (members.throughput)
    change.units = {*members.throughput->read_units, *members.throughput->write_units};
  if (members.stream) {
    change.stream_enabled = members.stream->enabled;
    if (members.stream->view_type)
      change.stream_view_type = view_type_of(*members.stream->view_type);
  }
  change.deletion_protection = members.deletion_protection;
  change.settings = members.settings;
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
    Status status = apply_change(change_, catalog_, commit.next_lsn(), commit.time_ms(), table);
    if (!status) return fail(status.error());
    commit.put(Catalog::key_of(name_), Catalog::encode(table), true, std::nullopt);
    answer_description(as_answered(*found, std::move(table)),
                       change_.takes_a_while() ? "UPDATING" : "ACTIVE");
  }

 private:
  // The service says that units are being changed: it shows those from before.
  static Table as_answered(const Table& before, Table after) {
    if (before.billing_mode == after.billing_mode) {
      after.read_units = before.read_units;
      after.write_units = before.write_units;
    }
    return after;
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
