#include "core/model/refusals.h"
#include "core/ops/attachment_request.h"
#include "core/ops/json_fields.h"
#include "core/ops/operations.h"

namespace millrace {

namespace {

const Tags& tags_of(const TableOrStream& resource) {
  static const Tags kNone;
  const TableAttachments& attachments = resource.table->attachments;
  if (resource.stream_label.empty()) return attachments.tags;
  const auto found = attachments.stream_tags.find(resource.stream_label);
  return found == attachments.stream_tags.end() ? kNone : found->second;
}

}  // namespace

void list_tags_of_resource(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  std::optional<std::string_view> arn, next_token;
  Status status = json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ResourceArn") return read_string(value, arn);
    if (name == "NextToken") return read_string(value, next_token);
    return {};
  });
  if (status) status = check_tagged_arn(arn, Status{});
  // All tags fit into one answer, so no token was ever given.
  if (status && next_token) status = invalid_parameter("Invalid NextToken");
  if (!status) return reply.error(status.error());
  const std::optional<TableOrStream> resource = find_tagged_resource(node.catalog, *arn);
  if (!resource) {
    // The service does not tell who may not see a table whether it is there.
    return reply.error(
        make_error(ErrorCode::kAccessDenied, "User: arn:aws:iam::" + node.catalog.account() +
                                                 ":root is not authorized to perform: "
                                                 "dynamodb:ListTagsOfResource on resource: " +
                                                 std::string(*arn)));
  }
  std::string body = "{\"Tags\":[";
  for (const auto& [key, value] : tags_of(*resource)) {
    if (body.back() != '[') body += ',';
    JsonFields fields(body);
    fields.text("Key", key);
    fields.text("Value", value);
    fields.end();
  }
  reply.ok(body + "]}");
}

}  // namespace millrace
