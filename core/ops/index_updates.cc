#include "core/ops/index_updates.h"

#include <algorithm>
#include <set>

#include "core/model/refusals.h"
#include "core/ops/table_change.h"

namespace millrace {

namespace {

Error in_use(const std::string& what) {
  return make_error(ErrorCode::kResourceInUse,
                    "Attempt to change a resource which is still in use: " + what);
}

Error limit_exceeded(std::string_view what) {
  return make_error(ErrorCode::kLimitExceeded, "Subscriber limit exceeded: " + std::string(what));
}

Status read_action(JsonValue value, std::string_view structure, IndexMembers& members,
                   bool& empty_warm) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, structure));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    RETURN_IF_ERROR(members.read(name, inner, IndexKind::kGlobal));
    if (name == "WarmThroughput") empty_warm = !members.warm.any();
    return {};
  });
}

const IndexMembers& action_of(const IndexUpdateMembers& update) {
  return update.create ? *update.create : update.update ? *update.update : *update.remove;
}

Status check_create(const IndexMembers& create, const std::optional<KeyElements>& attributes) {
  const std::string name(*create.name);
  if (!attributes)
    return invalid_parameter("AttributeDefinitions is not specified for index: " + name);
  RETURN_IF_ERROR(check_global_index_key(create));
  RETURN_IF_ERROR(check_projection(create));
  return create.throughput ? check_units_in_bounds(*create.throughput) : Status{};
}

std::string schema_text(const std::vector<KeyAttribute>& partition,
                        const std::vector<KeyAttribute>& sort) {
  std::string text = "Schema:[";
  auto add = [&](const KeyAttribute& attribute, std::string_view role) {
    if (text.back() != '[') text += ", ";
    text.append("SchemaElement: key{").append(attribute.name).append(":");
    text.append(wire_name(attribute.type)).append(":").append(role).append("}");
  };
  for (const KeyAttribute& attribute : partition) add(attribute, "HASH");
  for (const KeyAttribute& attribute : sort) add(attribute, "RANGE");
  return text + "]";
}

// An attribute of the new index's key that is a key already keeps its type. What the request says
// of others counts for nothing.
Status check_not_redefined(const IndexMembers& create, const KeyElements& requested,
                           const Table& table) {
  const IndexKeySchema created = index_of(create, IndexKind::kGlobal, requested).key;
  auto check = [&](const std::vector<KeyAttribute>& partition,
                   const std::vector<KeyAttribute>& sort) -> Status {
    for (const auto* attributes : {&partition, &sort}) {
      for (const KeyAttribute& attribute : *attributes) {
        if (find_element(*create.key_schema, attribute.name) == nullptr) continue;
        if (*find_element(requested, attribute.name)->type == wire_name(attribute.type)) continue;
        return invalid_parameter(
            "Attributes cannot be redefined. Please check that your attribute has the same type as "
            "previously defined. Existing schema: " +
            schema_text(partition, sort) +
            " New schema: " + schema_text(created.partition, created.sort));
      }
    }
    return {};
  };
  std::vector<KeyAttribute> sort;
  if (table.key.sort) sort.push_back(*table.key.sort);
  RETURN_IF_ERROR(check({table.key.partition}, sort));
  for (const Index& index : table.indexes) {
    RETURN_IF_ERROR(check(index.key.partition, index.key.sort));
  }
  return {};
}

/// Applies updates one by one to the indexes of a table.
class Updater {
 public:
  Updater(Table& table, std::string_view region, Lsn lsn, int64_t now_ms)
      : table_(table), region_(region), lsn_(lsn), now_ms_(now_ms) {}

  Status check_one_at_a_time(const std::vector<IndexUpdate>& updates) const;
  Status create(const IndexUpdate& update);
  Status update(const IndexUpdate& update);
  Status remove(const IndexUpdate& update);
  IndexUpdateOutcome outcome() &&;

 private:
  Index* find(std::string_view name) {
    for (Index& index : table_.indexes) {
      if (index.name == name) return &index;
    }
    return nullptr;
  }
  Result<Index*> global_index(std::string_view name, std::string_view verb);
  Status apply_units(const IndexUpdate& update, Index& index);

