// PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy: three small operations on one
// thing.

#include <algorithm>

#include "core/ops/attachment_request.h"
#include "core/ops/json_fields.h"
#include "core/ops/operations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct PolicyMembers {
  std::optional<std::string_view> arn, document, expected_revision;
};

Status read_request(RequestJson& json, PolicyMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ResourceArn") return read_string(value, members.arn);
    if (name == "Policy") return read_string(value, members.document);
    if (name == "ExpectedRevisionId") return read_string(value, members.expected_revision);
    return {};
  });
}

constexpr std::string_view kRevisionPath = "expectedRevisionId";

Error policy_not_found(std::string what) {
  return make_error(
      ErrorCode::kPolicyNotFound,
      "Resource-based policy not found for the provided ResourceArn: " + std::move(what));
}

const ResourcePolicy* policy_of(const Table& table, const std::string& stream_label) {
  const TableAttachments& attachments = table.attachments;
  if (stream_label.empty()) return attachments.policy ? &*attachments.policy : nullptr;
  const auto found = attachments.stream_policies.find(stream_label);
  return found == attachments.stream_policies.end() ? nullptr : &found->second;
}

constexpr std::string_view kNoPolicy = "NO_POLICY";

Status check_revision(const ResourcePolicy* policy, const std::optional<std::string>& expected,
                      const std::string& table_name) {
  if (!expected) return {};
  if (*expected == kNoPolicy) {
    if (policy == nullptr) return {};
    return policy_not_found("Requested policy update expecting none to be present for table " +
                            table_name + ", but a policy exists with revision id " +
                            policy->revision_id() + ".");
  }
  if (policy != nullptr && policy->revision_id() == *expected) return {};
  const std::string asked = "Requested update for policy with revision id " + *expected;
  if (policy == nullptr)
    return policy_not_found(asked + ", but no policy is associated to target table " + table_name +
                            ".");
  return policy_not_found(asked + ", but the policy associated to target table " + table_name +
                          " has revision id " + policy->revision_id() + ".");
}

std::string revision_body(const ResourcePolicy& policy) {
  std::string body;
  JsonFields fields(body);
  fields.text("RevisionId", policy.revision_id());
  fields.end();
  return body;
}

std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace

void put_resource_policy(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  PolicyMembers members;
  Status status = read_request(json, members);
  Violations violations;
  violations.require(members.document.has_value(), "policy");
  violations.not_empty(members.expected_revision, kRevisionPath);
  if (status) status = violations.status();
  if (!status) return reply.error(status.error());
  Result<std::string> document = checked_policy(*members.document);
  if (!document) return reply.error(document.error());
  Result<TableOrStream> resource = find_policy_resource(node.catalog, members.arn);
  if (!resource) return reply.error(resource.error());
  const Table& table = *resource->table;
  submit_attachment_change(node, std::move(reply), *resource, table_not_found(table.name),
                           [label = resource->stream_label, document = *std::move(document),
                            expected = owned(members.expected_revision)](
                               Table& changed, int64_t now_ms) -> Result<AttachmentChange> {
                             const ResourcePolicy* before = policy_of(changed, label);
                             RETURN_IF_ERROR(check_revision(before, expected, changed.name));
                             // To put the policy that is there already makes no new revision.
                             if (before != nullptr && before->document == document)
                               return AttachmentChange{revision_body(*before), false};
                             ResourcePolicy policy{document, now_ms};
                             if (before != nullptr)
                               policy.revision = std::max(now_ms, before->revision + 1);
                             AttachmentChange change{revision_body(policy), true};
                             if (label.empty()) {
                               changed.attachments.policy = std::move(policy);
                             } else {
                               changed.attachments.stream_policies.insert_or_assign(
                                   label, std::move(policy));
                             }
                             return change;
                           });
}

void get_resource_policy(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  PolicyMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  Result<TableOrStream> resource = find_policy_resource(node.catalog, members.arn);
  if (!resource) return reply.error(resource.error());
  const ResourcePolicy* policy = policy_of(*resource->table, resource->stream_label);
  if (policy == nullptr) return reply.error(policy_not_found(std::string(*members.arn)));
  std::string body;
  JsonFields fields(body);
  fields.text("Policy", policy->document);
  fields.text("RevisionId", policy->revision_id());
  fields.end();
  reply.ok(body);
}

void delete_resource_policy(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  PolicyMembers members;
  Status status = read_request(json, members);
  Violations violations;
  violations.not_empty(members.expected_revision, kRevisionPath);
  if (status) status = violations.status();
  if (!status) return reply.error(status.error());
  Result<TableOrStream> resource = find_policy_resource(node.catalog, members.arn);
  if (!resource) return reply.error(resource.error());
  const Table& table = *resource->table;
  submit_attachment_change(
      node, std::move(reply), *resource, table_not_found(table.name),
      [label = resource->stream_label, expected = owned(members.expected_revision)](
          Table& changed, int64_t) -> Result<AttachmentChange> {
        const ResourcePolicy* policy = policy_of(changed, label);
        RETURN_IF_ERROR(check_revision(policy, expected, changed.name));
        if (policy == nullptr) return AttachmentChange{{}, false};
        AttachmentChange change{revision_body(*policy), true};
        if (label.empty()) {
          changed.attachments.policy.reset();
        } else {
          changed.attachments.stream_policies.erase(label);
        }
        return change;
      });
}

}  // namespace millrace
