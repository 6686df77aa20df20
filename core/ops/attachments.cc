#include "core/ops/attachments.h"

#include <simdjson.h>

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

}  // namespace

void put_attachments(const TableAttachments& attachments, Value::Map& definition) {
  if (!attachments.tags.empty()) {
    Value::Map tags;
    for (const auto& [key, value] : attachments.tags) tags.emplace(key, text_value(value));
    definition.emplace("Tags", Value::map(std::move(tags)));
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
    if (tags->type() != ValueType::kMap) return damaged("Tags");
    for (const MapView::Entry entry : tags->map()) {
      if (entry.value.type() != ValueType::kString) return damaged("Tags");
      attachments.tags.emplace(entry.name, entry.value.scalar());
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

Status check_policy(std::string_view document) {
  if (document.size() > kPolicyBytesMax) {
    return invalid_parameter("Maximum policy size of " + std::to_string(kPolicyBytesMax) +
                             " bytes exceeded");
  }
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(document)).get_object().get(object)) {
    return invalid_parameter(
        "Invalid policy document: The policy is not in the valid JSON format.");
  }
  return {};
}

Status add_tags(const std::map<std::string, std::string, std::less<>>& tags,
                TableAttachments& attachments) {
  for (const auto& [key, value] : tags) attachments.tags.insert_or_assign(key, value);
  if (attachments.tags.size() <= kTagsMax) return {};
  return invalid_parameter("The number of tags exceeds the limit of " + std::to_string(kTagsMax) +
                           " tags per resource");
}

}  // namespace millrace
