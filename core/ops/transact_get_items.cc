#include <map>
#include <set>

#include "core/model/item_json.h"
#include "core/ops/cache_header.h"
#include "core/ops/cancellation.h"
#include "core/ops/capacity.h"
#include "core/ops/operations.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr size_t kActionsMax = 100;
constexpr size_t kBytesMax = 4u << 20;

struct Get {
  bool present = false;
  ReadMembers members;
  std::optional<std::string> key;  // encoded
  Status key_status;
  std::optional<Projection> projection;
  TablePtr table;
  std::string store_key;
};

struct TransactGet {
  bool has_actions = false;
  std::vector<Get> gets;
  size_t count = 0;
  std::optional<std::string_view> return_consumed_capacity;
};

Status read_get(JsonValue value, Get& get) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure_element(value, "TransactGetItem"));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    if (name != "Get") return {};
    get.present = true;
    ASSIGN_OR_RETURN(JsonObject request, read_structure(inner, "Get"));
    return each_member(request, [&](std::string_view member, JsonValue member_value) -> Status {
      if (member == "AttributesToGet") return {};  // not a member of Get
      if (member != "Key") return get.members.read(member, member_value);
      return hold_refusal(read_item(member_value, get.key.emplace(), ValueWords::kBatch),
                          get.key_status);
    });
  });
}

Status read_request(RequestJson& json, TransactGet& transaction) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ReturnConsumedCapacity")
      return read_string(value, transaction.return_consumed_capacity);
    if (name != "TransactItems") return {};
    ASSIGN_OR_RETURN(JsonArray array, read_list(value));
    transaction.has_actions = true;
    return each_element(array, [&](size_t, JsonValue element) -> Status {
      if (++transaction.count > kActionsMax) return {};  // past the limit only the count matters
      return read_get(element, transaction.gets.emplace_back());
    });
  });
}

Status check_shape(const TransactGet& transaction) {
  Violations violations;
  violations.require(transaction.has_actions, "transactItems");
  if (transaction.has_actions && transaction.count == 0) {
    violations.add("[]", "transactItems", "Member must have length greater than or equal to 1");
  } else if (transaction.count > kActionsMax) {
    violations.add("[TransactGetItem()]", "transactItems",
                   "Member must have length less than or equal to 100");
  }
  violations.one_of(transaction.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  for (size_t i = 0; i < transaction.gets.size(); ++i) {
    const Get& get = transaction.gets[i];
    std::string path = "transactItems." + std::to_string(i + 1) + ".member.get";
    violations.require(get.present, path);
    if (!get.present) continue;
    violations.require(get.key.has_value(), path + ".key");
    check_table_name(get.members.table_name, path + ".tableName", violations);
  }
  return violations.status();
}

// What is wrong with a key against its schema is the reason of its action; the rest refuses the
// request.
Status prepare(const Catalog& catalog, TransactGet& transaction) {
  for (Get& get : transaction.gets) {
    // Names without a projection are let be, as in TransactWriteItems.
    if (!get.members.projection_expression) get.members.has_names = false;
    ASSIGN_OR_RETURN(get.projection, get.members.parse_projection_only());
    RETURN_IF_ERROR(get.key_status);
  }
  std::vector<std::optional<Error>> failures(transaction.gets.size());
  std::set<std::string_view> keys;
  bool failed = false;
  bool repeated = false;
  for (size_t i = 0; i < transaction.gets.size(); ++i) {
    Get& get = transaction.gets[i];
    ASSIGN_OR_RETURN(get.table,
                     catalog.resolve(*get.members.table_name, requested_resource_not_found));
    if (get.projection) RETURN_IF_ERROR(check_scalar_keys(*get.table, get.projection->paths()));
    Result<std::string> key =
        store_key(get.table->key, get.table->generation, MapView(*get.key), true);
    if (!key) {
      failures[i] = key.error();
      failed = true;
      continue;
    }
    get.store_key = std::move(*key);
    repeated = !keys.insert(get.store_key).second || repeated;
  }
  if (failed) return cancellation(failures);
  if (repeated)
    return validation_error("Transaction request cannot include multiple operations on one item");
  return {};
}

Result<std::string> execute(const View& view, const TransactGet& transaction,
                            CapacityDetail capacity) {
  std::string body = "{\"Responses\":[";
  std::map<std::string_view, ConsumedUnits> units;
  std::string image;
  size_t bytes = 0;
  for (const Get& get : transaction.gets) {
    ASSIGN_OR_RETURN(bool found, view.get(get.store_key, image));
    size_t size = found ? charged_size(ItemView(image)) : 0;
    bytes += size;
    if (bytes > kBytesMax)
      return validation_error("Transaction request size exceeds the maximum allowed size of 4 MB");
    units[get.table->name] += transactional_read_units(size);
    if (body.back() != '[') body += ',';
    if (found && get.projection) {
      image = get.projection->apply(ItemView(image));
      // A projection that selects nothing answers as if there were no item.
      found = ItemView(image).attributes().size() > 0;
    }
    body += '{';
    if (found) {
      body += "\"Item\":";
      render_item(ItemView(image), body);
    }
    body += '}';
  }
  body += ']';
  if (capacity != CapacityDetail::kNone)
    render_capacities(units, capacity, CapacityKind::kTransactionalRead, body);
  return body + "}";
}

}  // namespace

void transact_get_items(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TransactGet transaction;
  Status status = read_request(json, transaction);
  if (status) status = check_shape(transaction);
  if (status) status = prepare(node.catalog, transaction);
  if (!status) return reply.error(status.error());
  // One view is one moment: no conflict with writers is possible.
  const ViewPtr view = node.engine.view();
  Result<std::string> body = execute(
      *view, transaction, capacity_detail(transaction.return_consumed_capacity.value_or("")));
  if (!body) return reply.error(body.error());
  reply.ok(*body, CacheHeader("bypass", view->lsn(), "transaction").line());
}

}  // namespace millrace
