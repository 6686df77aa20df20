#include <algorithm>
#include <map>
#include <set>

#include "core/model/item_json.h"
#include "core/ops/answered_command.h"
#include "core/ops/item_collections.h"
#include "core/ops/operations.h"
#include "core/ops/write_capacity.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr size_t kWritesMax = 25;
constexpr size_t kBytesMax = 16u << 20;
// What a batch may stage, its index entries included: far below what a frame of the log holds.
constexpr size_t kStagedBytesMax = 64u << 20;

struct TableWrites {
  std::string_view table_name;
  size_t count = 0;  // of the list, past the limit too
  std::vector<ItemWrite> writes;
  std::vector<Status> refused;  // by the model: of each write, reported after the batch's shape
};

struct BatchWrite {
  std::optional<std::vector<TableWrites>> tables;
  std::optional<std::string_view> return_consumed_capacity;
  std::optional<std::string_view> return_item_collection_metrics;
  size_t count = 0;
};

// {"PutRequest":{"Item":{...}}} or {"DeleteRequest":{"Key":{...}}}.
Status read_write(JsonValue value, TableWrites& table) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure_element(value, "WriteRequest"));
  ItemWrite write;
  Status refused;
  size_t requests = 0;
  bool has_image = false;
  RETURN_IF_ERROR(each_member(object, [&](std::string_view name, JsonValue member) -> Status {
    bool put = name == "PutRequest";
    if (!put && name != "DeleteRequest") return {};
    ++requests;
    write.kind = put ? WriteKind::kPut : WriteKind::kDelete;
    ASSIGN_OR_RETURN(JsonObject request,
                     read_structure(member, put ? "PutRequest" : "DeleteRequest"));
    return each_member(request, [&](std::string_view inner, JsonValue image) -> Status {
      if (inner != (put ? "Item" : "Key")) return {};
      has_image = true;
      write.image.clear();
      return hold_refusal(read_item(image, write.image, ValueWords::kBatch), refused);
    });
  }));
  if (requests != 1) {
    refused = validation_error(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
        "supported datatypes");
  } else if (!has_image) {
    std::string path = "requestItems." + std::string(table.table_name) + ".member." +
                       std::to_string(table.writes.size() + 1) + ".member." +
                       (write.kind == WriteKind::kPut ? "putRequest.item" : "deleteRequest.key");
    Violations violations;
    violations.require(false, path);
    refused = violations.status();
  } else if (refused && write.kind == WriteKind::kPut && is_too_large(write.image)) {
    refused = validation_error("Item size has exceeded the maximum allowed size");
  }
  table.writes.push_back(std::move(write));
  table.refused.push_back(std::move(refused));
  return {};
}

Status read_request(RequestJson& json, BatchWrite& batch) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ReturnConsumedCapacity") return read_string(value, batch.return_consumed_capacity);
    if (name == "ReturnItemCollectionMetrics")
      return read_string(value, batch.return_item_collection_metrics);
    if (name != "RequestItems") return {};
    batch.tables.emplace();
    ASSIGN_OR_RETURN(
        JsonObject tables,
        read_map(value, "java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>"));
    return each_member(tables, [&](std::string_view table_name, JsonValue writes) -> Status {
      ASSIGN_OR_RETURN(JsonArray array, read_list(writes));
      TableWrites& table = batch.tables->emplace_back();
      table.table_name = table_name;
      return each_element(array, [&](size_t, JsonValue element) -> Status {
        // Past the limit only the counts matter.
        ++table.count;
        if (++batch.count > kWritesMax) return {};
        return read_write(element, table);
      });
    });
  });
}

void print_write(const ItemWrite& write, std::string& text) {
  text += write.kind == WriteKind::kPut ? "WriteRequest(putRequest=PutRequest(item={"
                                        : "WriteRequest(deleteRequest=DeleteRequest(key={";
  if (!write.image.empty()) {
    bool first = true;
    for (const MapView::Entry& attribute : MapView(write.image)) {
      if (!first) text += ", ";
      first = false;
      text.append(attribute.name).append("=AttributeValue()");
    }
  }
  text += "}))";
}

