#include "core/ops/json_fields.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/table_settings.h"

namespace millrace {

void describe_limits(Node&, const Request& request, Reply reply) {
  RequestJson json(request.body);
  Status status = json.each_member([](std::string_view, JsonValue) { return Status{}; });
  if (!status) return reply.error(status.error());
  // The service's initial quota, which is not enforced here: that of a table alone is, not counting
  // its indexes.
  constexpr int64_t kAccountUnitsMax = 80'000;
  std::string body;
  JsonFields fields(body);
  fields.integer("AccountMaxReadCapacityUnits", kAccountUnitsMax);
  fields.integer("AccountMaxWriteCapacityUnits", kAccountUnitsMax);
  fields.integer("TableMaxReadCapacityUnits", kTableUnitsMax);
  fields.integer("TableMaxWriteCapacityUnits", kTableUnitsMax);
  fields.end();
  reply.ok(body);
}

}  // namespace millrace
