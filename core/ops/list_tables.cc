#include "core/model/item_json.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace {

namespace {

constexpr int64_t kNamesMax = 100;

struct ListMembers {
  std::optional<std::string_view> start;
  std::optional<int64_t> limit;
};

Status read_request(RequestJson& json, ListMembers& members) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ExclusiveStartTableName") return read_string(value, members.start);
    if (name == "Limit") return read_integer(value, "Integer", members.limit);
    return {};
  }));
  Violations violations;
  check_name(members.start, "exclusiveStartTableName", violations);
  violations.at_least(members.limit, "limit", 1);
  if (members.limit && *members.limit > kNamesMax) {
    violations.add(std::to_string(*members.limit), "limit",
                   "Member must have value less than or equal to 100");
  }
  return violations.status();
}

}  // namespace

void list_tables(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  ListMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  size_t limit = static_cast<size_t>(members.limit.value_or(kNamesMax));
  std::string names, last;
  size_t count = 0;
  bool more = false;
  for (const TablePtr& table : node.catalog.tables()) {
    if (members.start && table->name <= *members.start) continue;
    if (count == limit) {
      more = true;
      break;
    }
    if (count++ > 0) names += ',';
    render_json_string(table->name, names);
    last = table->name;
  }
  std::string body = "{\"TableNames\":[" + names + "]";
  if (more) {
    body += ",\"LastEvaluatedTableName\":";
    render_json_string(last, body);
  }
  reply.ok(body + "}");
}

}  // namespace millrace
