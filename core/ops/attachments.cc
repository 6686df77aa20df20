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
  if (!attachments.stream_tags.empty()) {
    Value::Map streams;
    for (const auto& [label, tags] : attachments.stream_tags)
      streams.emplace(label, tags_value(tags));
    definition.emplace("StreamTags", Value::map(std::move(streams)));
  }
  if (attachments.policy) definition.emplace("Policy", policy_value(*attachments.policy));
  if (!attachments.stream_policies.empty()) {
    Value::Map policies;
    for (const auto& [label, policy] : attachments.stream_policies)
      policies.emplace(label, policy_value(policy));
    definition.emplace("StreamPolicies", Value::map(std::move(policies)));
  }
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
  if (auto streams = definition.get("StreamTags")) {
    if (streams->type() != ValueType::kMap) return damaged("StreamTags");
    for (const MapView::Entry entry : streams->map()) {
      ASSIGN_OR_RETURN(Tags tags, tags_of(entry.value));
      attachments.stream_tags.emplace(entry.name, std::move(tags));
    }
  }
  if (auto policy = definition.get("Policy")) {
    ASSIGN_OR_RETURN(attachments.policy, policy_of(*policy));
  }
  if (auto policies = definition.get("StreamPolicies")) {
    if (policies->type() != ValueType::kMap) return damaged("StreamPolicies");
    for (const MapView::Entry entry : policies->map()) {
      ASSIGN_OR_RETURN(ResourcePolicy policy, policy_of(entry.value));
      attachments.stream_policies.emplace(entry.name, std::move(policy));
    }
  }
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
