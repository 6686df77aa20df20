#include <cstdio>

#include "core/base/hash.h"
#include "core/ops/definition_command.h"
#include "core/ops/definition_request.h"
#include "core/ops/operations.h"

namespace millrace {

namespace {

// Source: developer guide, "Quotas in Amazon DynamoDB".
constexpr size_t kTablesMax = 2500;
constexpr size_t kKeyNameBytesMax = 255;

struct KeyElement {
  std::optional<std::string_view> name, type;
};

struct CreateMembers {
  DefinitionMembers definition;
  std::optional<std::vector<KeyElement>> key_schema;
  std::optional<std::vector<KeyElement>> attributes;
};

Status read_elements(JsonValue value, std::string_view structure, std::string_view type_member,
                     std::vector<KeyElement>& elements) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(JsonObject object, read_structure_element(element, structure));
    KeyElement& key = elements.emplace_back();
    return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
      if (name == "AttributeName") return read_string(inner, key.name);
      if (name == type_member) return read_string(inner, key.type);
      return {};
    });
  });
}

Status read_request(RequestJson& json, CreateMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "KeySchema")
      return read_elements(value, "KeySchemaElement", "KeyType", members.key_schema.emplace());
    if (name == "AttributeDefinitions") {
      return read_elements(value, "AttributeDefinition", "AttributeType",
                           members.attributes.emplace());
    }
    return members.definition.read(name, value);
  });
}

// The list as the service prints it.
std::string printed(const std::vector<KeyElement>& schema) {
  std::string text = "[";
  for (const KeyElement& element : schema) {
    if (text.size() > 1) text += ", ";
    text.append("KeySchemaElement(attributeName=").append(element.name.value_or(""));
    text.append(", keyType=").append(element.type.value_or("")).append(")");
  }
  return text + "]";
}

void check_elements(const std::optional<std::vector<KeyElement>>& elements, std::string_view list,
                    std::string_view type_member, std::string_view types, Violations& violations) {
  violations.require(elements.has_value(), list);
  if (!elements) return;
  for (size_t i = 0; i < elements->size(); ++i) {
    const KeyElement& element = (*elements)[i];
    std::string path = std::string(list) + "." + std::to_string(i + 1) + ".member.";
    violations.require(element.name.has_value(), path + "attributeName");
    if (element.name && element.name->empty()) {
      violations.add(element.name, path + "attributeName",
                     "Member must have length greater than or equal to 1");
    } else if (element.name && element.name->size() > kKeyNameBytesMax) {
      violations.add(element.name, path + "attributeName",
                     "Member must have length less than or equal to 255");
    }
    violations.require(element.type.has_value(), path + std::string(type_member));
    violations.one_of(element.type, path + std::string(type_member), types);
  }
}

Status check_constraints(const CreateMembers& members) {
  RETURN_IF_ERROR(check_defined_table_name(members.definition.table_name));
  Violations violations;
  check_definition_constraints(members.definition, violations);
  if (members.key_schema && members.key_schema->empty()) {
    violations.add("[]", "keySchema", "Member must have length greater than or equal to 1");
  } else if (members.key_schema && members.key_schema->size() > 2) {
    violations.add(printed(*members.key_schema), "keySchema",
                   "Member must have length less than or equal to 2");
  }
  check_elements(members.key_schema, "keySchema", "keyType", "HASH, RANGE", violations);
  check_elements(members.attributes, "attributeDefinitions", "attributeType", "B, N, S",
                 violations);
  return violations.status();
}

Status check_billing(const DefinitionMembers& members) {
  RETURN_IF_ERROR(check_throughput_bounds(members));
  if (members.billing_mode != "PAY_PER_REQUEST" && !members.throughput) {
    return validation_error(
        "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must "
        "both be specified when BillingMode is PROVISIONED");
  }
  return {};
}

std::string names_of(const std::vector<KeyElement>& elements) {
  std::string names = "[";
  for (const KeyElement& element : elements) {
    if (names.size() > 1) names += ", ";
    names += *element.name;
  }
  return names + "]";
}

const KeyElement* find_attribute(const std::vector<KeyElement>& attributes, std::string_view name) {
  for (const KeyElement& attribute : attributes) {
    if (*attribute.name == name) return &attribute;
  }
  return nullptr;
}

