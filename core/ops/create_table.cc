#include <algorithm>
#include <cstdio>
#include <set>

#include "core/base/hash.h"
#include "core/model/refusals.h"
#include "core/ops/attachment_request.h"
#include "core/ops/definition_command.h"
#include "core/ops/definition_request.h"
#include "core/ops/index_request.h"
#include "core/ops/operations.h"

namespace millrace {

namespace {

// Source: developer guide, "Quotas in Amazon DynamoDB".
constexpr size_t kTablesMax = 2500;
constexpr size_t kKeyElementsMax = 2;

struct CreateMembers {
  DefinitionMembers definition;
  std::optional<KeyElements> key_schema;
  std::optional<KeyElements> attributes;
  std::optional<std::vector<IndexMembers>> local_indexes, global_indexes;
  TagMembers tags;
  std::optional<std::string_view> policy;  // ResourcePolicy
};

Status read_request(RequestJson& json, CreateMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "KeySchema") return read_key_schema(value, members.key_schema.emplace());
    if (name == "AttributeDefinitions")
      return read_attribute_definitions(value, members.attributes.emplace());
    if (name == "LocalSecondaryIndexes")
      return read_indexes(value, IndexKind::kLocal, members.local_indexes.emplace());
    if (name == "GlobalSecondaryIndexes")
      return read_indexes(value, IndexKind::kGlobal, members.global_indexes.emplace());
    if (name == "Tags") return members.tags.read(value);
    if (name == "ResourcePolicy") return read_string(value, members.policy);
    return members.definition.read(name, value);
  });
}

Status check_constraints(const CreateMembers& members) {
  RETURN_IF_ERROR(check_defined_table_name(members.definition.table_name));
  Violations violations;
  check_definition_constraints(members.definition, violations);
  check_key_schema_constraints(members.key_schema, "keySchema", kKeyElementsMax, violations);
  check_attribute_constraints(members.attributes, violations);
  auto check_indexes = [&](const std::optional<std::vector<IndexMembers>>& indexes, IndexKind kind,
                           const std::string& list) {
    for (size_t i = 0; indexes && i < indexes->size(); ++i) {
      check_index_constraints((*indexes)[i], kind, list + "." + std::to_string(i + 1) + ".member.",
                              violations);
    }
  };
  check_indexes(members.global_indexes, IndexKind::kGlobal, "globalSecondaryIndexes");
  check_indexes(members.local_indexes, IndexKind::kLocal, "localSecondaryIndexes");
  return violations.status();
}

Status check_billing(const DefinitionMembers& members) {
  RETURN_IF_ERROR(check_throughput_bounds(members));
  if (members.billing_mode != "PAY_PER_REQUEST" && !members.throughput) {
    return invalid_parameter(
        "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
        "PROVISIONED");
  }
  return {};
}

Status check_table_key(const KeyElements& schema, const KeyElements& attributes) {
  const Error undefined =
      validation_error("Invalid KeySchema: Some index key attribute have no definition");
  if (schema.size() > attributes.size()) return undefined;
  Status defined = check_defined(schema, attributes);
  if (!defined) return schema.size() > 1 ? undefined : defined.error();
  return check_key_roles(schema);
}

Status check_attribute_names(const KeyElements& attributes) {
  std::set<std::string_view> names;
  for (const KeyElement& attribute : attributes) {
    if (!names.insert(*attribute.name).second)
      return validation_error("Attribute Name is duplicated: " + std::string(*attribute.name));
  }
  return {};
}

using Indexes = std::optional<std::vector<IndexMembers>>;

// Every attribute that is defined is a key's, and every key's is defined.
Status check_attributes_used(const CreateMembers& members) {
  if (!members.local_indexes && !members.global_indexes) {
    if (members.key_schema->size() == members.attributes->size()) return {};
    return invalid_parameter(
        "Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions");
  }
  KeyElements used;
  auto use = [&](const KeyElements& schema) {
    for (const KeyElement& element : schema) {
      if (find_element(used, *element.name) == nullptr) used.push_back(element);
    }
  };
  use(*members.key_schema);
  for (const Indexes* indexes : {&members.local_indexes, &members.global_indexes}) {
    if (!*indexes) continue;
    for (const IndexMembers& index : **indexes) {
      RETURN_IF_ERROR(check_defined(*index.key_schema, *members.attributes));
      use(*index.key_schema);
    }
  }
  if (used.size() == members.attributes->size()) return {};
  return invalid_parameter("Some AttributeDefinitions are not used. AttributeDefinitions: " +
                           names_of(*members.attributes) + ", keys used: " + names_of(used));
}

