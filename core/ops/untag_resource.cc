#include "core/ops/attachment_request.h"
#include "core/ops/operations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct UntagRequest {
  std::optional<std::string_view> arn;
  std::optional<std::vector<std::string_view>> keys;
};

Status check_request(const Catalog& catalog, const UntagRequest& members) {
  Violations violations;
  violations.require(members.keys.has_value(), "tagKeys");
  RETURN_IF_ERROR(check_tagged_arn(catalog, members.arn, violations.status()));
  if (members.keys->empty())
    return validation_error("Atleast one Tag Key needs to be provided as Input.");
  if (members.keys->size() > kTagsMax) return too_many_tags();
  for (const std::string_view key : *members.keys) RETURN_IF_ERROR(check_tag_key(key));
  return {};
}

}  // namespace

void untag_resource(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  UntagRequest members;
  Status status = json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ResourceArn") return read_string(value, members.arn);
    if (name == "TagKeys") return read_string_list(value, members.keys.emplace());
    return {};
  });
  if (status) status = check_request(node.catalog, members);
  if (!status) return reply.error(status.error());
  Error not_found = tagged_not_found(*members.arn);
  const std::optional<TableOrStream> resource = find_tagged_resource(node.catalog, *members.arn);
  if (!resource) return reply.error(not_found);
  std::vector<std::string> keys(members.keys->begin(), members.keys->end());
  submit_attachment_change(node, std::move(reply), *resource, std::move(not_found),
                           [keys = std::move(keys), label = resource->stream_label](
                               Table& changed, int64_t) -> Result<AttachmentChange> {
                             TableAttachments& attachments = changed.attachments;
                             AttachmentChange change{{}, true, true};
                             change.changed = false;
                             Tags& tags =
                                 label.empty() ? attachments.tags : attachments.stream_tags[label];
                             for (const std::string& key : keys)
                               change.changed |= tags.erase(key) > 0;
                             if (tags.empty()) attachments.stream_tags.erase(label);
                             return change;
                           });
}

}  // namespace millrace
