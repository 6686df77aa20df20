#include "core/ops/json_fields.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

void describe_time_to_live(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  std::optional<std::string_view> name;
  Status status = json.each_member([&](std::string_view member, JsonValue value) -> Status {
    return member == "TableName" ? read_string(value, name) : Status{};
  });
  if (status) status = check_defined_table_name(name);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> found = node.catalog.resolve(*name, table_not_found);
  if (!found) return reply.error(found.error());
  const TablePtr& table = *found;
  std::string description, body;
  JsonFields members(description);
  // The service shows no ENABLING or DISABLING either, though there may be items to be indexed.
  members.text("TimeToLiveStatus", table->ttl ? "ENABLED" : "DISABLED");
  if (table->ttl) members.text("AttributeName", table->ttl->attribute);
  members.end();
  JsonFields fields(body);
  fields.raw("TimeToLiveDescription", description);
  fields.end();
  reply.ok(body);
}

}  // namespace millrace