Status check_key_schema(const std::vector<KeyElement>& schema,
                        const std::vector<KeyElement>& attributes) {
  if (schema.size() > attributes.size()) {
    return validation_error("Invalid KeySchema: Some index key attribute have no definition");
  }
  for (const KeyElement& element : schema) {
    if (find_attribute(attributes, *element.name) != nullptr) continue;
    if (schema.size() > 1)
      return validation_error("Invalid KeySchema: Some index key attribute have no definition");
    return validation_error(
        "One or more parameter values were invalid: Some index key attributes are not defined in "
        "AttributeDefinitions. Keys: " +
        names_of(schema) + ", AttributeDefinitions: " + names_of(attributes));
  }
  if (schema.size() == 2 && *schema[0].name == *schema[1].name) {
    return validation_error(
        "Both the Hash Key and the Range Key element in the KeySchema have the same name");
  }
  if (*schema[0].type != "HASH") {
    return validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  }
  if (schema.size() == 2 && *schema[1].type != "RANGE") {
    return validation_error(
        "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
  }
  if (schema.size() != attributes.size()) {
    return validation_error(
        "One or more parameter values were invalid: Number of attributes in KeySchema does not "
        "exactly match number of attributes defined in AttributeDefinitions");
  }
  return {};
}

Status check_stream(const DefinitionMembers& members) {
  if (!members.stream) return {};
  if (!*members.stream->enabled && members.stream->view_type) {
    return validation_error(
        "One or more parameter values were invalid: Table is being created with a stream disabled, "
        "UpdateViewType should not be specified");
  }
  if (*members.stream->enabled && !members.stream->view_type) {
    return validation_error(
        "One or more parameter values were invalid: Table is being created with a stream enabled, "
        "UpdateViewType is required");
  }
  return {};
}

KeyAttribute key_attribute(std::string_view name, const std::vector<KeyElement>& attributes) {
  std::string_view type = *find_attribute(attributes, name)->type;
  return {std::string(name), type == "N"   ? ValueType::kNumber
                             : type == "B" ? ValueType::kBinary
                                           : ValueType::kString};
}

Result<Table> table_of(const CreateMembers& members) {
  RETURN_IF_ERROR(check_constraints(members));
  RETURN_IF_ERROR(check_billing(members.definition));
  // Members of which attribute definitions would be part come before the check of those.
  RETURN_IF_ERROR(check_supported(members.definition));
  RETURN_IF_ERROR(check_key_schema(*members.key_schema, *members.attributes));
  RETURN_IF_ERROR(check_stream(members.definition));
  Table table;
  table.name = *members.definition.table_name;
  table.key.partition = key_attribute(*(*members.key_schema)[0].name, *members.attributes);
  if (members.key_schema->size() == 2)
    table.key.sort = key_attribute(*(*members.key_schema)[1].name, *members.attributes);
  table.billing_mode = members.definition.billing_mode.value_or("PROVISIONED");
  if (members.definition.throughput) {
    table.read_units = *members.definition.throughput->read_units;
    table.write_units = *members.definition.throughput->write_units;
  }
  table.deletion_protection = members.definition.deletion_protection.value_or(false);
  return table;
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
    table_.generation = commit.next_lsn();
    table_.id = table_id(table_.name, table_.generation);
    table_.created_ms = commit.time_ms();
    if (table_.billing_mode == "PAY_PER_REQUEST") table_.pay_per_request_ms = table_.created_ms;
    table_.keep_old_images = catalog_.keeps_old_images(table_.name);
    if (stream_view_type_) {
      table_.streams.push_back(
          new_stream(table_, *stream_view_type_, table_.generation, table_.created_ms));
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
  std::string prefix = node.catalog.table_arn("");
  if (table->name.substr(0, prefix.size()) == prefix) table->name.erase(0, prefix.size());
  std::optional<StreamViewType> stream;
  if (members.definition.stream && *members.definition.stream->enabled)
    stream = view_type_of(*members.definition.stream->view_type);
  node.submit(
      std::make_unique<CreateTableCommand>(node, std::move(reply), std::move(*table), stream));
}

}  // namespace millrace
