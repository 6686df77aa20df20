// Definitions of tables as they are kept: an item that is taken for one comes back from what it is
// kept as. The input is an item's JSON.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/model/item_json.h"
#include "core/ops/catalog.h"
#include "fuzz_target.h"

namespace {

using namespace millrace;

bool parse(std::string json, std::string& out) {
  json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(json).get(document) || document.get_object().get(object)) return false;
  return parse_item(object, out).has_value();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const auto made = std::make_unique<Table>();
  Table& table = *made;
  table.name = "films";
  table.id = "id";
  table.generation = 7;
  table.key = {{"pk", ValueType::kString}, KeyAttribute{"sk", ValueType::kNumber}};
  table.billing_mode = "PAY_PER_REQUEST";
  table.created_ms = 1'790'000'000'000;
  StreamDefinition stream;
  stream.label = "2026-11-22T10:00:00.000";
  stream.enabled_at = 9;
  stream.open_shards(2);
  table.streams.push_back(stream);
  std::vector<std::string> seeds(3);
  render_item(ItemView(Catalog::encode(table)), seeds[0]);
  Index index;
  index.name = "global";
  index.generation = 11;
  index.key.partition = {{"gh", ValueType::kString}};
  index.key.sort = {{"gr", ValueType::kNumber}};
  table.indexes.push_back(index);
  table.ttl = TtlDefinition{"ttl", 13, true};
  render_item(ItemView(Catalog::encode(table)), seeds[1]);
  ShardDefinition child;
  child.name = {2, 1'790'000'000'001};
  child.range = {0, (uint64_t{1} << 63) - 1};
  child.parent = ShardName{0, 0};
  child.opened_at = 15;
  StreamDefinition& rolled = table.streams.back();
  rolled.shards[0].closed_at = 15;
  rolled.shards[0].closed_ms = 1'790'000'000'000;
  rolled.shards[1].merged_into = 2;
  rolled.shards.push_back(child);
  rolled.trimmed_through = 12;
  render_item(ItemView(Catalog::encode(table)), seeds[2]);
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string item;
  if (!parse(std::string(reinterpret_cast<const char*>(data), size), item)) return 0;
  const auto table = Catalog::decode(ItemView(item));
  if (!table) {
    // Damaged, or of a newer release.
    const ErrorCode code = table.error().code;
    if (code != ErrorCode::kCorruption && code != ErrorCode::kConfig) std::abort();
    return 0;
  }
  const std::string kept = Catalog::encode(*table);
  const auto again = Catalog::decode(ItemView(kept));
  if (!again || Catalog::encode(*again) != kept) std::abort();
  return 0;
}
