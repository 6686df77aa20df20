#include "core/model/item_json.h"
#include "core/ops/cache_header.h"
#include "core/ops/capacity.h"
#include "core/ops/hit_checks.h"
#include "core/ops/legacy_request.h"
#include "core/ops/operations.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

// One read. It outlives its request's body, because the cache may let it wait for another reader of
// its key.
struct ItemRead {
  Node* node = nullptr;
  std::string key;
  TablePtr table;
  std::optional<Projection> projection;
  CapacityDetail capacity = CapacityDetail::kNone;
  bool consistent = false;
  Reply reply{Reply::Receiver{}};

  static void run(std::unique_ptr<ItemRead> read);
  void hit(std::string_view answer, const CachedAnswer& found, const CacheHeader& header,
           const View* checked);
  void send_hit(std::string_view body, std::optional<uint32_t> crc32, const CacheHeader& header,
                const View* checked);
  bool is_right(std::string_view body, const View& view) const;
  Status read_store(bool fill, std::string_view why);
  void read_store_or_expired(bool fill, std::string_view why);
  void read_store_alone(std::string_view why);
  ItemForm form() const { return projection ? ItemForm::kEncoded : ItemForm::kWire; }
  bool hit_shows_capacity() const {
    return capacity != CapacityDetail::kNone && node->capacity_of_hits;
  }
  std::string body_of(std::optional<ItemView> item, bool shows_capacity) const;
  void add_capacity(size_t item_bytes, std::string& body) const;
};

// Reused by the thread's next read, so that a hit allocates nothing for it.
thread_local std::unique_ptr<ItemRead> spare;

std::unique_ptr<ItemRead> take_spare() {
  return spare ? std::move(spare) : std::make_unique<ItemRead>();
}

void ItemRead::run(std::unique_ptr<ItemRead> read) {
  thread_local std::string answer;  // copied out, so that nothing is sent under the cache's lock
  CachedAnswer found;
  const ViewPtr checked = view_to_check(*read->node);
  const Lsn published = checked ? checked->lsn() : read->node->engine.published_lsn();
  ItemRead* waiting = read.get();
  const ReadCache::Outcome outcome = read->node->cache->find(
      read->key, published, read->form(),
      [&found](const CachedAnswer& cached) {
        found = cached;
        answer.assign(cached.bytes);
      },
      [waiting] { run(std::unique_ptr<ItemRead>(waiting)); });
  switch (outcome) {
    case ReadCache::Outcome::kWaiting:
      // It belongs to the cache's callback, which may be running it already.
      static_cast<void>(read.release());
      return;
    case ReadCache::Outcome::kHit:
      read->hit(answer, found, CacheHeader("hit", published), checked.get());
      break;
    case ReadCache::Outcome::kMiss:
    case ReadCache::Outcome::kMissExpired:
    case ReadCache::Outcome::kMissChanged:
      read->read_store_or_expired(true, why_missed(outcome));
      break;
    case ReadCache::Outcome::kNewer:
    case ReadCache::Outcome::kBusy:
      read->read_store_or_expired(false, why_bypassed(outcome));
      break;
    case ReadCache::Outcome::kOff:
      read->read_store_alone("off");
      break;
  }
  read->table.reset();
  spare = std::move(read);
}

void ItemRead::hit(std::string_view answer, const CachedAnswer& found, const CacheHeader& header,
                   const View* checked) {
  if (!projection && !hit_shows_capacity()) return send_hit(answer, found.crc32, header, checked);
  std::string body = "{";
  if (!projection) {
    body = answer.substr(0, answer.size() - 1);
  } else if (!found.absent) {
    body += "\"Item\":";
    render_projected(ItemView(answer), projection, body);
  }
  if (hit_shows_capacity()) add_capacity(found.item_bytes, body);
  body += '}';
  send_hit(body, std::nullopt, header, checked);
}

void ItemRead::send_hit(std::string_view body, std::optional<uint32_t> crc32,
                        const CacheHeader& header, const View* checked) {
  if (checked != nullptr && !is_right(body, *checked)) return read_store_alone("mismatch");
  reply.ok(body, header.line(), crc32);
}

// Holds a hit against the view. One that the store cannot be read for stays right.
bool ItemRead::is_right(std::string_view body, const View& view) const {
  std::string image;
  Result<bool> equal = view.get(key, image);
  if (equal) {
    std::optional<ItemView> item;
    if (*equal) item = ItemView(image);
    equal = body_of(item, hit_shows_capacity()) == body;
  }
  node->hit_checks->checked(equal, {"GetItem", *table, {}, key, view.lsn()});
  return !equal || *equal;
}