// The service prints the whole map, in ways that differ by region; what tells the tables and
// attributes apart is enough here.
std::string printed(const BatchWrite& batch) {
  std::string text = "{";
  for (const TableWrites& table : *batch.tables) {
    if (text.size() > 1) text += ", ";
    text.append(table.table_name).append("=[");
    for (size_t i = 0; i < table.count; ++i) {
      if (i > 0) text += ", ";
      if (i == table.writes.size()) {  // those past the limit were not kept
        text += "WriteRequest()";
        break;
      }
      print_write(table.writes[i], text);
    }
    text += ']';
  }
  return text + "}";
}

Status check_shape(const BatchWrite& batch) {
  if (!batch.tables || batch.tables->empty())
    return validation_error("The requestItems parameter is required for BatchWriteItem");
  Violations violations;
  bool empty_list = false, long_list = false, wrong_key = false;
  for (const TableWrites& table : *batch.tables) {
    wrong_key = wrong_key || !is_table_key(table.table_name);
    empty_list = empty_list || table.count == 0;
    long_list = long_list || table.count > kWritesMax;
  }
  if (empty_list || long_list) {
    violations.add(printed(batch), "requestItems",
                   "Map value must satisfy constraint: [Member must have length less than or equal "
                   "to 25, Member must have length greater than or equal to 1]");
  }
  violations.one_of(batch.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  violations.one_of(batch.return_item_collection_metrics, "returnItemCollectionMetrics",
                    kReturnItemCollectionMetricsSet);
  RETURN_IF_ERROR(violations.status());
  // Only if nothing else is wrong with a member.
  if (wrong_key) violations.add(printed(batch), "requestItems", kTableKeysConstraint);
  RETURN_IF_ERROR(violations.status());
  size_t bytes = 0;
  for (const TableWrites& table : *batch.tables) {
    for (size_t i = 0; i < table.writes.size(); ++i) {
      RETURN_IF_ERROR(table.refused[i]);
      bytes += table.writes[i].image.size();
    }
  }
  if (batch.count > kWritesMax)
    return validation_error("Too many items requested for the BatchWriteItem call");
  if (bytes > kBytesMax) {
    return validation_error(
        "Item collection too large: aggregate size of items in BatchWriteItem exceeds 16MB limit");
  }
  return {};
}

// A table as it was asked for, by name or ARN, with where its writes end in the list of all.
using AskedTables = std::vector<std::pair<size_t, std::string>>;

// All writes in one list, bound to their tables.
struct BoundWrites {
  std::vector<ItemWrite> writes;
  AskedTables asked;
};

Result<BoundWrites> bind(const Catalog& catalog, BatchWrite&& batch) {
  BoundWrites bound;
  std::vector<ItemWrite>& writes = bound.writes;
  std::set<std::string, std::less<>> keys;
  for (TableWrites& table_writes : *batch.tables) {
    ASSIGN_OR_RETURN(const TablePtr table,
                     catalog.resolve(table_writes.table_name, requested_resource_not_found));
    for (ItemWrite& write : table_writes.writes) {
      RETURN_IF_ERROR(check_key_types(table->key, MapView(write.image)));
      RETURN_IF_ERROR(bind_table(write, table));
      if (!keys.insert(write.key).second)
        return validation_error("Provided list of item keys contains duplicates");
      writes.push_back(std::move(write));
    }
    bound.asked.emplace_back(writes.size(), table_writes.table_name);
  }
  return bound;
}

class BatchWriteCommand final : public AnsweredCommand {
 public:
  BatchWriteCommand(Node& node, Reply reply, BoundWrites bound, CapacityDetail capacity,
                    bool with_collections)
      : AnsweredCommand(std::move(reply)),
        engine_(node.engine),
        catalog_(node.catalog),
        writes_(std::move(bound.writes)),
        asked_(std::move(bound.asked)),
        capacity_(capacity),
        with_collections_(with_collections) {
    for (const ItemWrite& write : writes_) bytes_ += write.bytes();
    for (const auto& [end, name] : asked_) bytes_ += name.size();
  }

  size_t bytes() const override { return bytes_; }

  void evaluate(Commit& commit) override {
    std::vector<ItemOutcome> outcomes(writes_.size());
    size_t staged_bytes = 0;
    for (size_t i = 0; i < writes_.size(); ++i) {
      Status status = evaluate_write(writes_[i], catalog_, commit, outcomes[i]);
      if (status && (i == 0 || writes_[i].kind == WriteKind::kDelete ||
                     staged_bytes + outcomes[i].staged_bytes(writes_[i]) <= kStagedBytesMax)) {
        staged_bytes += outcomes[i].staged_bytes(writes_[i]);
        continue;
      }
      if (status) {
        outcomes[i] = {};
        unprocessed_.push_back(i);
        continue;
      }
      if (status.error().code != ErrorCode::kRequestLimitExceeded) return fail(status.error());
      // No room for this one: the others go on, unless there are none.
      outcomes[i] = {};
      unprocessed_.push_back(i);
      if (unprocessed_.size() == writes_.size()) return fail(status.error());
    }
    for (size_t i = 0; i < writes_.size(); ++i) stage_write(writes_[i], outcomes[i], commit);
    answer(render(outcomes));
  }

 private:
  std::string render(const std::vector<ItemOutcome>& outcomes) const {
    std::string body = "{\"UnprocessedItems\":";
    render_unprocessed(body);
    if (with_collections_) render_collections(outcomes, body);
    if (capacity_ != CapacityDetail::kNone) {
      std::map<std::string_view, ConsumedUnits> units;
      for (size_t i = 0; i < writes_.size(); ++i) {
        if (outcomes[i].table == nullptr) continue;  // unprocessed
        units[writes_[i].table->name] += write_capacity(writes_[i], outcomes[i]);
      }
      render_capacities(units, capacity_, CapacityKind::kPlain, body);
    }
    return body + "}";
  }

  void render_collections(const std::vector<ItemOutcome>& outcomes, std::string& body) const {
    ItemCollections collections;
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (outcomes[i].table != nullptr) collections.add(writes_[i]);
    }
    if (collections.empty()) return;
    body += ",\"ItemCollectionMetrics\":";
    collections.render(*engine_.view(), body);
  }

  const std::string& asked_name(size_t write) const {
    const auto ends_behind = [](size_t at, const auto& table) { return at < table.first; };
    return std::upper_bound(asked_.begin(), asked_.end(), write, ends_behind)->second;
  }

  // As they were asked for, by table.
  void render_unprocessed(std::string& body) const {
    std::map<std::string_view, std::string> requests;
    for (size_t i : unprocessed_) {
      std::string& list = requests[asked_name(i)];
      list += list.empty() ? '[' : ',';
      // Only what puts something can be without room.
      list += "{\"PutRequest\":{\"Item\":";
      render_item(ItemView(writes_[i].image), list);
      list += "}}";
    }
    body += '{';
    for (const auto& [table_name, list] : requests) {
      if (body.back() != '{') body += ',';
      render_json_string(table_name, body);
      body += ':' + list + ']';
    }
    body += '}';
  }

  Engine& engine_;
  const Catalog& catalog_;
  const std::vector<ItemWrite> writes_;
  const AskedTables asked_;
  const CapacityDetail capacity_;
  const bool with_collections_;
  size_t bytes_ = sizeof *this;
  std::vector<size_t> unprocessed_;
};

}  // namespace

void batch_write_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  BatchWrite batch;
  Status status = read_request(json, batch);
  if (status) status = check_shape(batch);
  if (!status) return reply.error(status.error());
  CapacityDetail capacity = capacity_detail(batch.return_consumed_capacity.value_or(""));
  const bool with_collections = batch.return_item_collection_metrics == "SIZE";
  Result<BoundWrites> bound = bind(node.catalog, std::move(batch));
  if (!bound) return reply.error(bound.error());
  node.submit(std::make_unique<BatchWriteCommand>(node, std::move(reply), std::move(*bound),
                                                  capacity, with_collections));
}

}  // namespace millrace
