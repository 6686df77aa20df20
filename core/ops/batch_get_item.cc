#include <map>
#include <set>

#include "core/model/item_json.h"
#include "core/ops/capacity.h"
#include "core/ops/legacy_request.h"
#include "core/ops/operations.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr size_t kKeysMax = 100;
constexpr size_t kAnswerBytesMax = 16u << 20;

struct TableReads {
  std::string_view table_name;
  ReadMembers members;
  std::vector<std::string> keys;  // encoded
  Status keys_status;
  size_t key_count = 0;
  std::optional<Projection> projection;
  TablePtr table;
  std::vector<std::string> store_keys;
};

struct BatchGet {
  std::optional<std::vector<TableReads>> tables;
  std::optional<std::string_view> return_consumed_capacity;
};

Status read_keys(JsonValue value, TableReads& table) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    if (++table.key_count > kKeysMax) return {};  // past the limit only the count matters
    std::string& key = table.keys.emplace_back();
    Status status = read_item(element, key);
    if (status || status.error().code == ErrorCode::kSerialization) return status;
    if (table.keys_status) table.keys_status = std::move(status);
    return {};
  });
}

Status read_request(RequestJson& json, BatchGet& batch) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ReturnConsumedCapacity") return read_string(value, batch.return_consumed_capacity);
    if (name != "RequestItems") return {};
    batch.tables.emplace();
    ASSIGN_OR_RETURN(JsonObject tables,
                     read_map(value, "com.amazonaws.dynamodb.v20120810.KeysAndAttributes"));
    return each_member(tables, [&](std::string_view table_name, JsonValue reads) -> Status {
      ASSIGN_OR_RETURN(JsonObject object, read_structure_element(reads, "KeysAndAttributes"));
      TableReads& table = batch.tables->emplace_back();
      table.table_name = table_name;
      return each_member(object, [&](std::string_view member, JsonValue inner) -> Status {
        if (member == "Keys") return read_keys(inner, table);
        return table.members.read(member, inner);
      });
    });
  });
}

