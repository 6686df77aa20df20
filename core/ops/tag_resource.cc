#include "core/ops/attachment_request.h"
#include "core/ops/operations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct TagRequest {
  std::optional<std::string_view> arn;
  std::optional<TagMembers> tags;
};

Status check_request(const Catalog& catalog, const TagRequest& members) {
  Violations violations;
  violations.require(members.tags.has_value(), "tags");
  RETURN_IF_ERROR(check_tagged_arn(catalog, members.arn, violations.status()));
  if (members.tags->list.empty())
    return validation_error("Atleast one Tag needs to be provided as Input.");
  return {};
}

}  // namespace

void tag_resource(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TagRequest members;
  Status status = json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ResourceArn") return read_string(value, members.arn);
    if (name == "Tags") return members.tags.emplace().read(value);
    return {};
  });
  if (status) status = check_request(node.catalog, members);
  if (!status) return reply.error(status.error());
  auto tags = members.tags->checked();
  if (!tags) return reply.error(tags.error());
  Error not_found = tagged_not_found(*members.arn);
  const std::optional<TableOrStream> resource = find_tagged_resource(node.catalog, *members.arn);
  if (!resource) return reply.error(not_found);
  submit_attachment_change(
      node, std::move(reply), *resource, std::move(not_found),
      [tags = *std::move(tags), label = resource->stream_label](
          Table& changed, int64_t) -> Result<AttachmentChange> {
        TableAttachments& attachments = changed.attachments;
        RETURN_IF_ERROR(
            add_tags(tags, label.empty() ? attachments.tags : attachments.stream_tags[label]));
        return AttachmentChange{{}, true, true};
      });
}

}  // namespace millrace
