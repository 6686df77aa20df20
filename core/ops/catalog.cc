#include "core/ops/catalog.h"

#include "core/base/bytes.h"
#include "core/ops/arn.h"
#include "core/ops/violations.h"

namespace millrace {

namespace {

// A deleted table whose streams can still be read is kept under a name that no table can have.
constexpr std::string_view kDeletedPrefix = "#deleted/";

bool is_definition_key(std::string_view key) {
  return key.size() >= 8 && get_big_endian64(key.data()) == kCatalogGeneration;
}

bool is_deleted_name(std::string_view name) {
  return name.substr(0, kDeletedPrefix.size()) == kDeletedPrefix;
}

// What the service says of an ARN whose `what` is not that of a table here.
Error wrong_in_arn(std::string_view what, std::string_view arn) {
  return validation_error("1 validation error detected: Invalid " + std::string(what) + " in '" +
                          std::string(arn) + "'");
}

Error malformed_arn(std::string_view arn) {
  Violations violations;
  violations.add(arn, "tableName",
                 "Valid ARN format is "
                 "'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', "
                 "where Resource name must have length less than or equal to 255, Resource name "
                 "must have length greater than or equal to 3, Resource name must satisfy regular "
                 "expression pattern: [a-zA-Z0-9_.-]+");
  return violations.status().error();
}

// Of all catalogues of the process.
uint64_t next_version() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Catalog::Catalog(std::string region, std::string account)
    : region_(std::move(region)), account_(std::move(account)), version_(next_version()) {}

std::string Catalog::key_of(std::string_view table_name) {
  std::string key;
  append_partition_prefix(kCatalogGeneration, table_name, key);
  return key;
}

std::string Catalog::deleted_name(Generation generation) {
  return std::string(kDeletedPrefix) + std::to_string(generation);
}

Status Catalog::load(const View& view) {
  std::string begin;
  append_generation_prefix(kCatalogGeneration, begin);
  auto range = view.range(begin, prefix_successor(begin), false);
  std::lock_guard lock(mutex_);
  for (; range->valid(); range->next()) RETURN_IF_ERROR(apply_locked(range->key(), range->image()));
  return range->status();
}

Status Catalog::apply_locked(std::string_view key, std::optional<std::string_view> image) {
  ASSIGN_OR_RETURN(StoreKeyView parts, split_store_key(key));
  std::string_view name = parts.partition_scalar;
  version_.store(next_version(), std::memory_order_release);
  std::shared_ptr<const Table> table;
  if (image) {
    ASSIGN_OR_RETURN(Table decoded, decode(ItemView(*image)));
    table = std::make_shared<const Table>(std::move(decoded));
  }
  if (is_deleted_name(name)) {
    if (table) {
      by_generation_[table->generation] = table;
    } else {
      std::erase_if(by_generation_,
                    [&](const auto& entry) { return deleted_name(entry.first) == name; });
    }
    return {};
  }
  if (table) {
    by_generation_[table->generation] = table;
    by_name_[std::string(name)] = std::move(table);
  } else if (auto found = by_name_.find(name); found != by_name_.end()) {
    by_generation_.erase(found->second->generation);
    by_name_.erase(found);
  }
  return {};
}

void Catalog::on_commit(const FramePtr& frame) {
  // Under one lock: between the removal of a table's name and the change that keeps its generation,
  // nobody may find the generation unknown (the shard index would pass over its changes for good).
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  for (const EntryView& entry : *frame) {
    for (const ChangeView& change : entry) {
      if (!is_definition_key(change.key)) continue;
      if (!lock.owns_lock()) lock.lock();
      // Encoded by this process in this very commit, so that it cannot be read back is our own
      // mistake.
      CHECK(apply_locked(change.key, change.new_image).has_value());
    }
  }
}

// Nearly all requests of a thread ask for the table that the one before did: they find it without
// the lock that all threads share.
TablePtr Catalog::find(std::string_view name) const {
  struct LastFound {
    uint64_t version = 0;
    TablePtr table;
  };
  thread_local LastFound last;
  if (last.version == version_.load(std::memory_order_acquire) && last.table->name == name) {
    return last.table;
  }
  std::lock_guard lock(mutex_);
  auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  last = {version_.load(std::memory_order_relaxed), found->second};
  return found->second;
}

TablePtr Catalog::find(Generation generation) const {
  std::lock_guard lock(mutex_);
  auto found = by_generation_.find(generation);
  return found == by_generation_.end() ? nullptr : found->second;
}

std::vector<TablePtr> Catalog::tables() const {
  std::lock_guard lock(mutex_);
  std::vector<TablePtr> tables;
  tables.reserve(by_name_.size());
  for (const auto& [name, table] : by_name_) tables.push_back(table);
  return tables;
}

std::vector<TablePtr> Catalog::all() const {
  std::lock_guard lock(mutex_);
  std::vector<TablePtr> tables;
  tables.reserve(by_generation_.size());
  for (const auto& [generation, table] : by_generation_) tables.push_back(table);
  return tables;
}

std::string Catalog::table_arn(std::string_view table_name) const {
  return "arn:" + std::string(kPartition) + ":dynamodb:" + region_ + ":" + account_ + ":table/" +
         std::string(table_name);
}

std::string Catalog::stream_arn(const Table& table, const StreamDefinition& stream) const {
  return table_arn(table.name) + "/stream/" + stream.label;
}

Result<std::string_view> Catalog::name_of(std::string_view name_or_arn) const {
  if (!is_arn(name_or_arn)) return name_or_arn;
  const std::optional<Arn> arn = split_arn(name_or_arn);
  const size_t slash = arn ? arn->resource.find('/') : std::string_view::npos;
  if (slash == std::string_view::npos || arn->service != "dynamodb")
    return malformed_arn(name_or_arn);
  if (arn->resource.substr(0, slash) != "table") return wrong_in_arn("resource type", name_or_arn);
  const std::string_view name = arn->resource.substr(slash + 1);
  if (!check_new_table_name(name)) return malformed_arn(name_or_arn);
  if (arn->partition != kPartition) return wrong_in_arn("AWS partition", name_or_arn);
  if (arn->region != region_) return wrong_in_arn("AWS region", name_or_arn);
  if (arn->account != account_) return access_denied();
  return name;
}

Result<TablePtr> Catalog::resolve(std::string_view name_or_arn, NotFound not_found) const {
  ASSIGN_OR_RETURN(const std::string_view name, name_of(name_or_arn));
  TablePtr table = find(name);
  if (table == nullptr) return not_found(name);
  return table;
}

}  // namespace millrace
