#include <map>
#include <set>
#include <utility>

#include "core/model/item_json.h"
#include "core/ops/cache_header.h"
#include "core/ops/capacity.h"
#include "core/ops/hit_checks.h"
#include "core/ops/legacy_request.h"
#include "core/ops/operations.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"
#include "core/ops/wire_item.h"
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
  std::optional<std::string> wrong_keys;  // RequestItems as sent, if a key of it names no table
  std::optional<std::string_view> return_consumed_capacity;
};

Status read_keys(JsonValue value, TableReads& table) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    if (++table.key_count > kKeysMax) return {};  // past the limit only the count matters
    std::string& key = table.keys.emplace_back();
    Status status = millrace::read_item(element, key, ValueWords::kRead);
    if (status || status.error().code == ErrorCode::kSerialization) return status;
    if (table.keys_status) table.keys_status = std::move(status);
    return {};
  });
}

// The map without white space, after its members were read.
Result<std::string> printed(JsonObject& tables) {
  bool empty = false;
  std::string_view raw;
  if (tables.reset().get(empty) || tables.raw_json().get(raw)) return malformed_json();
  std::string text(raw.size() + simdjson::SIMDJSON_PADDING, '\0');
  size_t size = 0;
  if (simdjson::minify(raw.data(), raw.size(), text.data(), size)) return malformed_json();
  text.resize(size);
  return text;
}

Status read_request(RequestJson& json, BatchGet& batch) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ReturnConsumedCapacity") return read_string(value, batch.return_consumed_capacity);
    if (name != "RequestItems") return {};
    batch.tables.emplace();
    ASSIGN_OR_RETURN(JsonObject tables,
                     read_map(value, "com.amazonaws.dynamodb.v20120810.KeysAndAttributes"));
    bool wrong_keys = false;
    RETURN_IF_ERROR(each_member(tables, [&](std::string_view key, JsonValue reads) -> Status {
      ASSIGN_OR_RETURN(JsonObject object, read_structure_element(reads, "KeysAndAttributes"));
      TableReads& table = batch.tables->emplace_back();
      table.table_name = key;
      wrong_keys = wrong_keys || !is_table_key(key);
      return each_member(object, [&](std::string_view member, JsonValue inner) -> Status {
        if (member == "Keys") return read_keys(inner, table);
        return table.members.read(member, inner);
      });
    }));
    if (wrong_keys) {
      ASSIGN_OR_RETURN(batch.wrong_keys, printed(tables));
    }
    return {};
  });
}

