#include "core/ops/index_request.h"

#include <algorithm>
#include <set>

#include "core/model/refusals.h"

namespace millrace {

namespace {

constexpr size_t kLocalKeyElementsMax = 2;
// Of a global index. Source: developer guide, "Global secondary indexes", multi-attribute keys.
constexpr size_t kRoleElementsMax = 4;
constexpr size_t kNonKeyAttributesMax = 20;
constexpr size_t kAttributeNameBytesMax = 255;

Status read_projection(JsonValue value, ProjectionMembers& projection) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, "Projection"));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    if (name == "ProjectionType") return read_string(inner, projection.type);
    if (name == "NonKeyAttributes")
      return read_string_list(inner, projection.non_key_attributes.emplace());
    return {};
  });
}

std::string printed(const std::vector<std::string_view>& names) {
  std::string text = "[";
  for (std::string_view name : names) {
    if (text.size() > 1) text += ", ";
    text += name;
  }
  return text + "]";
}

void check_projection_constraints(const ProjectionMembers& projection, const std::string& path,
                                  Violations& violations) {
  violations.one_of(projection.type, path + "projectionType", "ALL, INCLUDE, KEYS_ONLY");
  if (!projection.non_key_attributes) return;
  const std::vector<std::string_view>& names = *projection.non_key_attributes;
  const std::string list = path + "nonKeyAttributes";
  if (names.empty()) {
    violations.add("[]", list, "Member must have length greater than or equal to 1");
  } else if (names.size() > kNonKeyAttributesMax) {
    violations.add(printed(names), list, "Member must have length less than or equal to 20");
  }
  for (std::string_view name : names) {
    if (!name.empty() && name.size() <= kAttributeNameBytesMax) continue;
    violations.add(printed(names), list,
                   "Member must satisfy constraint: [Member must have length less than or equal to "
                   "255, Member must have length greater than or equal to 1]");
    break;
  }
}

}  // namespace

Status IndexMembers::read(std::string_view member, JsonValue value, IndexKind kind) {
  if (member == "IndexName") return read_string(value, name);
  if (member == "KeySchema") return read_key_schema(value, key_schema.emplace());
  if (member == "Projection") return read_projection(value, projection.emplace());
  if (kind == IndexKind::kLocal) return {};
  if (member == "ProvisionedThroughput") return read_throughput(value, throughput.emplace());
  if (member == "OnDemandThroughput") return read_on_demand(value, on_demand);
  if (member == "WarmThroughput") return read_warm(value, warm);
  return {};
}

Status read_indexes(JsonValue value, IndexKind kind, std::vector<IndexMembers>& indexes) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(
        JsonObject object,
        read_structure_element(
            element, kind == IndexKind::kLocal ? "LocalSecondaryIndex" : "GlobalSecondaryIndex"));
    IndexMembers& index = indexes.emplace_back();
    return each_member(object, [&](std::string_view member, JsonValue inner) {
      return index.read(member, inner, kind);
    });
  });
}

void check_index_constraints(const IndexMembers& index, IndexKind kind, const std::string& path,
                             Violations& violations) {
  violations.require(index.name.has_value(), path + "indexName");
  check_name(index.name, path + "indexName", violations);
  if (index.throughput) {
    check_throughput_constraints(*index.throughput, path + "provisionedThroughput.", violations);
  }
  check_key_schema_constraints(
      index.key_schema, path + "keySchema",
      kind == IndexKind::kLocal ? std::optional(kLocalKeyElementsMax) : std::nullopt, violations);
  violations.require(index.projection.has_value(), path + "projection");
  if (index.projection)
    check_projection_constraints(*index.projection, path + "projection.", violations);
}

Status check_global_index_key(const IndexMembers& index) {
  const KeyElements& schema = *index.key_schema;
  std::set<std::string_view> names;
  for (const KeyElement& element : schema) {
    if (!names.insert(*element.name).second) {
      return validation_error("The KeySchema contains multiple key attributes with the same name");
    }
  }
  if (*schema[0].type != "HASH") {
    return validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  }
  size_t partition = 0;
  bool in_order = true;
  for (const KeyElement& element : schema) {
    if (*element.type != "HASH") continue;
    in_order = in_order && &element == &schema[partition];
    ++partition;
  }
  if (partition > kRoleElementsMax) {
    return invalid_parameter(
        "The KeySchema exceeds the maximum allowed number of HASH key attributes");
  }
  if (schema.size() - partition > kRoleElementsMax) {
    return invalid_parameter(
        "The KeySchema exceeds the maximum allowed number of RANGE key attributes");
  }
  if (!in_order) {
    return invalid_parameter(
        "All HASH key attributes must precede RANGE key attributes in the KeySchema");
  }
  return {};
}

Status check_projection(const IndexMembers& index) {
  const ProjectionMembers& projection = *index.projection;
  if (!projection.type) return invalid_parameter("Unknown ProjectionType: null");
  const bool include = *projection.type == "INCLUDE";
  if (include != projection.non_key_attributes.has_value()) {
    return invalid_parameter("ProjectionType is " + std::string(*projection.type) +
                             ", but NonKeyAttributes is " +
                             (include ? "not specified" : "specified"));
  }
  if (!include) return {};
  std::set<std::string_view> names;
  for (std::string_view name : *projection.non_key_attributes) {
    if (!names.insert(name).second)
      return invalid_parameter("Duplicate element in NonKeyAttributes: " + std::string(name));
  }
  return {};
}

Status check_projected_attributes(size_t count) {
  if (count <= kProjectedAttributesMax) return {};
  return invalid_parameter("Number of NonKeyAttributes of all indexes exceeds the limit of 100");
}

Index index_of(const IndexMembers& members, IndexKind kind, const KeyElements& attributes) {
  Index index;
  index.name = *members.name;
  index.kind = kind;
  for (const KeyElement& element : *members.key_schema) {
    auto& role = *element.type == "HASH" ? index.key.partition : index.key.sort;
    role.push_back(key_attribute(*element.name, attributes));
  }
  const ProjectionMembers& projection = *members.projection;
  index.projection = *projection.type == "ALL"         ? IndexProjection::kAll
                     : *projection.type == "KEYS_ONLY" ? IndexProjection::kKeysOnly
                                                       : IndexProjection::kInclude;
  if (projection.non_key_attributes) {
    index.non_key_attributes.assign(projection.non_key_attributes->begin(),
                                    projection.non_key_attributes->end());
    // The service lists them by name.
    std::sort(index.non_key_attributes.begin(), index.non_key_attributes.end());
  }
  if (members.throughput) {
    index.read_units = *members.throughput->read_units;
    index.write_units = *members.throughput->write_units;
  }
  return index;
}

}  // namespace millrace
