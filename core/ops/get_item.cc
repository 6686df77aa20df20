#include <array>
#include <charconv>

#include "core/model/item_json.h"
#include "core/ops/capacity.h"
#include "core/ops/legacy_request.h"
#include "core/ops/operations.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

// The header that says where the answer came from; a line of it is built without an allocation.
class CacheHeader {
 public:
  CacheHeader(std::string_view outcome, Lsn lsn, std::string_view why = {}) {
    append("x-millrace-cache: ");
    append(outcome);
    append("; lsn=");
    end_ = std::to_chars(end_, bytes_.data() + bytes_.size(), lsn).ptr;
    if (!why.empty()) {
      append("; why=");
      append(why);
    }
    append("\r\n");
  }
  std::string_view line() const {
    return {bytes_.data(), static_cast<size_t>(end_ - bytes_.data())};
  }

 private:
  void append(std::string_view text) { end_ = std::copy(text.begin(), text.end(), end_); }

  std::array<char, 96> bytes_;
  char* end_ = bytes_.data();
};

// A read that goes by the cache. It outlives its request's body, because the cache may let it wait
// for another reader of its key.
struct CachedRead {
  Node* node = nullptr;
  std::string key;
  Reply reply{Reply::Receiver{}};

  static void run(std::unique_ptr<CachedRead> read);
  void hit(const std::string& body, uint32_t crc32, Lsn published) {
    reply.ok(body, CacheHeader("hit", published).line(), crc32);
  }
  void read_store(bool fill);
};

// Reused by the thread's next read, so that a hit allocates nothing for it.
thread_local std::unique_ptr<CachedRead> spare;

std::unique_ptr<CachedRead> take_spare() {
  return spare ? std::move(spare) : std::make_unique<CachedRead>();
}

void CachedRead::run(std::unique_ptr<CachedRead> read) {
  thread_local std::string body;  // copied out of the cache, so that nothing is sent under its lock
  uint32_t crc32 = 0;
  ReadCache& cache = *read->node->cache;
  Lsn published = read->node->engine.published_lsn();
  CachedRead* waiting = read.get();
  ReadCache::Outcome outcome = cache.find(
      read->key, published,
      [&crc32](const CachedAnswer& answer) {
        body.assign(answer.body);
        crc32 = answer.crc32;
      },
      [waiting] { run(std::unique_ptr<CachedRead>(waiting)); });
  switch (outcome) {
    case ReadCache::Outcome::kWaiting:
      // It belongs to the cache's callback, which may be running it already.
      static_cast<void>(read.release());
      return;
    case ReadCache::Outcome::kHit:
      read->hit(body, crc32, published);
      break;
    case ReadCache::Outcome::kMiss:
      read->read_store(true);
      break;
    case ReadCache::Outcome::kBypass:
      read->read_store(false);
      break;
  }
  spare = std::move(read);
}

void CachedRead::read_store(bool fill) {
  ViewPtr view = node->engine.view();
  std::string image;
  Result<bool> found = view->get(key, image);
  if (!found) {
    if (fill) node->cache->abandon(key);
    return reply.error(found.error());
  }
  std::optional<ItemView> item;
  if (*found) item = ItemView(image);
  std::string body = "{";
  if (item) {
    body += "\"Item\":";
    render_item(*item, body);
  }
  body += '}';
  Reply answer = std::move(reply);
  Lsn lsn = view->lsn();
  if (fill) node->cache->fill(key, item, lsn);
  answer.ok(body, (fill ? CacheHeader("miss", lsn) : CacheHeader("bypass", lsn, "cache")).line());
}

// A read that the cache's wire-ready answers cannot serve.
void read_past_cache(Node& node, const ReadMembers& members, const TablePtr& table,
                     const std::string& key, const std::optional<Projection>& projection,
                     std::string_view why, Reply& reply) {
  ViewPtr view = node.engine.view();
  std::string image;
  Result<bool> found = view->get(key, image);
  if (!found) return reply.error(found.error());
  std::string body = "{";
  if (*found) {
    body += "\"Item\":";
    render_projected(ItemView(image), projection, body);
  }
  CapacityDetail detail = capacity_detail(members.return_consumed_capacity.value_or(""));
  if (detail != CapacityDetail::kNone) {
    size_t bytes = *found ? charged_size(ItemView(image)) : 0;
    if (body.size() > 1) body += ',';
    body += "\"ConsumedCapacity\":";
    render_capacity(table->name, read_units(bytes, members.consistent_read.value_or(false)), detail,
                    CapacityKind::kPlain, body);
  }
  body += '}';
  reply.ok(body, CacheHeader("bypass", view->lsn(), why).line());
}

Status read_request(RequestJson& json, ReadMembers& members, std::string& key, bool& has_key,
                    Status& key_status) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "Key") {
      has_key = true;
      key.clear();
      return hold_refusal(read_item(value, key), key_status);
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

Result<std::string> locate(Node& node, RequestJson& json, ReadMembers& members,
                           std::optional<Projection>& projection, TablePtr& table) {
  thread_local std::string key;
  bool has_key = false;
  Status key_status;
  RETURN_IF_ERROR(read_request(json, members, key, has_key, key_status));
  if (members.has_expressions()) RETURN_IF_ERROR(members.check_projection_use());
  RETURN_IF_ERROR(key_status);
  if (members.has_expressions()) {
    ASSIGN_OR_RETURN(projection, members.parse_projection_only());
  }
  table = node.catalog.resolve(*members.table_name);
  if (table == nullptr) return requested_resource_not_found();
  ASSIGN_OR_RETURN(std::string stored,
                   store_key(table->key, table->generation, MapView(key), true));
  if (projection) RETURN_IF_ERROR(check_scalar_keys(*table, projection->paths()));
  return stored;
}

std::string_view why_not_cached(const Node& node, const ReadMembers& members) {
  if (node.cache == nullptr) return "off";
  if (members.consistent_read.value_or(false)) return "consistent";
  if (members.selects()) return "projection";
  if (capacity_detail(members.return_consumed_capacity.value_or("")) != CapacityDetail::kNone)
    return "capacity";
  return {};
}

}  // namespace

void get_item(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  ReadMembers members;
  std::optional<Projection> projection;
  TablePtr table;
  Result<std::string> key = locate(node, json, members, projection, table);
  if (!key) return reply.error(key.error());
  std::string_view why = why_not_cached(node, members);
  if (!why.empty()) return read_past_cache(node, members, table, *key, projection, why, reply);
  std::unique_ptr<CachedRead> read = take_spare();
  read->node = &node;
  read->key = std::move(*key);
  read->reply = std::move(reply);
  CachedRead::run(std::move(read));
}

}  // namespace millrace