Status check_local_index(const IndexMembers& index, const KeyElements& table_key) {
  const KeyElements& key = *index.key_schema;
  RETURN_IF_ERROR(check_key_roles(key));
  const std::string name(*index.name);
  if (key.size() != 2)
    return invalid_parameter("Index KeySchema does not have a range key for index: " + name);
  if (*key[0].name != *table_key[0].name) {
    return invalid_parameter(
        "Index KeySchema does not have the same leading hash key as table KeySchema for index: " +
        name + ". index hash key: " + std::string(*key[0].name) +
        ", table hash key: " + std::string(*table_key[0].name));
  }
  return check_projection(index);
}

Status check_global_index(const IndexMembers& index, const DefinitionMembers& definition) {
  RETURN_IF_ERROR(check_global_index_key(index));
  RETURN_IF_ERROR(check_projection(index));
  const bool on_demand = definition.billing_mode == kPayPerRequest;
  const std::string name(*index.name);
  if (on_demand && index.throughput) {
    return invalid_parameter("ProvisionedThroughput should not be specified for index: " + name +
                             " when BillingMode is PAY_PER_REQUEST");
  }
  if (!on_demand && !index.throughput)
    return invalid_parameter("ProvisionedThroughput is not specified for index: " + name);
  return index.throughput ? check_units_in_bounds(*index.throughput) : Status{};
}

Status check_indexes(const CreateMembers& members) {
  if (members.local_indexes && members.local_indexes->empty())
    return invalid_parameter("List of LocalSecondaryIndexes is empty");
  if (members.local_indexes && members.key_schema->size() < 2) {
    return invalid_parameter(
        "Table KeySchema does not have a range key, which is required when specifying a "
        "LocalSecondaryIndex");
  }
  if (members.global_indexes && members.global_indexes->empty())
    return invalid_parameter("List of GlobalSecondaryIndexes is empty");
  RETURN_IF_ERROR(check_attributes_used(members));
  std::set<std::string_view> names;
  auto check_name = [&](const IndexMembers& index) -> Status {
    if (names.insert(*index.name).second) return {};
    return invalid_parameter("Duplicate index name: " + std::string(*index.name));
  };
  size_t projected = 0;
  for (const IndexMembers& index : members.local_indexes.value_or(std::vector<IndexMembers>())) {
    RETURN_IF_ERROR(check_local_index(index, *members.key_schema));
    RETURN_IF_ERROR(check_name(index));
    projected += index.projected_attributes();
  }
  if (names.size() > kLocalIndexesMax)
    return invalid_parameter("Number of LocalSecondaryIndexes exceeds per-table limit of 5");
  for (const IndexMembers& index : members.global_indexes.value_or(std::vector<IndexMembers>())) {
    RETURN_IF_ERROR(check_global_index(index, members.definition));
    RETURN_IF_ERROR(check_name(index));
    projected += index.projected_attributes();
  }
  if (members.global_indexes && members.global_indexes->size() > kGlobalIndexesMax)
    return invalid_parameter("GlobalSecondaryIndex count exceeds the per-table limit of 20");
  return check_projected_attributes(projected);
}

Status check_stream(const DefinitionMembers& members) {
  if (!members.stream) return {};
  if (!*members.stream->enabled && members.stream->view_type) {
    return invalid_parameter(
        "Table is being created with a stream disabled, UpdateViewType should not be specified");
  }
  if (*members.stream->enabled && !members.stream->view_type) {
    return invalid_parameter(
        "Table is being created with a stream enabled, UpdateViewType is required");
  }
  return {};
}

void add_indexes(const Indexes& indexes, IndexKind kind, const KeyElements& attributes,
                 Table& table) {
  if (!indexes) return;
  for (const IndexMembers& members : *indexes) {
    table.indexes.push_back(index_of(members, kind, attributes));
  }
}

Status attach(const CreateMembers& members, TableAttachments& attachments) {
  ASSIGN_OR_RETURN(const auto tags, members.tags.checked());
  RETURN_IF_ERROR(add_tags(tags, attachments.tags));
  if (!members.policy) return {};
  ASSIGN_OR_RETURN(attachments.policy.emplace().document, checked_policy(*members.policy));
  return {};
}

Result<Table> table_of(const CreateMembers& members) {
  RETURN_IF_ERROR(check_constraints(members));
  RETURN_IF_ERROR(check_billing(members.definition));
  RETURN_IF_ERROR(check_settings(members.definition.settings));
  // Members of which attribute definitions would be part come before the check of those.
  RETURN_IF_ERROR(check_supported(members.definition));
  RETURN_IF_ERROR(check_attribute_names(*members.attributes));
  RETURN_IF_ERROR(check_table_key(*members.key_schema, *members.attributes));
  RETURN_IF_ERROR(check_indexes(members));
  RETURN_IF_ERROR(check_stream(members.definition));
  Table table;
  table.key.partition = key_attribute(*(*members.key_schema)[0].name, *members.attributes);
  if (members.key_schema->size() == 2)
    table.key.sort = key_attribute(*(*members.key_schema)[1].name, *members.attributes);
  table.billing_mode = members.definition.billing_mode.value_or("PROVISIONED");
  if (members.definition.throughput) {
    table.read_units = *members.definition.throughput->read_units;
    table.write_units = *members.definition.throughput->write_units;
  }
  table.deletion_protection = members.definition.deletion_protection.value_or(false);
  add_indexes(members.global_indexes, IndexKind::kGlobal, *members.attributes, table);
  add_indexes(members.local_indexes, IndexKind::kLocal, *members.attributes, table);
  RETURN_IF_ERROR(attach(members, table.attachments));
  return table;
}

