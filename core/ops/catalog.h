#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/ops/attachments.h"
#include "core/ops/index.h"
#include "core/ops/stream_definition.h"
#include "core/ops/table_settings.h"
#include "core/ops/table_sizes.h"
#include "core/store/engine.h"
#include "core/store/frame.h"

namespace millrace {

/// Items expire by a number attribute, their time in seconds since the epoch. Found by an index of
/// its own, see ttl.h.
struct TtlDefinition {
  std::string attribute;
  Generation generation = 0;  // of the index
  bool backfilling = true;    // the items from before it was enabled are not all in the index
};

/// A table's definition as of one entry of the log. Immutable; a change makes a new one.
struct Table {
  std::string name;
  std::string id;  // UUID
  Generation generation = 0;
  KeySchema key;
  std::string billing_mode;  // PAY_PER_REQUEST or PROVISIONED
  int64_t read_units = 0, write_units = 0;
  int64_t created_ms = 0;
  int64_t pay_per_request_ms = 0;  // when the billing mode became that; 0: never was
  bool deletion_protection = false;
  /// The newest last; at most one without disabled_at, and it is the last.
  std::vector<StreamDefinition> streams;
  /// A subscription or connector asked for old images (see Catalog, keeps_old_images).
  bool keep_old_images = false;
  std::vector<Index> indexes;  // in the order in which they were given
  TableSettings settings;
  std::optional<TtlDefinition> ttl;  // none: off
  TableAttachments attachments;

  const Index* find_index(std::string_view index_name) const {
    for (const Index& index : indexes) {
      if (index.name == index_name) return &index;
    }
    return nullptr;
  }
  const StreamDefinition* enabled_stream() const {
    return !streams.empty() && !streams.back().disabled_at ? &streams.back() : nullptr;
  }
  bool logs_old_images() const { return keep_old_images || enabled_stream() != nullptr; }
};
using TablePtr = std::shared_ptr<const Table>;

/// The definitions of all tables, published: an observer of the log. A table's definition is an
/// item of the catalogue's system table (key: its name; a deleted table stays as
/// `#deleted/<generation>` while the log has its changes), changed by commands that are evaluated
/// alone, so that what is published is what any other command must see. Thread-safe.
class Catalog final : public CommitObserver {
 public:
  explicit Catalog(std::string region, std::string account);
  /// Reads all definitions from a view, before the first step().
  Status load(const View& view);

  TablePtr find(std::string_view name) const;
  /// The name, of a name or of the ARN of a table here. The region is that of the ARNs that are
  /// made here, whichever a client signs for: it can use all that it was given.
  Result<std::string_view> name_of(std::string_view name_or_arn) const;
  /// By name or by ARN. `not_found` is the refusal of a name that no table has.
  using NotFound = Error (*)(std::string_view table_name);
  Result<TablePtr> resolve(std::string_view name_or_arn, NotFound not_found) const;
  TablePtr find(Generation generation) const;  // also deleted ones, while the log has their changes
  std::vector<TablePtr> tables() const;        // by name; without deleted ones
  std::vector<TablePtr> all() const;           // with them

  const std::string& region() const { return region_; }
  const std::string& account() const { return account_; }
  std::string table_arn(std::string_view table_name) const;
  std::string stream_arn(const Table& table, const StreamDefinition& stream) const;

  /// What is known of how large the tables are.
  TableSizes& sizes() const { return sizes_; }

  /// From now on CreateTable sets Table::keep_old_images of tables of this name (empty: of every
  /// name), so that none of their changes lacks its old image. Not persisted: a subscription that
  /// needs old images asks at every start, before the first command.
  void keep_old_images_of(std::string table_name) {
    std::lock_guard lock(mutex_);
    kept_old_images_.insert(std::move(table_name));
  }
  bool keeps_old_images(std::string_view table_name) const {
    std::lock_guard lock(mutex_);
    return kept_old_images_.contains("") || kept_old_images_.contains(table_name);
  }

  /// How many shards a stream that is enabled from now on begins with. Not persisted: set it before
  /// the first command.
  void set_stream_shards(uint32_t count) { stream_shards_ = count; }
  uint32_t stream_shards() const { return stream_shards_; }

  void on_commit(const FramePtr& frame) override;

  /// The catalogue's store key and item for a table, and back. Persisted.
  static std::string key_of(std::string_view table_name);
  /// The name under which a deleted table's definition is kept while the log has its changes.
  /// Persisted.
  static std::string deleted_name(Generation generation);
  static std::string encode(const Table& table);
  static Result<Table> decode(ItemView item);

 private:
  Status apply_locked(std::string_view key, std::optional<std::string_view> image);

  const std::string region_;
  const std::string account_;
  uint32_t stream_shards_ = 4;
  mutable TableSizes sizes_;
  mutable std::mutex mutex_;
  /// Another whenever by_name_ is, and no other catalogue's. Written under mutex_.
  std::atomic<uint64_t> version_;
  std::map<std::string, TablePtr, std::less<>> by_name_;
  std::map<Generation, TablePtr> by_generation_;
  std::set<std::string, std::less<>> kept_old_images_;
};

}  // namespace millrace
