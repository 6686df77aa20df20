#include "core/ops/operations.h"
#include "core/ops/single_write.h"

namespace millrace {

namespace {

Status read_request(RequestJson& json, WriteMembers& members) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    // Not a member of DeleteItem, so ignored like any unknown one.
    if (name == "UpdateExpression" || name == "AttributeUpdates") return {};
    return members.read_single(name, value, "Key");
  }));
  Violations violations;
  violations.require(members.image || !members.image_status, "key");
  check_table_name(members.table_name, "tableName", violations);
  check_enumerations(members, violations);
  return violations.status();
}

}  // namespace

void delete_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  WriteMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  submit_single_write(node, std::move(members), WriteKind::kDelete, std::move(reply));
}

}  // namespace millrace
