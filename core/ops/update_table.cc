#include <algorithm>

#include "core/model/refusals.h"
#include "core/ops/backfill.h"
#include "core/ops/definition_command.h"
#include "core/ops/definition_request.h"
#include "core/ops/index_updates.h"
#include "core/ops/operations.h"
#include "core/ops/table_change.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

Status check_stream_members(const std::optional<StreamMembers>& stream) {
  if (!stream) return {};
  if (*stream->enabled && !stream->view_type)
    return invalid_parameter("If stream is being enabled then UpdateViewType is required");
  if (!*stream->enabled && stream->view_type)
    return invalid_parameter(
        "If stream is being disabled, then UpdateViewType must not be specified");
  return {};
}

struct UpdateMembers {
  DefinitionMembers definition;
  std::optional<KeyElements> attributes;
  std::optional<std::vector<IndexUpdateMembers>> index_updates;

  bool any_index(std::optional<IndexMembers> IndexUpdateMembers::*action) const {
    return index_updates &&
           std::any_of(index_updates->begin(), index_updates->end(),
                       [&](const IndexUpdateMembers& update) { return update.*action; });
  }
};

// Most changes must be the only one in their request. Of several, the service names the first of
// these.
Status check_alone(const UpdateMembers& members) {
  const DefinitionMembers& definition = members.definition;
  const SettingsMembers& settings = definition.settings;
  const bool create = members.any_index(&IndexUpdateMembers::create);
  const bool online = create || members.any_index(&IndexUpdateMembers::remove);
  const int changes = (settings.encryption ? 1 : 0) + (settings.table_class ? 1 : 0) +
                      (settings.on_demand.any() ? 1 : 0) + (settings.warm.any() ? 1 : 0) +
                      (definition.deletion_protection ? 1 : 0) + (definition.stream ? 1 : 0) +
                      (definition.billing_mode || definition.throughput ? 1 : 0) +
                      (members.index_updates ? 1 : 0);
  if (changes > 1) {
    std::string_view alone;
    if (settings.encryption) {
      alone = "Server-Side Encryption modification";
    } else if (settings.table_class) {
      alone = "TableClass modification";
    } else if (definition.deletion_protection) {
      alone = "DeletionProtection modification";
    } else if (settings.warm.any() && create) {
      return invalid_parameter(
          "Create global secondary index cannot be specified when updating WarmThroughput");
    } else if (settings.warm.any()) {
      alone = "WarmThroughput";
    }
    if (!alone.empty())
      return invalid_parameter(std::string(alone) + " must be the only operation in the request");
  }
  if (settings.on_demand.any() &&
      (definition.stream || (definition.throughput && !definition.billing_mode) ||
       members.index_updates)) {
    return invalid_parameter(
        "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
  }
  if (definition.stream && definition.throughput)
    return invalid_parameter("You cannot modify stream status while updating table IOPS");
  if (online && definition.throughput)
    return invalid_parameter("You cannot create or delete index while updating table IOPS");
  if (online && definition.stream)
    return invalid_parameter("You cannot create or delete index while changing stream status");
  return {};
}

// What needs no table.
Status check_request(const UpdateMembers& members) {
  const DefinitionMembers& definition = members.definition;
  RETURN_IF_ERROR(check_defined_table_name(definition.table_name));
  Violations violations;
  check_definition_constraints(definition, violations);
  if (members.index_updates) check_index_update_constraints(*members.index_updates, violations);
  if (members.attributes) check_attribute_constraints(members.attributes, violations);
  RETURN_IF_ERROR(violations.status());
  RETURN_IF_ERROR(check_throughput_bounds(definition));
  RETURN_IF_ERROR(check_settings(definition.settings));
  RETURN_IF_ERROR(check_supported(definition));
  const bool changes = definition.billing_mode || definition.throughput || definition.stream ||
                       definition.deletion_protection || definition.settings.any();
  if (!changes && (!members.index_updates || members.index_updates->empty())) {
    return validation_error(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
        "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
        "OnDemandThroughput, WarmThroughput or TableClass is required");
  }
  if (members.index_updates && members.index_updates->empty())
    return invalid_parameter("List of GlobalSecondaryIndexUpdates is empty");
  if (members.index_updates) RETURN_IF_ERROR(check_warm_given(*members.index_updates));
  RETURN_IF_ERROR(check_alone(members));
  RETURN_IF_ERROR(check_stream_members(definition.stream));
  if (definition.billing_mode == kProvisioned && !definition.throughput)
    return invalid_parameter(
        "ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  return members.index_updates ? check_index_updates(*members.index_updates, members.attributes)
                               : Status{};
}

TableChange change_of(const DefinitionMembers& members) {
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
  UpdateTableCommand(Node& node, Reply reply, const Table& table, TableChange change,
                     std::vector<IndexUpdate> index_updates)
      : DefinitionCommand(node, std::move(reply)),
        name_(table.name),
        generation_(table.generation),
        change_(std::move(change)),
        index_updates_(std::move(index_updates)) {}

  void evaluate(Commit& commit) override {
    TablePtr found = catalog_.find(name_);
    // Another table of this name may have other keys than those that the request was read by.
    if (found == nullptr || found->generation != generation_) return fail(table_not_found(name_));
    Table table = *found;
    const Lsn lsn = commit.next_lsn();
    const int64_t now_ms = commit.time_ms();
    if (Status status = apply_change(change_, catalog_, lsn, now_ms, table); !status)
      return fail(status.error());
    Result<IndexUpdateOutcome> outcome =
        apply_index_updates(index_updates_, catalog_, found->billing_mode, lsn, now_ms, table);
    if (!outcome) return fail(outcome.error());
    if (!gives_room_back()) {
      if (Status status = commit.may_grow(); !status) return fail(status.error());
    }
    commit.put(Catalog::key_of(name_), Catalog::encode(table), true, std::nullopt);
    for (Generation dropped : outcome->dropped) stage_index_drop(commit, dropped, name_);
    const bool updating = change_.takes_a_while() || creates_or_deletes(index_updates_);
    table.indexes = std::move(outcome->answered);
    answer_description(as_answered(*found, std::move(table)), updating ? "UPDATING" : "ACTIVE");
  }

 private:
  // Near the disk budget only these are let in: a stream's end, an index's, and what a table's end
  // needs.
  bool gives_room_back() const {
    if (change_.stream_enabled && !*change_.stream_enabled) return true;
    if (change_.deletion_protection && !*change_.deletion_protection) return true;
    return std::any_of(index_updates_.begin(), index_updates_.end(), [](const IndexUpdate& update) {
      return update.kind == IndexUpdate::Kind::kDelete;
    });
  }

  // The service says that units are being changed: it shows those from before. It shows the -1 that
  // removes a limit, too.
  Table as_answered(const Table& before, Table after) const {
    if (before.billing_mode == after.billing_mode) {
      after.read_units = before.read_units;
      after.write_units = before.write_units;
    }
    const UnitsMembers& asked = change_.settings.on_demand;
    OnDemandLimits& shown = after.settings.throughput.on_demand;
    if (asked.read_units == kOnDemandLimitRemoved) shown.read = kOnDemandLimitRemoved;
    if (asked.write_units == kOnDemandLimitRemoved) shown.write = kOnDemandLimitRemoved;
    return after;
  }

  const std::string name_;
  const Generation generation_;
  const TableChange change_;
  const std::vector<IndexUpdate> index_updates_;
};

}  // namespace

void update_table(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  UpdateMembers members;
  Status status = json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "AttributeDefinitions")
      return read_attribute_definitions(value, members.attributes.emplace());
    if (name == "GlobalSecondaryIndexUpdates")
      return read_index_updates(value, members.index_updates.emplace());
    return members.definition.read(name, value);
  });
  if (status) status = check_request(members);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> found =
      node.catalog.resolve(*members.definition.table_name, table_not_found);
  if (!found) return reply.error(found.error());
  const Table& table = **found;
  std::vector<IndexUpdate> index_updates;
  if (members.index_updates) {
    auto updates = index_updates_of(*members.index_updates, members.attributes, table);
    if (!updates) return reply.error(updates.error());
    index_updates = std::move(*updates);
  }
  node.submit(std::make_unique<UpdateTableCommand>(
      node, std::move(reply), table, change_of(members.definition), std::move(index_updates)));
}

}  // namespace millrace
