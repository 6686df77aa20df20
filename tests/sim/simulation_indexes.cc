#include <map>

#include "core/ops/index_changes.h"
#include "core/ops/ttl.h"
#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {
namespace {

constexpr const char* kTable = "items";

using Entries = std::map<std::string, std::string>;

Entries entries_of(const View& view, Generation generation) {
  Entries entries;
  std::string begin;
  append_generation_prefix(generation, begin);
  auto range = view.range(begin, prefix_successor(begin), false);
  for (; range->valid(); range->next()) entries.emplace(range->key(), range->image());
  require(range->status().has_value(), "a walk over the tables fails");
  return entries;
}

void check_entries(const Entries& found, const Entries& wanted, bool complete,
                   const std::string& what) {
  for (const auto& [key, image] : found) {
    auto entry = wanted.find(key);
    require(entry != wanted.end(), what + " has an entry that no item has");
    require(entry->second == image, what + " has an entry that is not as its item");
  }
  require(!complete || found.size() == wanted.size(), what + " lacks an entry of an item");
}

Key key_of(const TtlEntry& entry) {
  StoreKeyView key = split_store_key(entry.item_key).value();
  const std::string sort = Number::from_ordered(key.sort_scalar).value().text();
  return {std::stoull(std::string(key.partition_scalar)), std::stoull(sort)};
}

}  // namespace

// What a step of the long work deletes is known when it submits the command: the items that the
// published TTL index shows as expired and that still are behind all writes submitted so far.
void Simulation::work_long() {
  const TablePtr table = node_->catalog().find(kTable);
  const int64_t now_second = clock_.wall_ms() / 1000;
  std::vector<Key> due;
  if (table->ttl) {
    const Generation index = table->ttl->generation;
    auto range =
        node_->engine().view()->range(ttl_range_begin(index, now_second - kTtlOldestSeconds),
                                      ttl_range_begin(index, now_second), false);
    for (; range->valid(); range->next())
      due.push_back(key_of(split_ttl_entry(range->key(), table->generation).value()));
  }
  const uint64_t before = node_->long_work().statistics().expiry_steps;
  Status status = node_->long_work().step();
  // What a command of an earlier step met, of a disk that failed, is told first.
  if (!status) status = node_->long_work().step();
  require(status.has_value() || disk_.power_lost(), "the long work fails");
  if (node_->long_work().statistics().expiry_steps == before) return;
  const uint64_t operation = next_operation_++;
  for (const Key& key : due) {
    const std::optional<Item> item = submitted(key);
    if (item && item->until && has_expired(*item->until, now_second)) model_.expire(key, operation);
  }
}

bool Simulation::change_definition(const std::string& operation, const std::string& body) {
  auto answer = node_->call(operation, body);
  if (disk_.power_lost()) return false;
  require(answer.has_value(), operation + " is not answered");
  // An index can be removed only once its backfill has begun.
  require(answer->status == 200 || answer->body.find("resource allocation") != std::string::npos,
          operation + " answers " + answer->body);
  return answer->status == 200;
}

void Simulation::change_index() {
  const std::string table = "{\"TableName\":\"" + std::string(kTable) + "\",";
  if (node_->catalog().find(kTable)->find_index("byCount") != nullptr) {
    change_definition("UpdateTable", table +
                                         "\"GlobalSecondaryIndexUpdates\":[{\"Delete\":{"
                                         "\"IndexName\":\"byCount\"}}]}");
    return;
  }
  const char* projections[] = {"\"ALL\"", "\"KEYS_ONLY\"",
                               "\"INCLUDE\",\"NonKeyAttributes\":[\"pad\"]"};
  change_definition(
      "UpdateTable",
      table +
          "\"AttributeDefinitions\":[{\"AttributeName\":\"n\",\"AttributeType\":\"N\"}],"
          "\"GlobalSecondaryIndexUpdates\":[{\"Create\":{\"IndexName\":\"byCount\","
          "\"KeySchema\":[{\"AttributeName\":\"n\",\"KeyType\":\"HASH\"}],"
          "\"Projection\":{\"ProjectionType\":" +
          projections[random_.below(3)] + "}}}]}");
}

void Simulation::change_ttl() {
  const bool enable = !node_->catalog().find(kTable)->ttl;
  change_definition("UpdateTimeToLive",
                    "{\"TableName\":\"" + std::string(kTable) +
                        "\",\"TimeToLiveSpecification\":{\"AttributeName\":\"u\",\"Enabled\":" +
                        (enable ? "true" : "false") + "}}");
}

void Simulation::check_indexes() {
  const TablePtr table = node_->catalog().find(kTable);
  const ViewPtr view = node_->engine().view();
  const Entries items = entries_of(*view, table->generation);
  for (const Index& index : table->indexes) {
    Entries wanted;
    for (const auto& [key, image] : items) {
      IndexChanges changes;
      append_index_entry(*table, index, ItemView(image), changes);
      for (const IndexChange& change : changes.view()) wanted.emplace(change.key, change.image);
    }
    check_entries(entries_of(*view, index.generation), wanted, index.status == IndexStatus::kActive,
                  "the index");
  }
  if (!table->ttl) return;
  Entries wanted;
  for (const auto& [key, image] : items) {
    IndexChanges changes;
    append_ttl_changes(*table, std::nullopt, ItemView(image), changes);
    for (const IndexChange& change : changes.view()) wanted.emplace(change.key, change.image);
  }
  check_entries(entries_of(*view, table->ttl->generation), wanted, !table->ttl->backfilling,
                "the TTL index");
}

}  // namespace millrace::sim
