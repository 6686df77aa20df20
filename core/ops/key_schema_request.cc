#include "core/ops/key_schema_request.h"

#include "core/model/refusals.h"

namespace millrace {

namespace {

// Source: developer guide, "Quotas in Amazon DynamoDB".
constexpr size_t kKeyNameBytesMax = 255;

Status read_elements(JsonValue value, std::string_view structure, std::string_view type_member,
                     KeyElements& elements) {
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

// The list as the service prints it.
std::string printed(const KeyElements& schema) {
  std::string text = "[";
  for (const KeyElement& element : schema) {
    if (text.size() > 1) text += ", ";
    text.append("KeySchemaElement(attributeName=").append(element.name.value_or(""));
    text.append(", keyType=").append(element.type.value_or("")).append(")");
  }
  return text + "]";
}

void check_elements(const std::optional<KeyElements>& elements, std::string_view list,
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

}  // namespace

Status read_key_schema(JsonValue value, KeyElements& elements) {
  return read_elements(value, "KeySchemaElement", "KeyType", elements);
}

Status read_attribute_definitions(JsonValue value, KeyElements& elements) {
  return read_elements(value, "AttributeDefinition", "AttributeType", elements);
}

void check_key_schema_constraints(const std::optional<KeyElements>& schema, std::string_view path,
                                  std::optional<size_t> count_max, Violations& violations) {
  if (schema && schema->empty()) {
    violations.add("[]", path, "Member must have length greater than or equal to 1");
  } else if (schema && count_max && schema->size() > *count_max) {
    violations.add(printed(*schema), path,
                   "Member must have length less than or equal to " + std::to_string(*count_max));
  }
  check_elements(schema, path, "keyType", "HASH, RANGE", violations);
}

void check_attribute_constraints(const std::optional<KeyElements>& attributes,
                                 Violations& violations) {
  check_elements(attributes, "attributeDefinitions", "attributeType", "B, N, S", violations);
}

std::string names_of(const KeyElements& elements) {
  std::string names = "[";
  for (const KeyElement& element : elements) {
    if (names.size() > 1) names += ", ";
    names += *element.name;
  }
  return names + "]";
}

const KeyElement* find_element(const KeyElements& elements, std::string_view name) {
  for (const KeyElement& element : elements) {
    if (*element.name == name) return &element;
  }
  return nullptr;
}

Status check_defined(const KeyElements& schema, const KeyElements& attributes) {
  for (const KeyElement& element : schema) {
    if (find_element(attributes, *element.name) != nullptr) continue;
    return invalid_parameter(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: " +
        names_of(schema) + ", AttributeDefinitions: " + names_of(attributes));
  }
  return {};
}

Status check_key_roles(const KeyElements& schema) {
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
  return {};
}

KeyAttribute key_attribute(std::string_view name, const KeyElements& attributes) {
  std::string_view type = *find_element(attributes, name)->type;
  return {std::string(name), type == "N"   ? ValueType::kNumber
                             : type == "B" ? ValueType::kBinary
                                           : ValueType::kString};
}

}  // namespace millrace
