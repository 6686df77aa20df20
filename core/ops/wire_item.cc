#include "core/ops/wire_item.h"

#include <simdjson.h>

#include "core/base/check.h"
#include "core/model/item_json.h"

namespace millrace {
namespace {

constexpr std::string_view kBegin = R"({"Item":)";
constexpr std::string_view kEnd = "}";

// A parser keeps several times the largest text it has seen: up to this size it is the thread's.
constexpr size_t kKeptParserBytes = 64u << 10;

void parse(simdjson::ondemand::parser& parser, const simdjson::padded_string& json,
           std::string& encoded) {
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  CHECK(!parser.iterate(json).get(document) && !document.get_object().get(object));
  CHECK(parse_item(object, encoded).has_value());
}

}  // namespace

void render_wire_item(std::optional<ItemView> item, std::string& body) {
  if (!item) {
    body = "{}";
    return;
  }
  body = kBegin;
  render_item(*item, body);
  body += kEnd;
}

std::string_view json_of_wire_item(std::string_view body) {
  if (body.size() < kBegin.size() + kEnd.size()) return {};
  return body.substr(kBegin.size(), body.size() - kBegin.size() - kEnd.size());
}

void parse_wire_item(std::string_view body, std::string& encoded) {
  encoded.clear();
  const simdjson::padded_string json(json_of_wire_item(body));
  if (json.size() > kKeptParserBytes) {
    simdjson::ondemand::parser once;
    return parse(once, json, encoded);
  }
  thread_local simdjson::ondemand::parser kept;
  parse(kept, json, encoded);
}

}  // namespace millrace
