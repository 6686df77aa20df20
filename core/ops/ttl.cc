#include "core/ops/ttl.h"

#include <algorithm>
#include <charconv>

#include "core/base/bytes.h"

namespace millrace {

namespace {

constexpr size_t kPrefixBytes = 16;  // generation and second

// Beyond this a second is no time; it fits into 63 bits.
constexpr size_t kDigitsMax = 18;

std::optional<std::string> entry_key(const Table& table, std::optional<ItemView> item) {
  if (!item) return std::nullopt;
  auto second = expiry_second(*item, table.ttl->attribute);
  if (!second) return std::nullopt;
  auto item_key = store_key(table.key, table.generation, item->attributes(), false);
  CHECK(item_key.has_value());  // it is an item of the table
  return ttl_range_begin(table.ttl->generation, *second).append(*item_key, 8);
}

}  // namespace

std::optional<int64_t> expiry_second(ItemView item, std::string_view attribute) {
  auto value = item.get(attribute);
  if (!value || value->type() != ValueType::kNumber) return std::nullopt;
  const std::string text = value->number().text();
  const std::string_view whole = std::string_view(text).substr(0, text.find('.'));
  if (whole.size() > kDigitsMax || text.front() == '-') return std::nullopt;
  int64_t second = 0;
  std::from_chars(whole.data(), whole.data() + whole.size(), second);
  return second;
}

std::string ttl_range_begin(Generation index, int64_t second) {
  std::string key;
  append_generation_prefix(index, key);
  put_big_endian64(key, static_cast<uint64_t>(std::max<int64_t>(second, 0)));
  return key;
}

Result<TtlEntry> split_ttl_entry(std::string_view key, Generation table) {
  if (key.size() < kPrefixBytes)
    return make_error(ErrorCode::kCorruption,
                      "an entry of a TTL index has a key that is too short");
  TtlEntry entry;
  entry.second = static_cast<int64_t>(get_big_endian64(key.data() + 8));
  append_generation_prefix(table, entry.item_key);
  entry.item_key.append(key.substr(kPrefixBytes));
  return entry;
}

void append_ttl_changes(const Table& table, std::optional<ItemView> old_item,
                        std::optional<ItemView> new_item, IndexChanges& changes) {
  const std::optional<std::string> old_key = entry_key(table, old_item);
  const std::optional<std::string> new_key = entry_key(table, new_item);
  if (old_key == new_key) return;
  if (old_key) changes.remove(*old_key);
  if (new_key) changes.put(*new_key, {});
}

}  // namespace millrace