// Global indexes are the first of a new table's indexes.
Status apply_index_settings(const Indexes& indexes, const Catalog& catalog, Table& table) {
  if (!indexes) return {};
  for (size_t i = 0; i < indexes->size(); ++i) {
    const IndexMembers& members = (*indexes)[i];
    Index& index = table.indexes[i];
    const ThroughputOwner owner{table.billing_mode,
                                {index.read_units, index.write_units},
                                index.name,
                                catalog.region(),
                                true};
    RETURN_IF_ERROR(apply_on_demand(members.on_demand, owner, index.throughput));
    RETURN_IF_ERROR(apply_warm(members.warm, owner, index.throughput));
  }
  return {};
}

// A UUID that is a function of the log, so that every reader of it agrees.
std::string table_id(std::string_view name, Generation generation) {
  std::string seed = std::string(name) + "/" + std::to_string(generation);
  uint64_t high = xxh3_64(seed), low = xxh3_64(seed + "/low");
  high = (high & ~0xf000ULL) | 0x4000ULL;
  low = (low & ~(0xc0ULL << 56)) | (0x80ULL << 56);
  char text[40];
  std::snprintf(text, sizeof text, "%08llx-%04llx-%04llx-%04llx-%012llx",
                static_cast<unsigned long long>(high >> 32),
                static_cast<unsigned long long>((high >> 16) & 0xffff),
                static_cast<unsigned long long>(high & 0xffff),
                static_cast<unsigned long long>(low >> 48),
                static_cast<unsigned long long>(low & 0xffffffffffffULL));
  return text;
}

class CreateTableCommand final : public DefinitionCommand {
 public:
  CreateTableCommand(Node& node, Reply reply, Table table,
                     std::optional<StreamViewType> stream_view_type)
      : DefinitionCommand(node, std::move(reply)),
        table_(std::move(table)),
        stream_view_type_(stream_view_type) {}

  void evaluate(Commit& commit) override {
    if (catalog_.find(table_.name) != nullptr) {
      return fail(make_error(ErrorCode::kResourceInUse, "Table already exists: " + table_.name));
    }
    if (catalog_.tables().size() >= kTablesMax) {
      return fail(make_error(ErrorCode::kLimitExceeded,
                             "Subscriber limit exceeded: Table count limit of 2500 exceeded"));
    }
    if (Status status = commit.may_grow(); !status) return fail(status.error());
    table_.generation = commit.next_lsn();
    for (size_t i = 0; i < table_.indexes.size(); ++i)
      table_.indexes[i].generation = index_generation(table_.generation, i + 1);
    table_.id = table_id(table_.name, table_.generation);
    table_.created_ms = commit.time_ms();
    if (table_.billing_mode == "PAY_PER_REQUEST") table_.pay_per_request_ms = table_.created_ms;
    table_.keep_old_images = catalog_.keeps_old_images(table_.name);
    if (table_.attachments.policy) table_.attachments.policy->revision = table_.created_ms;
    if (stream_view_type_) {
      table_.streams.push_back(
          new_stream(catalog_, table_, *stream_view_type_, table_.generation, table_.created_ms));
    }
    commit.put(Catalog::key_of(table_.name), Catalog::encode(table_), false, std::nullopt);
    answer_description(table_, "CREATING");
  }

 private:
  Table table_;
  const std::optional<StreamViewType> stream_view_type_;
};

}  // namespace

void create_table(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  CreateMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  Result<Table> table = table_of(members);
  if (!table) return reply.error(table.error());
  const Result<std::string_view> name = node.catalog.name_of(*members.definition.table_name);
  if (!name) return reply.error(name.error());
  table->name = *name;
  if (Status status = apply_settings(members.definition.settings, node.catalog, 0, true, *table);
      !status) {
    return reply.error(status.error());
  }
  if (Status status = apply_index_settings(members.global_indexes, node.catalog, *table); !status)
    return reply.error(status.error());
  std::optional<StreamViewType> stream;
  if (members.definition.stream && *members.definition.stream->enabled)
    stream = view_type_of(*members.definition.stream->view_type);
  node.submit(
      std::make_unique<CreateTableCommand>(node, std::move(reply), std::move(*table), stream));
}

}  // namespace millrace