  Table& table_;
  const std::string_view region_;
  const Lsn lsn_;
  const int64_t now_ms_;
  std::vector<Generation> dropped_;
  std::vector<Index> removed_;
  std::vector<Index> before_;  // of those that were updated
};

// Only one index can be on its way in or out.
Status Updater::check_one_at_a_time(const std::vector<IndexUpdate>& updates) const {
  size_t online = 0;
  for (const IndexUpdate& update : updates) {
    if (update.kind == IndexUpdate::Kind::kUpdate) continue;
    ++online;
    for (const Index& index : table_.indexes) {
      // One that is being created can itself be deleted.
      if (index.status == IndexStatus::kCreating && index.name != update.index.name) ++online;
    }
  }
  if (online <= 1) return {};
  return limit_exceeded("Only 1 online index can be created or deleted simultaneously per table");
}

Status Updater::create(const IndexUpdate& update) {
  const std::string& name = update.index.name;
  if (find(name) != nullptr)
    return validation_error("Attempting to create an index which already exists");
  if (table_.billing_mode == kPayPerRequest && update.units) {
    return invalid_parameter(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: " + name +
        " when BillingMode is PAY_PER_REQUEST");
  }
  if (table_.billing_mode != kPayPerRequest && !update.units) {
    return invalid_parameter(
        "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: " + name);
  }
  size_t global = 0, projected = update.index.non_key_attributes.size();
  for (const Index& index : table_.indexes) {
    if (index.kind == IndexKind::kGlobal) ++global;
    projected += index.non_key_attributes.size();
  }
  if (global >= kGlobalIndexesMax)
    return limit_exceeded("Number of global secondary indexes exceeds per-table limit of 20");
  RETURN_IF_ERROR(check_projected_attributes(projected));
  Index index = update.index;
  index.generation = index_generation(lsn_, 1);
  index.status = IndexStatus::kCreating;
  if (update.units) {
    index.read_units = update.units->read;
    index.write_units = update.units->write;
  }
  const ThroughputOwner owner{
      table_.billing_mode, {index.read_units, index.write_units}, name, region_, true};
  RETURN_IF_ERROR(apply_on_demand(update.on_demand, owner, index.throughput));
  RETURN_IF_ERROR(apply_warm(update.warm, owner, index.throughput));
  // Global indexes stand before local ones.
  auto place = std::find_if(table_.indexes.begin(), table_.indexes.end(),
                            [](const Index& other) { return other.kind == IndexKind::kLocal; });
  table_.indexes.insert(place, std::move(index));
  return {};
}

Result<Index*> Updater::global_index(std::string_view name, std::string_view verb) {
  Index* index = find(name);
  if (index == nullptr) {
    return make_error(
        ErrorCode::kResourceNotFound,
        "Requested resource not found: Index " + std::string(name) + " for table " + table_.name);
  }
  if (index->kind != IndexKind::kGlobal) {
    return validation_error("Cannot " + std::string(verb) +
                            " an index that is not a GlobalSecondaryIndex: " + std::string(name));
  }
  return index;
}

Status Updater::apply_units(const IndexUpdate& update, Index& index) {
  if (table_.billing_mode == kPayPerRequest) {
    if (!update.units && (update.on_demand.any() || update.warm.any())) return {};
    return invalid_parameter(
        "The only Updates for index: " + index.name +
        " when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, "
        "WarmThroughput");
  }
  if (!update.units) {
    if (update.on_demand.any() || update.warm.any()) return {};
    return invalid_parameter(
        "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: " + index.name);
  }
  const CapacityUnits before{index.read_units, index.write_units};
  if (before == *update.units) return units_will_not_change("index " + index.name, before);
  index.throughput.keep_warm(table_.billing_mode, before);
  if (before != CapacityUnits{}) index.throughput.note_change(before, *update.units, now_ms_);
  index.read_units = update.units->read;
  index.write_units = update.units->write;
  return {};
}

