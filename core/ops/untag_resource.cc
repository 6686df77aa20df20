#include "core/ops/attachment_request.h"
#include "core/ops/operations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct UntagRequest {
  std::optional<std::string_view> arn;
  std::optional<std::vector<std::string_view>> keys;
};

Status check_request(const UntagRequest& members) {
  Violations violations;
  violations.require(members.keys.has_value(), "tagKeys");
  RETURN_IF_ERROR(check_tagged_arn(members.arn, violations.status()));
  if (members.keys->empty())
    return validation_error("Atleast one Tag Key needs to be provided as Input.");
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
  if (status) status = check_request(members);
  if (!status) return reply.error(status.error());
  const TablePtr table = node.catalog.resolve(*members.arn);
  if (table == nullptr) return reply.error(requested_resource_not_found());
  std::vector<std::string> keys(members.keys->begin(), members.keys->end());
  submit_attachment_change(
      node, std::move(reply), *table, requested_resource_not_found(),
      [keys = std::move(keys)](Table& changed, int64_t) -> Result<AttachmentChange> {
        AttachmentChange change{{}, true, true};
        change.changed = false;
        for (const std::string& key : keys)
          change.changed |= changed.attachments.tags.erase(key) > 0;
        return change;
      });
}

}  // namespace millrace
