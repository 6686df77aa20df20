#include "core/ops/operations.h"
#include "core/ops/single_write.h"

namespace millrace {

namespace {

Status read_request(RequestJson& json, WriteMembers& members) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "AttributeUpdates") return {};  // not a member of PutItem
    return members.read_single(name, value, "Item");
  }));
  Violations table_name;  // reported alone, before everything else
  check_table_name(members.table_name, "tableName", table_name);
  RETURN_IF_ERROR(table_name.status());
  Violations violations;
  violations.require(members.image || !members.image_status, "item");
  check_enumerations(members, violations);
  return violations.status();
}

}  // namespace

void put_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  WriteMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  submit_single_write(node, std::move(members), WriteKind::kPut, std::move(reply));
}

}  // namespace millrace
