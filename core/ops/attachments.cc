#include "core/ops/attachments.h"

#include <simdjson.h>

#include <algorithm>
#include <initializer_list>

#include "core/model/refusals.h"
#include "core/ops/definition_values.h"

namespace millrace {

namespace {

Value policy_value(const ResourcePolicy& policy) {
  return Value::map({{"Document", text_value(policy.document)},
                     {"Revision", integer_value(static_cast<uint64_t>(policy.revision))}});
}

Result<ResourcePolicy> policy_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("Policy");
  DefinitionReader reader(value.map());
  ResourcePolicy policy{reader.text("Document"), static_cast<int64_t>(reader.integer("Revision"))};
  RETURN_IF_ERROR(reader.status());
  return policy;
}

Value tags_value(const Tags& tags) {
  Value::Map map;
  for (const auto& [key, value] : tags) map.emplace(key, text_value(value));
  return Value::map(std::move(map));
}

Result<Tags> tags_of(ValueView value) {
  Tags tags;
  if (value.type() != ValueType::kMap) return damaged("Tags");
  for (const MapView::Entry entry : value.map()) {
    if (entry.value.type() != ValueType::kString) return damaged("Tags");
    tags.emplace(entry.name, entry.value.scalar());
  }
  return tags;
}

// What each stream has of a kind: a map by its label; no member if none has any.
template <typename T>
using ByLabel = std::map<std::string, T, std::less<>>;

template <typename T>
void put_by_label(const char* member, Value (*value_of)(const T&), const ByLabel<T>& by_label,
                  Value::Map& definition) {
  if (by_label.empty()) return;
  Value::Map map;
  for (const auto& [label, one] : by_label) map.emplace(label, value_of(one));
  definition.emplace(member, Value::map(std::move(map)));
}

template <typename T>
Status read_by_label(MapView definition, const char* member, Result<T> (*read)(ValueView),
                     ByLabel<T>& by_label) {
  const auto map = definition.get(member);
  if (!map) return {};
  if (map->type() != ValueType::kMap) return damaged(member);
  for (const MapView::Entry entry : map->map()) {
    ASSIGN_OR_RETURN(T one, read(entry.value));
    by_label.emplace(entry.name, std::move(one));
  }
  return {};
}

Error invalid_policy(const std::string& problem) {
  return invalid_parameter("Invalid policy document: " + problem);
}

Status check_statement(simdjson::dom::element element) {
  simdjson::dom::object statement;
  if (element.get(statement)) return invalid_policy("This policy contains invalid Json");
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      return statement.at_key(name).error() == simdjson::SUCCESS;
    });
  };
  if (!has({"Effect"})) return invalid_policy("Missing required field Effect");
  if (!has({"Principal", "NotPrincipal"}))
    return invalid_policy("Missing required field Principal");
  if (!has({"Action", "NotAction"})) return invalid_policy("Missing required field Action");
  if (!has({"Resource", "NotResource"})) return invalid_policy("Missing required field Resource");
  return {};
}

}  // namespace

void put_attachments(const TableAttachments& attachments, Value::Map& definition) {
  if (!attachments.tags.empty()) definition.emplace("Tags", tags_value(attachments.tags));
  put_by_label("StreamTags", tags_value, attachments.stream_tags, definition);
  if (attachments.policy) definition.emplace("Policy", policy_value(*attachments.policy));
  put_by_label("StreamPolicies", policy_value, attachments.stream_policies, definition);
  if (attachments.recovery) {
    const PointInTimeRecovery& recovery = *attachments.recovery;
    definition.emplace(
        "PointInTimeRecovery",
        Value::map({{"Since", integer_value(static_cast<uint64_t>(recovery.enabled_ms))},
                    {"Days", integer_value(static_cast<uint64_t>(recovery.period_days))}}));
  }
}

Status read_attachments(MapView definition, TableAttachments& attachments) {
  if (auto tags = definition.get("Tags")) {
    ASSIGN_OR_RETURN(attachments.tags, tags_of(*tags));
  }
  RETURN_IF_ERROR(read_by_label(definition, "StreamTags", tags_of, attachments.stream_tags));
  if (auto policy = definition.get("Policy")) {
    ASSIGN_OR_RETURN(attachments.policy, policy_of(*policy));
  }
  RETURN_IF_ERROR(
      read_by_label(definition, "StreamPolicies", policy_of, attachments.stream_policies));
  if (auto recovery = definition.get("PointInTimeRecovery")) {
    if (recovery->type() != ValueType::kMap) return damaged("PointInTimeRecovery");
    DefinitionReader reader(recovery->map());
    attachments.recovery = {static_cast<int64_t>(reader.integer("Since")),
                            static_cast<int64_t>(reader.integer("Days"))};
    RETURN_IF_ERROR(reader.status());
  }
  return {};
}

Result<std::string> checked_policy(std::string_view document) {
  if (document.size() > kPolicyBytesMax) {
    return invalid_parameter("Maximum policy size of " + std::to_string(kPolicyBytesMax) +
                             " bytes exceeded");
  }
  simdjson::dom::parser parser;
  simdjson::dom::element policy;
  if (parser.parse(simdjson::padded_string(document)).get(policy))
    return invalid_policy("This policy contains invalid Json");
  if (policy.is_null()) return invalid_policy("This text appears not to be a policy");
  simdjson::dom::object members;
  if (policy.get(members)) return invalid_policy("This policy contains invalid Json");
  simdjson::dom::element statements;
  if (members.at_key("Statement").get(statements))
    return invalid_policy("Syntax error at position (1," + std::to_string(document.size() + 1) +
                          ")");
  simdjson::dom::array list;
  if (statements.get(list)) {
    RETURN_IF_ERROR(check_statement(statements));
  } else {
    if (list.begin() == list.end())
      return invalid_policy("Could not parse the policy: Statement is empty!");
    for (const simdjson::dom::element statement : list) RETURN_IF_ERROR(check_statement(statement));
  }
  std::string bare(document.size() + simdjson::SIMDJSON_PADDING, '\0');
  size_t size = 0;
  if (simdjson::minify(document.data(), document.size(), bare.data(), size))
    return invalid_policy("This policy contains invalid Json");
  bare.resize(size);
  return bare;
}

Error too_many_tags() {
  return validation_error("Number of Tags exceed the current limit for the provided ResourceArn");
}

Status add_tags(const Tags& added, Tags& tags) {
  for (const auto& [key, value] : added) tags.insert_or_assign(key, value);
  if (tags.size() > kTagsMax) return too_many_tags();
  size_t bytes = 0;
  for (const auto& [key, value] : tags) bytes += key.size() + value.size();
  if (bytes <= kTagSetBytesMax) return {};
  return validation_error("Tag set size " + std::to_string(bytes) +
                          " bytes is above max size limit of " + std::to_string(kTagSetBytesMax) +
                          " bytes");
}

}  // namespace millrace
