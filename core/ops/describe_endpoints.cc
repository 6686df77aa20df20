#include "core/model/item_json.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"

namespace millrace {

void describe_endpoints(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  Status status = json.each_member([](std::string_view, JsonValue) { return Status{}; });
  if (!status) return reply.error(status.error());
  // A client that asks will send what follows to this address: the one by which it came.
  std::string_view host;
  if (request.http != nullptr) host = request.http->header("Host");
  std::string address(host);
  if (address.empty()) address = "dynamodb." + node.catalog.region() + ".amazonaws.com";
  std::string body = "{\"Endpoints\":[{\"Address\":";
  render_json_string(address, body);
  reply.ok(body + ",\"CachePeriodInMinutes\":1440}]}");
}

}  // namespace millrace
