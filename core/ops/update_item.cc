#include "core/ops/operations.h"
#include "core/ops/single_write.h"

namespace millrace {

namespace {

Status read_request(RequestJson& json, WriteMembers& members) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) {
    return members.read_single(name, value, "Key");
  }));
  const bool has_key = members.image || !members.image_status;
  Violations violations;
  if (has_key) {
    // Reported alone, before everything else.
    check_table_name(members.table_name, "tableName", violations);
    RETURN_IF_ERROR(violations.status());
  }
  violations.one_of(members.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  if (!has_key) check_table_name(members.table_name, "tableName", violations);
  check_other_enumerations(members, violations);
  violations.require(has_key, "key");
  return violations.status();
}

}  // namespace

void update_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  WriteMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  submit_single_write(node, std::move(members), WriteKind::kUpdate, std::move(reply));
}

}  // namespace millrace
