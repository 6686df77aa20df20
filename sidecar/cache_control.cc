#include "sidecar/cache_control.h"

#include <simdjson.h>

#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "core/model/schema.h"
#include "core/net/admin_client.h"
#include "core/net/http_server.h"
#include "core/ops/json_fields.h"
#include "core/ops/request_json.h"
#include "sidecar/admin_answers.h"

namespace millrace::sidecar {
namespace {

constexpr const char* kExample = "such as {\"table\":\"films\",\"key\":{\"id\":{\"S\":\"a\"}}}";

struct Flush {
  std::optional<std::string_view> table;
  std::optional<std::string> key;  // encoded
};

Status read_flush(RequestJson& json, Flush& flush) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if ((name == "table" && flush.table) || (name == "key" && flush.key))
      return validation_error("'" + std::string(name) + "' is there twice; keep one of the two");
    if (name == "table") return read_string(value, flush.table);
    if (name == "key") return read_item(value, flush.key.emplace());
    return validation_error("there is no member '" + std::string(name) +
                            "'; known are table and key");
  });
}

// A name that got lost on its way to us must not flush everything. Readers of requests pass over
// null, as DynamoDB does.
Status refuse_null(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  if (parser.parse(simdjson::padded_string(body)).get(members)) return malformed_json();
  for (const auto& member : members) {
    if (member.value.is_null()) {
      return validation_error("'" + std::string(member.key) +
                              "' is null; give it a value, or leave it out");
    }
  }
  return {};
}

// How many left.
struct Flushed {
  size_t items = 0, pages = 0;
};

Result<Flushed> flush(std::string_view body, const Catalog& catalog, Caches caches) {
  RequestJson json(body);
  Flush what;
  if (!body.empty()) {
    RETURN_IF_ERROR(refuse_null(body));
    RETURN_IF_ERROR(read_flush(json, what));
  }
  Flushed flushed;
  if (!what.table) {
    if (what.key) return validation_error("'key' is of a table: name it as 'table'");
    if (caches.items != nullptr) flushed.items = caches.items->clear();
    if (caches.pages != nullptr) flushed.pages = caches.pages->clear();
    return flushed;
  }
  const TablePtr table = catalog.find(*what.table);
  if (table == nullptr)
    return make_error(ErrorCode::kResourceNotFound,
                      no_such_table(catalog, std::string(*what.table)));
  std::string key;
  if (what.key) {
    ASSIGN_OR_RETURN(key, store_key(table->key, table->generation, MapView(*what.key), true));
  }
  if (caches.items != nullptr) {
    flushed.items = what.key ? caches.items->clear(std::string_view(key))
                             : caches.items->clear(table->generation);
  }
  // Any of the table's pages may hold the item.
  if (caches.pages != nullptr) flushed.pages = caches.pages->clear(table->generation);
  return flushed;
}

}  // namespace

AdminResponse flush_caches(const AdminRequest& request, const Catalog& catalog, Caches caches) {
  if (caches.items == nullptr && caches.pages == nullptr)
    return refusal(409, "there is no cache: both are switched off");
  if (!request.query.empty()) {
    return refusal(400, "there is no parameter '" + request.query.begin()->first +
                            "'; name what is to be flushed in the body, " + kExample);
  }
  // What the reader of JSON may look at behind the body.
  std::string body = request.body;
  body.resize(body.size() + HttpRequest::kBodyPadding);
  const Result<Flushed> flushed =
      flush(std::string_view(body).substr(0, request.body.size()), catalog, caches);
  if (!flushed) {
    const bool unreadable = flushed.error().code == ErrorCode::kSerialization;
    return unreadable ? refusal(400, "the body is not as it should be, " + std::string(kExample) +
                                         ": " + flushed.error().message)
                      : refusal(flushed.error());
  }
  AdminResponse response;
  response.body = "{\"items\":" + std::to_string(flushed->items) +
                  ",\"pages\":" + std::to_string(flushed->pages) + "}\n";
  return response;
}

Status command_cache(const CacheCommand& command) {
  AdminClientOptions options;
  options.host = command.admin.host;
  options.port = command.admin.port;
  std::string body;
  JsonFields json(body);
  if (command.table) json.text("table", *command.table);
  if (command.key) {
    simdjson::dom::parser parser;
    simdjson::dom::object key;
    if (parser.parse(simdjson::padded_string(*command.key)).get(key)) {
      return make_error(ErrorCode::kConfig, "KEY: '" + *command.key +
                                                "' is not an object of JSON, such as "
                                                "{\"id\":{\"S\":\"a\"}}");
    }
    json.raw("key", *command.key);
  }
  json.end();
  ASSIGN_OR_RETURN(const std::string answer, AdminClient(options).post("/v1/cache/flush", body));
  std::fputs(answer.c_str(), stdout);
  return {};
}

}  // namespace millrace::sidecar