void ItemRead::read_store_alone(std::string_view why) {
  if (const Status read = read_store(false, why); !read) reply.error(read.error());
}

// Where the table's policy says so, an answer that has expired is better than an error.
void ItemRead::read_store_or_expired(bool fill, std::string_view why) {
  const Status read = read_store(fill, why);
  if (read) return;
  std::string answer;
  CachedAnswer found;
  const Lsn published = node->engine.published_lsn();
  const bool kept =
      node->cache->find_expired(key, published, form(), [&](const CachedAnswer& cached) {
        found = cached;
        answer.assign(cached.bytes);
      });
  if (!kept) return reply.error(read.error());
  reply.note_damage(read.error());
  hit(answer, found, CacheHeader("hit", published, kStaleIfError), nullptr);
}

// An error is not answered yet.
Status ItemRead::read_store(bool fill, std::string_view why) {
  ViewPtr view = node->engine.view();
  std::string image;
  Result<bool> found = view->get(key, image);
  if (!found) {
    if (fill) node->cache->abandon(key);
    return found.error();
  }
  std::optional<ItemView> item;
  if (*found) item = ItemView(image);
  const std::string body = body_of(item, capacity != CapacityDetail::kNone);
  const Lsn lsn = view->lsn();
  if (fill && !node->cache->fill(key, item, lsn)) why = kTooLarge;
  reply.ok(body, CacheHeader(fill ? "miss" : "bypass", lsn, why).line());
  return {};
}

std::string ItemRead::body_of(std::optional<ItemView> item, bool shows_capacity) const {
  std::string body = "{";
  if (item) {
    body += "\"Item\":";
    render_projected(*item, projection, body);
  }
  if (shows_capacity) add_capacity(item ? charged_size(*item) : 0, body);
  return body + "}";
}

void ItemRead::add_capacity(size_t item_bytes, std::string& body) const {
  if (body.size() > 1) body += ',';
  body += "\"ConsumedCapacity\":";
  render_capacity(table->name, read_units(item_bytes, consistent), capacity, CapacityKind::kPlain,
                  body);
}

Status read_request(RequestJson& json, ReadMembers& members, std::string& key, bool& has_key,
                    Status& key_status) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "Key") {
      has_key = true;
      key.clear();
      return hold_refusal(read_item(value, key, ValueWords::kRead), key_status);
    }
    return members.read(name, value);
  }));
  Violations violations;
  check_attributes_to_get_constraints(members.attributes_to_get, "attributesToGet", violations);
  violations.require(has_key, "key");
  check_table_name(members.table_name, "tableName", violations);
  violations.one_of(members.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  return violations.status();
}

// Sets the read's table, key and projection.
Status locate(Node& node, RequestJson& json, ReadMembers& members, ItemRead& read) {
  read.projection.reset();
  thread_local std::string key;
  bool has_key = false;
  Status key_status;
  RETURN_IF_ERROR(read_request(json, members, key, has_key, key_status));
  if (members.has_expressions()) RETURN_IF_ERROR(members.check_projection_use());
  RETURN_IF_ERROR(key_status);
  if (members.has_expressions()) {
    ASSIGN_OR_RETURN(read.projection, members.parse_projection_only());
  }
  ASSIGN_OR_RETURN(read.table,
                   node.catalog.resolve(*members.table_name, requested_resource_not_found));
  const Table& table = *read.table;
  RETURN_IF_ERROR(assign_store_key(table.key, table.generation, MapView(key), true, read.key));
  if (read.projection) RETURN_IF_ERROR(check_scalar_keys(table, read.projection->paths()));
  return {};
}

std::string_view why_not_cached(const ItemRead& read, const Request& request) {
  if (read.node->cache == nullptr) return "off";
  if (read.consistent) return "consistent";
  if (request.no_cache()) return "no-cache";
  return {};
}

}  // namespace

void get_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  ReadMembers members;
  std::unique_ptr<ItemRead> read = take_spare();
  if (const Status located = locate(node, json, members, *read); !located) {
    spare = std::move(read);
    return reply.error(located.error());
  }
  read->node = &node;
  read->capacity = capacity_detail(members.return_consumed_capacity.value_or(""));
  read->consistent = members.consistent_read.value_or(false);
  read->reply = std::move(reply);
  const std::string_view why = why_not_cached(*read, request);
  if (why.empty()) return ItemRead::run(std::move(read));
  read->read_store_alone(why);
  spare = std::move(read);
}

}  // namespace millrace
