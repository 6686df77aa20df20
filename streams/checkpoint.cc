#include "streams/checkpoint.h"

#include <charconv>

#include "core/model/schema.h"

namespace millrace::streams {
namespace {

// Attributes of a checkpoint's item. Persisted.
constexpr const char* kNameAttribute = "name";
constexpr const char* kLsnAttribute = "lsn";

}  // namespace

std::string checkpoint_key(std::string_view name) {
  std::string key;
  append_partition_prefix(kCheckpointGeneration, name, key);
  return key;
}

std::string checkpoint_item(std::string_view name, Lsn lsn) {
  ItemTree item;
  item.emplace(kNameAttribute, Value::string(std::string(name)));
  item.emplace(kLsnAttribute, Value::number(Number::parse(std::to_string(lsn)).value()));
  return encode_item(item);
}

Result<Lsn> checkpoint_lsn(std::string_view image) {
  auto value = ItemView(image).get(kLsnAttribute);
  Lsn lsn = 0;
  std::string text = value && value->type() == ValueType::kNumber ? value->number().text() : "";
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), lsn);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return make_error(ErrorCode::kCorruption, "a subscription's position cannot be read");
  }
  return lsn;
}

}  // namespace millrace::streams
