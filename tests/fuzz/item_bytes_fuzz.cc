#include <cstdint>
#include <cstdlib>

#include "core/model/item_json.h"
#include "core/model/schema.h"
#include "fuzz_target.h"

// Bytes that pass validation can be read by every view, and are the ones that their content encodes
// to.

std::vector<std::string> fuzz_seeds() {
  using millrace::Value;
  using millrace::ValueType;
  const auto number = [](const char* text) {
    return Value::number(millrace::Number::parse(text).value());
  };
  std::vector<std::string> seeds;
  seeds.push_back(millrace::encode_item({}));
  seeds.push_back(millrace::encode_item({
      {"b", Value::binary(std::string(3, '\0'))},
      {"f", Value::boolean(false)},
      {"l", Value::list({number("1"), Value::null(), Value::list({})})},
      {"m", Value::map({{"x", Value::string("y")}, {"z", Value::map({})}})},
      {"n", number("-12.5")},
      {"ns", Value::set(ValueType::kNumberSet, {number("1").scalar(), number("-7").scalar()})},
      {"s", Value::string("h\xc3\xa9")},
      {"ss", Value::set(ValueType::kStringSet, {"a", "b"})},
  }));
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)millrace::split_store_key(bytes);
  if (!millrace::validate_item(bytes)) return 0;
  const millrace::ItemView item(bytes);
  if (millrace::encode_item(millrace::decode_item(item)) != bytes) std::abort();
  std::string json;
  millrace::render_item(item, json);
  (void)millrace::charged_size(item);
  for (const millrace::MapView::Entry entry : item.attributes()) {
    if (!item.get(entry.name)) std::abort();
  }
  return 0;
}
