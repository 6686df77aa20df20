#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/schema.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace {

// KeySchema and AttributeDefinitions, of tables and of indexes.

/// A KeySchemaElement (AttributeName, KeyType) or AttributeDefinition (AttributeName,
/// AttributeType).
struct KeyElement {
  std::optional<std::string_view> name, type;
};
using KeyElements = std::vector<KeyElement>;

Status read_key_schema(JsonValue value, KeyElements& elements);
Status read_attribute_definitions(JsonValue value, KeyElements& elements);

/// `path` is where the list stands: "keySchema".
void check_key_schema_constraints(const std::optional<KeyElements>& schema, std::string_view path,
                                  std::optional<size_t> count_max, Violations& violations);
void check_attribute_constraints(const std::optional<KeyElements>& attributes,
                                 Violations& violations);

/// As the service lists names: [a, b].
std::string names_of(const KeyElements& elements);

const KeyElement* find_element(const KeyElements& elements, std::string_view name);

/// Refuses a key whose attributes are not all defined, as that of an index.
Status check_defined(const KeyElements& schema, const KeyElements& attributes);

/// The first element is the partition key, a second one the sort key: of tables and local indexes.
Status check_key_roles(const KeyElements& schema);

/// `attributes` has it.
KeyAttribute key_attribute(std::string_view name, const KeyElements& attributes);

}  // namespace millrace