Status Updater::update(const IndexUpdate& update) {
  ASSIGN_OR_RETURN(Index * index, global_index(update.index.name, "update"));
  before_.push_back(*index);
  RETURN_IF_ERROR(apply_units(update, *index));
  const ThroughputOwner owner{
      table_.billing_mode, {index->read_units, index->write_units}, index->name, region_, false};
  RETURN_IF_ERROR(apply_on_demand(update.on_demand, owner, index->throughput));
  return apply_warm(update.warm, owner, index->throughput);
}

Status Updater::remove(const IndexUpdate& update) {
  ASSIGN_OR_RETURN(Index * index, global_index(update.index.name, "delete"));
  if (index->status == IndexStatus::kCreating && !index->backfilling) {
    return in_use(
        "Index creation is in resource allocation phase. Retry deletion during backfilling phase "
        "or when the index is active. Table: " +
        table_.name + " Index: " + index->name);
  }
  dropped_.push_back(index->generation);
  removed_.push_back(*index);
  table_.indexes.erase(table_.indexes.begin() + (index - table_.indexes.data()));
  return {};
}

IndexUpdateOutcome Updater::outcome() && {
  IndexUpdateOutcome outcome{std::move(dropped_), table_.indexes};
  for (const Index& before : before_) {
    for (Index& index : outcome.answered) {
      if (index.name != before.name || index.status != IndexStatus::kActive) continue;
      // A switch of the billing mode shows the units that it brings.
      if (before.read_units > 0) {
        index.read_units = before.read_units;
        index.write_units = before.write_units;
      }
      index.status = IndexStatus::kUpdating;
    }
  }
  for (Index& index : removed_) {
    index.status = IndexStatus::kDeleting;
    outcome.answered.insert(outcome.answered.begin(), std::move(index));
  }
  return outcome;
}

// What a switch of the billing mode means to the indexes that the request does not name.
Status apply_mode(const std::vector<IndexUpdate>& updates, std::string_view mode_before,
                  int64_t now_ms, Table& table) {
  if (table.billing_mode == mode_before) return {};
  std::string unnamed;
  for (Index& index : table.indexes) {
    if (index.kind != IndexKind::kGlobal) continue;
    const CapacityUnits units{index.read_units, index.write_units};
    index.throughput.keep_warm(mode_before, units);
    index.throughput.on_demand = {};
    if (table.billing_mode == kPayPerRequest) {
      index.throughput.note_change(units, {}, now_ms);
      index.read_units = index.write_units = 0;
      continue;
    }
    const bool named = std::any_of(updates.begin(), updates.end(), [&](const IndexUpdate& update) {
      return update.kind == IndexUpdate::Kind::kUpdate && update.index.name == index.name &&
             update.units;
    });
    if (!named) unnamed += (unnamed.empty() ? "" : ",") + index.name;
  }
  if (unnamed.empty()) return {};
  return invalid_parameter("ProvisionedThroughput must be specified for index: " + unnamed);
}

}  // namespace

Status read_index_updates(JsonValue value, std::vector<IndexUpdateMembers>& updates) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(JsonObject object,
                     read_structure_element(element, "GlobalSecondaryIndexUpdate"));
    IndexUpdateMembers& update = updates.emplace_back();
    bool ignored = false;
    return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
      if (name == "Create") {
        return read_action(inner, "CreateGlobalSecondaryIndexAction", update.create.emplace(),
                           ignored);
      }
      if (name == "Update") {
        return read_action(inner, "UpdateGlobalSecondaryIndexAction", update.update.emplace(),
                           update.empty_warm);
      }
      if (name == "Delete") {
        return read_action(inner, "DeleteGlobalSecondaryIndexAction", update.remove.emplace(),
                           ignored);
      }
      return {};
    });
  });
}

void check_index_update_constraints(const std::vector<IndexUpdateMembers>& updates,
                                    Violations& violations) {
  for (size_t i = 0; i < updates.size(); ++i) {
    const std::string path = "globalSecondaryIndexUpdates." + std::to_string(i + 1) + ".member.";
    auto check_index = [&](const IndexMembers& action, const std::string& name_path) {
      violations.require(action.name.has_value(), name_path);
      check_name(action.name, name_path, violations);
    };
    if (const auto& update = updates[i].update) {
      check_index(*update, path + "update.indexName");
      if (update->throughput) {
        check_throughput_constraints(*update->throughput, path + "update.provisionedThroughput.",
                                     violations);
      }
    }
    if (updates[i].create) {
      check_index_constraints(*updates[i].create, IndexKind::kGlobal, path + "create.", violations);
    }
    if (updates[i].remove) check_index(*updates[i].remove, path + "delete.indexName");
  }
}

