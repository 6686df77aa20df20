#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/table_description.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

void describe_table(Node& node, const Request& request, Reply reply) {
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
  std::vector<Generation> generations{table->generation};
  for (const Index& index : table->indexes) generations.push_back(index.generation);
  status =
      node.catalog.sizes().refresh(*node.engine.view(), generations, node.clock.monotonic_ns());
  if (!status) return reply.error(status.error());
  std::string body = "{\"Table\":";
  render_table(node.catalog, *table, table_status(*table), node.clock.wall_ms(), body);
  reply.ok(body + "}");
}

}  // namespace millrace
