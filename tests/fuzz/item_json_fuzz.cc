#include <cstdint>
#include <cstdlib>

#include "core/model/item_json.h"
#include "fuzz_target.h"

// What is taken for an item's JSON gives valid canonical bytes, which come back from the JSON that
// they render to.

namespace {

bool parse(std::string json, std::string& out) {
  json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(json).get(document) || document.get_object().get(object)) return false;
  return millrace::parse_item(object, out).has_value();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      R"({})",
      R"({"a":{"S":"text"},"b":{"N":"-1.5"},"c":{"B":"AAH/"},"d":{"BOOL":true},"e":{"NULL":true}})",
      R"({"l":{"L":[{"S":"x"},{"L":[]},{"M":{"k":{"N":"1"}}}]},"m":{"M":{"z":{"S":""},"a":{"S":""}}}})",
      R"({"ss":{"SS":["b","a"]},"ns":{"NS":["1","2.50"]},"bs":{"BS":["AA==",""]}})",
      R"({"\u00e9\ud83d\ude00":{"S":"\" \\ \b\f\n\r\t \u0001"},"x":null,"y":{"S":"","N":null}})",
      R"( { "a" : { "M" : { "b" : { "L" : [ { "BOOL" : "true" } ] } } } , "a" : { "S" : "twice" } } )",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string encoded;
  if (!parse(std::string(reinterpret_cast<const char*>(data), size), encoded)) return 0;
  if (!millrace::validate_item(encoded)) std::abort();
  std::string json, again;
  millrace::render_item(millrace::ItemView(encoded), json);
  if (!parse(json, again) || again != encoded) std::abort();
  (void)millrace::charged_size(millrace::ItemView(encoded));
  return 0;
}
