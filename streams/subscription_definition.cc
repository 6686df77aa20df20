#include "streams/subscription_definition.h"

#include <algorithm>

#include "core/model/schema.h"
#include "streams/event_pattern.h"

namespace millrace::streams {
namespace {

// The form of the item. A later one is refused by name rather than misread. Persisted.
constexpr int64_t kVersion = 1;

Value number(int64_t value) { return Value::number(Number::parse(std::to_string(value)).value()); }

bool plain(std::string_view name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                              "XYZ0123456789._-") == std::string_view::npos;
}

Error unreadable(const std::string& what) {
  return make_error(ErrorCode::kCorruption, "a subscription's definition cannot be read: " + what);
}

Result<int64_t> integer(ItemView item, const char* name) {
  auto value = item.get(name);
  if (!value || value->type() != ValueType::kNumber) return unreadable(std::string("no ") + name);
  const std::string text = value->number().text();
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    return unreadable(name);
  return std::stoll(text);
}

}  // namespace

Status check_definition(const SubscriptionDefinition& definition) {
  if (!plain(definition.name) || definition.name.size() > SubscriptionDefinition::kNameBytesMax) {
    return validation_error(
        "a subscription's name has 1 to 128 letters, digits, points, dashes and underscores");
  }
  if (definition.shards < 1 || definition.shards > SubscriptionDefinition::kShardsMax)
    return validation_error("a subscription has 1 to 64 shards");
  if (definition.tables.size() > SubscriptionDefinition::kTablesMax) {
    return validation_error(
        "a subscription names at most 100 tables; leave them out for all tables");
  }
  for (const std::string& table : definition.tables) {
    if (!plain(table) || table.size() > 255)
      return validation_error("'" + table.substr(0, 255) + "' is not a table's name");
  }
  if (!definition.filter.empty()) {
    std::string normal;
    RETURN_IF_ERROR(parse_event_pattern(definition.filter, normal));
  }
  if (!std::is_sorted(definition.tables.begin(), definition.tables.end(), std::less_equal<>()))
    return validation_error("a table is named twice");
  return {};
}

std::string subscription_key(std::string_view name) {
  std::string key;
  append_partition_prefix(kSubscriptionGeneration, name, key);
  return key;
}

std::string encode_definition(const SubscriptionDefinition& definition) {
  ItemTree item;
  item.emplace("name", Value::string(definition.name));
  item.emplace("version", number(kVersion));
  item.emplace("shards", number(definition.shards));
  item.emplace("created_ms", number(definition.created_ms));
  Value::List tables;
  for (const std::string& table : definition.tables) tables.push_back(Value::string(table));
  item.emplace("tables", Value::list(std::move(tables)));
  if (!definition.filter.empty()) item.emplace("filter", Value::string(definition.filter));
  return encode_item(item);
}

Result<SubscriptionDefinition> decode_definition(ItemView item) {
  SubscriptionDefinition definition;
  auto name = item.get("name");
  if (!name || name->type() != ValueType::kString) return unreadable("no name");
  definition.name = name->scalar();
  ASSIGN_OR_RETURN(const int64_t version, integer(item, "version"));
  if (version != kVersion) {
    return unreadable("'" + definition.name + "' has the form " + std::to_string(version) +
                      ", which a newer release wrote");
  }
  ASSIGN_OR_RETURN(const int64_t shards, integer(item, "shards"));
  definition.shards = static_cast<uint32_t>(std::min<int64_t>(shards, UINT32_MAX));
  ASSIGN_OR_RETURN(definition.created_ms, integer(item, "created_ms"));
  auto tables = item.get("tables");
  if (!tables || tables->type() != ValueType::kList) return unreadable("no tables");
  for (ValueView table : tables->list()) {
    if (table.type() != ValueType::kString) return unreadable("tables");
    definition.tables.emplace_back(table.scalar());
  }
  auto filter = item.get("filter");
  if (filter && filter->type() != ValueType::kString) return unreadable("filter");
  if (filter) definition.filter = filter->scalar();
  if (Status sound = check_definition(definition); !sound) return unreadable(sound.error().message);
  return definition;
}

std::string shard_checkpoint_name(std::string_view subscription, uint32_t shard) {
  return "subscription/" + std::string(subscription) + "/" + std::to_string(shard);
}

}  // namespace millrace::streams
