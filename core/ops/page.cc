#include "core/ops/page.h"

#include "core/model/item_json.h"
#include "core/ops/capacity.h"

namespace millrace {

namespace {

constexpr std::string_view kSelectSet =
    "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES";

void render_key(const Table& table, ItemView item, std::string& out) {
  ItemTree key;
  auto take = [&](const KeyAttribute& attribute) {
    if (auto value = item.get(attribute.name)) key.emplace(attribute.name, Value::decode(*value));
  };
  take(table.key.partition);
  if (table.key.sort) take(*table.key.sort);
  std::string encoded = encode_item(key);
  render_item(ItemView(encoded), out);
}

Result<std::string> read_page(const View& view, const PageRequest& page) {
  std::string items;
  std::string last_key;
  size_t count = 0, scanned = 0, bytes = 0;
  auto range = view.range(page.begin, page.end, page.reverse);
  for (; range->valid(); range->next()) {
    ItemView item(range->image());
    ++scanned;
    bytes += charged_size(item);
    if (!page.filter || page.filter->evaluate(item)) {
      ++count;
      if (!page.count_only) {
        if (!items.empty()) items += ',';
        render_projected(item, page.projection, items);
      }
    }
    if ((page.limit && scanned == static_cast<size_t>(*page.limit)) || bytes >= kPageBytesMax) {
      render_key(*page.table, item, last_key);
      break;
    }
  }
  RETURN_IF_ERROR(range->status());
  std::string body = "{";
  if (!page.count_only) body.append("\"Items\":[").append(items).append("],");
  body.append("\"Count\":").append(std::to_string(count));
  body.append(",\"ScannedCount\":").append(std::to_string(scanned));
  if (!last_key.empty()) body.append(",\"LastEvaluatedKey\":").append(last_key);
  CapacityDetail capacity = capacity_detail(page.return_consumed_capacity);
  if (capacity != CapacityDetail::kNone) {
    body += ",\"ConsumedCapacity\":";
    render_capacity(page.table->name, read_units(bytes, page.consistent), capacity,
                    CapacityKind::kPlain, body);
  }
  return body + "}";
}

}  // namespace

Status PageMembers::read_member(std::string_view name, JsonValue value) {
  if (name == "IndexName") return read_string(value, index_name);
  if (name == "FilterExpression") return read_string(value, filter_expression);
  if (name == "Select") return read_string(value, select);
  if (name == "Limit") return read_integer(value, "Integer", limit);
  if (name == "ExclusiveStartKey") {
    return hold_refusal(read_item(value, start_key.emplace()), start_key_status);
  }
  for (std::string_view member :
       {"QueryFilter", "ScanFilter", "KeyConditions", "ConditionalOperator"}) {
    if (name == member) read.legacy.push_back(member);
  }
  return read.read(name, value);
}

void check_page_constraints(const PageMembers& members, Violations& violations) {
  check_table_name(members.read.table_name, "tableName", violations);
  violations.one_of(members.read.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  violations.one_of(members.select, "select", kSelectSet);
}

Status check_start_key_value(const PageMembers& members) {
  if (members.start_key_status) return {};
  const Error& error = members.start_key_status.error();
  // The service prefixes some of its complaints about values and not others.
  for (std::string_view bare : {"contains duplicates", "number set", "numeric value",
                                "significant digits", "number with magnitude"}) {
    if (error.message.find(bare) != std::string::npos) return error;
  }
  return validation_error("The provided starting key is invalid: " + error.message);
}

Status check_select(const PageMembers& members, std::string_view operation) {
  std::string_view select = members.select.value_or("");
  bool projects = members.read.projection_expression.has_value();
  if (select == "SPECIFIC_ATTRIBUTES" && !projects) {
    std::string message =
        "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
        "SPECIFIC_ATTRIBUTES";
    // Only Query's answer carries this prefix.
    if (operation == "Querying") message.insert(0, "1 validation error detected: ");
    return validation_error(std::move(message));
  }
  if (projects && !select.empty() && select != "SPECIFIC_ATTRIBUTES") {
    return validation_error("Cannot specify the ProjectionExpression when choosing to get " +
                            (select == "COUNT" ? "only the Count" : std::string(select)));
  }
  if (select == "ALL_PROJECTED_ATTRIBUTES" && !members.index_name) {
    return validation_error("ALL_PROJECTED_ATTRIBUTES can be used only when " +
                            std::string(operation) + " using an IndexName");
  }
  return {};
}

Result<std::string> start_store_key(const PageMembers& members, const Table& table) {
  Result<std::string> key =
      store_key(table.key, table.generation, MapView(*members.start_key), true);
  if (!key) return validation_error("The provided starting key is invalid: " + key.error().message);
  return key;
}

void send_page(Node& node, const PageRequest& page, Reply reply) {
  Result<std::string> body = read_page(*node.engine.view(), page);
  if (!body) return reply.error(body.error());
  reply.ok(*body);
}

}  // namespace millrace