Status check_warm_given(const std::vector<IndexUpdateMembers>& updates) {
  for (const IndexUpdateMembers& update : updates) {
    if (!update.empty_warm) continue;
    return invalid_parameter(
        "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond "
        "specified for index: " +
        std::string(*update.update->name));
  }
  return {};
}

Status check_index_updates(const std::vector<IndexUpdateMembers>& updates,
                           const std::optional<KeyElements>& attributes) {
  std::set<std::string_view> names;
  for (const IndexUpdateMembers& update : updates) {
    const int actions = (update.create ? 1 : 0) + (update.update ? 1 : 0) + (update.remove ? 1 : 0);
    if (actions == 0) {
      return invalid_parameter(
          "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
          "GlobalSecondaryIndexUpdate.Delete must not be null");
    }
    if (actions > 1) {
      return invalid_parameter(
          "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
          "object");
    }
    const std::string name(*action_of(update).name);
    if (!names.insert(*action_of(update).name).second) {
      return invalid_parameter(
          "Only one global secondary index update per index is allowed simultaneously. Index: " +
          name);
    }
    if (update.create) RETURN_IF_ERROR(check_create(*update.create, attributes));
    if (update.update && update.update->throughput)
      RETURN_IF_ERROR(check_units_in_bounds(*update.update->throughput));
  }
  return {};
}

bool creates_or_deletes(const std::vector<IndexUpdate>& updates) {
  return std::any_of(updates.begin(), updates.end(), [](const IndexUpdate& update) {
    return update.kind != IndexUpdate::Kind::kUpdate;
  });
}

Result<std::vector<IndexUpdate>> index_updates_of(const std::vector<IndexUpdateMembers>& updates,
                                                  const std::optional<KeyElements>& attributes,
                                                  const Table& table) {
  std::vector<IndexUpdate> result;
  for (const IndexUpdateMembers& members : updates) {
    const IndexMembers& action = action_of(members);
    IndexUpdate update;
    if (members.create) {
      // Also those that the table knows already.
      RETURN_IF_ERROR(check_defined(*action.key_schema, *attributes));
      RETURN_IF_ERROR(check_not_redefined(action, *attributes, table));
      update.kind = IndexUpdate::Kind::kCreate;
      update.index = index_of(action, IndexKind::kGlobal, *attributes);
    } else {
      update.kind = members.update ? IndexUpdate::Kind::kUpdate : IndexUpdate::Kind::kDelete;
      update.index.name = std::string(*action.name);
    }
    if (action.throughput)
      update.units = {*action.throughput->read_units, *action.throughput->write_units};
    update.on_demand = action.on_demand;
    update.warm = action.warm;
    result.push_back(std::move(update));
  }
  return result;
}

Result<IndexUpdateOutcome> apply_index_updates(const std::vector<IndexUpdate>& updates,
                                               const Catalog& catalog, std::string_view mode_before,
                                               Lsn lsn, int64_t now_ms, Table& table) {
  Updater updater(table, catalog.region(), lsn, now_ms);
  RETURN_IF_ERROR(updater.check_one_at_a_time(updates));
  RETURN_IF_ERROR(apply_mode(updates, mode_before, now_ms, table));
  for (const IndexUpdate& update : updates) {
    switch (update.kind) {
      case IndexUpdate::Kind::kCreate:
        RETURN_IF_ERROR(updater.create(update));
        break;
      case IndexUpdate::Kind::kUpdate:
        RETURN_IF_ERROR(updater.update(update));
        break;
      case IndexUpdate::Kind::kDelete:
        RETURN_IF_ERROR(updater.remove(update));
        break;
    }
  }
  return std::move(updater).outcome();
}

}  // namespace millrace
