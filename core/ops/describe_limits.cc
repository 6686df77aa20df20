#include "core/ops/operations.h"
#include "core/ops/request_json.h"

namespace millrace {

void describe_limits(Node&, const Request& request, Reply reply) {
  RequestJson json(request.body);
  Status status = json.each_member([](std::string_view, JsonValue) { return Status{}; });
  if (!status) return reply.error(status.error());
  // The service's initial quotas. Source: developer guide, "Quotas in Amazon DynamoDB".
  reply.ok(
      "{\"AccountMaxReadCapacityUnits\":80000,\"AccountMaxWriteCapacityUnits\":80000,"
      "\"TableMaxReadCapacityUnits\":40000,\"TableMaxWriteCapacityUnits\":40000}");
}

}  // namespace millrace
