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
  std::optional<std::string_view> arn;
  Status status = json.each_member([&](std::string_view name, JsonValue value) -> Status {
    // All tags fit into one page, so that no token was ever given; the service takes any for the
    // first page's.
    std::optional<std::string_view> next_token;
    if (name == "NextToken") return read_string(value, next_token);
    return name == "ResourceArn" ? read_string(value, arn) : Status{};
  });
  if (status) status = check_tagged_arn(node.catalog, arn, Status{});
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