Status check_shape(const BatchGet& batch) {
  if (!batch.tables || batch.tables->empty())
    return validation_error("The requestItems parameter is required for BatchGetItem");
  Violations violations;
  size_t count = 0;
  const TableReads* largest = &batch.tables->front();
  for (const TableReads& table : *batch.tables) {
    check_table_name(table.table_name, "requestItems", violations);
    if (table.key_count == 0) {
      violations.add_unvalued("requestItems." + std::string(table.table_name) + ".member.keys",
                              "Member must have length greater than or equal to 1");
    }
    check_attributes_to_get_constraints(
        table.members.attributes_to_get,
        "requestItems." + std::string(table.table_name) + ".member.attributesToGet", violations);
    count += table.key_count;
    if (table.key_count > largest->key_count) largest = &table;
  }
  if (largest->key_count > kKeysMax) {
    violations.add_unvalued("RequestItems." + std::string(largest->table_name) + ".member.Keys",
                            "Member must have length less than or equal to 100");
  }
  violations.one_of(batch.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  RETURN_IF_ERROR(violations.status());
  if (count > kKeysMax)
    return validation_error("Too many items requested for the BatchGetItem call");
  return {};
}

// Everything that needs no table comes before the first look for one.
Status parse(BatchGet& batch) {
  for (TableReads& table : *batch.tables) {
    ASSIGN_OR_RETURN(table.projection, table.members.parse_projection_only());
    RETURN_IF_ERROR(table.keys_status);
    std::set<std::string_view> seen;
    for (const std::string& key : table.keys) {
      if (!seen.insert(key).second)
        return validation_error("Provided list of item keys contains duplicates");
    }
  }
  return {};
}

Status bind(const Catalog& catalog, BatchGet& batch) {
  for (TableReads& table : *batch.tables) {
    table.table = catalog.resolve(table.table_name);
    if (table.table == nullptr) return requested_resource_not_found();
    for (const std::string& key : table.keys) {
      ASSIGN_OR_RETURN(std::string stored,
                       store_key(table.table->key, table.table->generation, MapView(key), true));
      table.store_keys.push_back(std::move(stored));
    }
    if (table.projection)
      RETURN_IF_ERROR(check_scalar_keys(*table.table, table.projection->paths()));
  }
  return {};
}

// What the client sends again to go on: the keys left and how to read them. Aliases in the
// projection mean that names belong to it.
class Unprocessed {
 public:
  void add(const TableReads& table, const std::string& key) {
    if (current_ != &table) {
      close();
      if (!text_.empty()) text_ += ',';
      render_json_string(table.table_name, text_);
      text_ += ":{";
      render_members(table);
      text_ += "\"Keys\":[";
      current_ = &table;
    } else {
      text_ += ',';
    }
    render_item(ItemView(key), text_);
  }
  const std::string& finish() {
    close();
    return text_;
  }

 private:
  void close() {
    if (current_ != nullptr) text_ += "]}";
    current_ = nullptr;
  }
  void render_members(const TableReads& table) {
    const ReadMembers& members = table.members;
    if (members.consistent_read)
      text_ += *members.consistent_read ? "\"ConsistentRead\":true," : "\"ConsistentRead\":false,";
    if (members.attributes_to_get) render_attributes_to_get(*members.attributes_to_get);
    if (members.projection_expression) {
      text_ += "\"ProjectionExpression\":";
      render_json_string(*members.projection_expression, text_);
      text_ += ',';
    }
    if (!members.raw_names.empty())
      text_.append("\"ExpressionAttributeNames\":").append(members.raw_names).append(",");
  }

  void render_attributes_to_get(const std::vector<std::string_view>& attributes) {
    text_ += "\"AttributesToGet\":[";
    for (std::string_view attribute : attributes) {
      if (text_.back() != '[') text_ += ',';
      render_json_string(attribute, text_);
    }
    text_ += "],";
  }

  std::string text_;
  const TableReads* current_ = nullptr;
};

Result<std::string> execute(const View& view, const BatchGet& batch, CapacityDetail capacity) {
  std::string body = "{\"Responses\":{";
  Unprocessed unprocessed;
  std::map<std::string_view, ConsumedUnits> units;
  std::string image;
  size_t bytes = 0;
  for (const TableReads& table : *batch.tables) {
    if (body.back() != '{') body += ',';
    render_json_string(table.table_name, body);
    body += ":[";
    for (size_t i = 0; i < table.store_keys.size(); ++i) {
      if (bytes >= kAnswerBytesMax) {
        unprocessed.add(table, table.keys[i]);
        continue;
      }
      ASSIGN_OR_RETURN(bool found, view.get(table.store_keys[i], image));
      size_t size = found ? charged_size(ItemView(image)) : 0;
      if (bytes + size > kAnswerBytesMax) {
        bytes = kAnswerBytesMax;
        unprocessed.add(table, table.keys[i]);
        continue;
      }
      bytes += size;
      units[table.table->name] += read_units(size, table.members.consistent_read.value_or(false));
      if (!found) continue;
      if (body.back() != '[') body += ',';
      render_projected(ItemView(image), table.projection, body);
    }
    body += ']';
  }
  body.append("},\"UnprocessedKeys\":{").append(unprocessed.finish()).append("}");
  if (capacity != CapacityDetail::kNone)
    render_capacities(units, capacity, CapacityKind::kPlain, body);
  return body + "}";
}

}  // namespace

void batch_get_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  BatchGet batch;
  Status status = read_request(json, batch);
  if (status) status = check_shape(batch);
  if (status) status = parse(batch);
  if (status) status = bind(node.catalog, batch);
  if (!status) return reply.error(status.error());
  Result<std::string> body = execute(*node.engine.view(), batch,
                                     capacity_detail(batch.return_consumed_capacity.value_or("")));
  if (!body) return reply.error(body.error());
  reply.ok(*body);
}

}  // namespace millrace