Status check_shape(const BatchGet& batch) {
  if (!batch.tables || batch.tables->empty())
    return validation_error("The requestItems parameter is required for BatchGetItem");
  Violations violations;
  if (batch.wrong_keys) violations.add(batch.wrong_keys, "requestItems", kTableKeysConstraint);
  size_t count = 0;
  const TableReads* largest = &batch.tables->front();
  for (const TableReads& table : *batch.tables) {
    if (table.key_count == 0) {
      violations.add_unvalued("RequestItems." + std::string(table.table_name) + ".member.Keys",
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

// The two ways of saying what is read may not be mixed, in different tables neither.
Status check_styles(const BatchGet& batch) {
  bool legacy = false, expression = false;
  for (const TableReads& table : *batch.tables) {
    legacy |= table.members.attributes_to_get.has_value();
    expression |= table.members.projection_expression.has_value();
  }
  if (!legacy || !expression) return {};
  return check_legacy({"AttributesToGet"}, {"ProjectionExpression"});
}

// Everything that needs no table comes before the first look for one.
Status parse(BatchGet& batch) {
  RETURN_IF_ERROR(check_styles(batch));
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
    ASSIGN_OR_RETURN(table.table, catalog.resolve(table.table_name, requested_resource_not_found));
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

ItemForm form_of(const TableReads& table) {
  return table.projection ? ItemForm::kEncoded : ItemForm::kWire;
}

// Answers a batch as of one LSN, that of its view: the cache is asked for items as of it, and what
// it does not have is read there. The batch waits for nobody else's reads.
class BatchRead {
 public:
  BatchRead(Node& node, const BatchGet& batch, bool no_cache)
      : node_(node),
        batch_(batch),
        capacity_(capacity_detail(batch.return_consumed_capacity.value_or(""))),
        view_(node.engine.view()),
        no_cache_(no_cache) {}

  Result<std::string> run();
  /// After run(): which way the items came.
  std::string header() const;
  /// After run(): why the store could not give an item that the cache gave in its place, if so.
  const std::optional<Error>& spared() const { return spared_; }

 private:
  Status read_table(const TableReads& table, std::string& body);
  Status read_item(const TableReads& table, const std::string& key);
  Status read_store(const TableReads& table, const std::string& key, bool fill);
  bool read_expired(const TableReads& table, const std::string& key);
  ReadCache::Use take_cached(bool& absent);
  void count_hit(const TableReads& table, bool absent);
  void check_hit(const TableReads& table, const std::string& key);

  Node& node_;
  const BatchGet& batch_;
  const CapacityDetail capacity_;
  const ViewPtr view_;
  const bool no_cache_;

  Unprocessed unprocessed_;
  std::map<std::string_view, ConsumedUnits> units_;
  size_t answer_bytes_ = 0;
  size_t keys_ = 0, hits_ = 0, misses_ = 0;
  bool consistent_ = false, off_ = false, newer_ = false, mismatch_ = false;
  std::optional<Error> spared_;

  // The item that was read last.
  std::string json_;  // empty: there is none
  size_t item_bytes_ = 0;
  bool hit_ = false;
  std::string image_;
};

Status BatchRead::read_store(const TableReads& table, const std::string& key, bool fill) {
  Result<bool> found = view_->get(key, image_);
  if (!found) {
    if (fill) node_.cache->abandon(key);
    return found.error();
  }
  std::optional<ItemView> item;
  if (*found) item = ItemView(image_);
  if (fill) node_.cache->fill(key, item, view_->lsn());
  if (!item) return {};
  item_bytes_ = charged_size(*item);
  render_projected(*item, table.projection, json_);
  return {};
}

Status BatchRead::read_item(const TableReads& table, const std::string& key) {
  json_.clear();
  item_bytes_ = 0;
  hit_ = false;
  ++keys_;
  if (node_.cache == nullptr || no_cache_) return read_store(table, key, false);
  if (table.members.consistent_read.value_or(false)) {
    consistent_ = true;
    return read_store(table, key, false);
  }
  bool absent = false;
  const ReadCache::Outcome outcome =
      node_.cache->find(key, view_->lsn(), form_of(table), take_cached(absent), nullptr);
  if (outcome == ReadCache::Outcome::kHit) {
    count_hit(table, absent);
    if (node_.hit_checks != nullptr && node_.hit_checks->chooses()) check_hit(table, key);
    return {};
  }
  const bool fill = ReadCache::is_miss(outcome);
  newer_ |= outcome == ReadCache::Outcome::kNewer;
  off_ |= outcome == ReadCache::Outcome::kOff;
  const Status read = read_store(table, key, fill);
  if (!read && outcome != ReadCache::Outcome::kOff && read_expired(table, key)) {
    // Damage is what must not be missed.
    if (!spared_ || read.error().code == ErrorCode::kCorruption) spared_ = read.error();
    return {};
  }
  misses_ += fill;
  return read;
}

// An item that the cache had until lately, since the store cannot be read.
bool BatchRead::read_expired(const TableReads& table, const std::string& key) {
  bool absent = false;
  if (!node_.cache->find_expired(key, view_->lsn(), form_of(table), take_cached(absent)))
    return false;
  count_hit(table, absent);
  return true;
}

ReadCache::Use BatchRead::take_cached(bool& absent) {
  return [this, &absent](const CachedAnswer& cached) {
    image_.assign(cached.bytes);
    item_bytes_ = cached.item_bytes;
    absent = cached.absent;
  };
}

void BatchRead::count_hit(const TableReads& table, bool absent) {
  ++hits_;
  hit_ = true;
  if (absent) return;
  if (table.projection) {
    render_projected(ItemView(image_), table.projection, json_);
  } else {
    json_ = json_of_wire_item(image_);
  }
}

// Holds the hit that was read last against the view. If it is wrong, the store's takes its place.
void BatchRead::check_hit(const TableReads& table, const std::string& key) {
  std::string cached = std::move(json_);
  const size_t cached_bytes = std::exchange(item_bytes_, 0);
  json_.clear();
  const Status read = read_store(table, key, false);
  const bool same = json_ == cached && item_bytes_ == cached_bytes;
  node_.hit_checks->checked(read ? Result<bool>(same) : Result<bool>(read.error()),
                            {"BatchGetItem", *table.table, {}, key, view_->lsn()});
  if (read && !same) {
    --hits_;
    hit_ = false;
    mismatch_ = true;
    return;
  }
  json_ = std::move(cached);
  item_bytes_ = cached_bytes;
}

Status BatchRead::read_table(const TableReads& table, std::string& body) {
  for (size_t i = 0; i < table.store_keys.size(); ++i) {
    if (answer_bytes_ >= kAnswerBytesMax) {
      unprocessed_.add(table, table.keys[i]);
      continue;
    }
    RETURN_IF_ERROR(read_item(table, table.store_keys[i]));
    if (answer_bytes_ + item_bytes_ > kAnswerBytesMax) {
      answer_bytes_ = kAnswerBytesMax;
      unprocessed_.add(table, table.keys[i]);
      continue;
    }
    answer_bytes_ += item_bytes_;
    if (!hit_ || node_.capacity_of_hits) {
      units_[table.table->name] +=
          read_units(item_bytes_, table.members.consistent_read.value_or(false));
    }
    if (json_.empty()) continue;
    if (body.back() != '[') body += ',';
    body += json_;
  }
  return {};
}

Result<std::string> BatchRead::run() {
  std::string body = "{\"Responses\":{";
  for (const TableReads& table : *batch_.tables) {
    if (body.back() != '{') body += ',';
    render_json_string(table.table_name, body);
    body += ":[";
    RETURN_IF_ERROR(read_table(table, body));
    body += ']';
  }
  body.append("},\"UnprocessedKeys\":{").append(unprocessed_.finish()).append("}");
  // Hits may leave it out, so there may be none.
  if (capacity_ != CapacityDetail::kNone && !units_.empty())
    render_capacities(units_, capacity_, CapacityKind::kPlain, body);
  return body + "}";
}

std::string BatchRead::header() const {
  std::string_view why;
  if (hits_ + misses_ < keys_) {
    why = why_bypassed(newer_ ? ReadCache::Outcome::kNewer : ReadCache::Outcome::kBusy);
    if (off_ || node_.cache == nullptr) why = "off";
    if (consistent_) why = "consistent";
    if (no_cache_ && node_.cache != nullptr) why = "no-cache";
    if (mismatch_) why = "mismatch";
  }
  if (spared_) why = kStaleIfError;
  const std::string_view outcome = hits_ == keys_ ? "hit" : misses_ > 0 ? "miss" : "bypass";
  std::string line(CacheHeader(outcome, view_->lsn(), why).line());
  line.insert(line.size() - 2,
              "; hits=" + std::to_string(hits_) + "; keys=" + std::to_string(keys_));
  return line;
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
  BatchRead read(node, batch, request.no_cache());
  Result<std::string> body = read.run();
  if (read.spared() && (body || body.error().code != ErrorCode::kCorruption))
    reply.note_damage(*read.spared());
  if (!body) return reply.error(body.error());
  reply.ok(*body, read.header());
}

}  // namespace millrace
