#include "core/ops/backfill.h"

#include <optional>
#include <utility>

#include "core/base/turns.h"
#include "core/ops/drops.h"
#include "core/ops/index_changes.h"
#include "core/ops/ttl.h"

namespace millrace {

namespace {

// Of index changes in one command: beyond it the rest of its items is left to the next one.
constexpr size_t kChangesBytesMax = 1 << 20;

// The noted progress: {Next: the store key of the next item} or {Done: true}. Persisted.
struct Progress {
  std::string next;  // empty: from the first
  bool done = false;
};

std::string encode(const Progress& progress) {
  if (progress.done) return encode_item({{"Done", Value::boolean(true)}});
  return encode_item({{"Next", Value::binary(progress.next)}});
}

Result<Progress> decode_progress(ItemView item) {
  Progress progress;
  if (item.get("Done")) {
    progress.done = true;
    return progress;
  }
  auto next = item.get("Next");
  if (!next || next->type() != ValueType::kBinary)
    return make_error(ErrorCode::kCorruption, "the progress of a backfill cannot be read");
  progress.next = std::string(next->scalar());
  return progress;
}

class BackfillCommand : public Command {
 public:
  BackfillCommand(BackfillTarget target, const Catalog& catalog, std::shared_ptr<WorkTicket> ticket)
      : target_(std::move(target)), catalog_(catalog), ticket_(std::move(ticket)) {}
  void done(const Status& status) final {
    if (!status) ticket_->fail(status.error());
  }

 protected:
  // The table, if the index is still there and to be filled.
  TablePtr table() const {
    TablePtr table = catalog_.find(target_.table_name);
    if (table == nullptr || table->generation != target_.table) return nullptr;
    if (table->ttl && table->ttl->generation == target_.index)
      return table->ttl->backfilling ? table : nullptr;
    const Index* index = find_index(*table);
    return index != nullptr && index->status == IndexStatus::kCreating ? table : nullptr;
  }
  const Index* find_index(const Table& table) const {
    for (const Index& index : table.indexes) {
      if (index.generation == target_.index) return &index;
    }
    return nullptr;
  }
  Index* find_index(Table& table) const {
    return const_cast<Index*>(find_index(std::as_const(table)));
  }

  const BackfillTarget target_;
  const Catalog& catalog_;
  const std::shared_ptr<WorkTicket> ticket_;
};

// Adds the entries of some items and notes how far it got.
class AddEntries final : public BackfillCommand {
 public:
  AddEntries(BackfillTarget target, const Catalog& catalog, std::shared_ptr<WorkTicket> ticket,
             std::vector<std::string> keys, std::string next, size_t item_bytes)
      : BackfillCommand(std::move(target), catalog, std::move(ticket)),
        keys_(std::move(keys)),
        next_(std::move(next)),
        bytes_(item_bytes + sizeof *this) {
    for (const std::string& key : keys_) bytes_ += key.size() + sizeof key;
  }
  size_t bytes() const override { return bytes_; }

  void evaluate(Commit& commit) override {
    const TablePtr table = this->table();
    if (table == nullptr) return;
    if (Status room = commit.may_grow(); !room) return ticket_->fail(room.error());
    IndexChanges changes;
    std::string image;
    size_t added = 0;
    for (; added < keys_.size() && changes.bytes() < kChangesBytesMax; ++added) {
      Result<bool> found = commit.get(keys_[added], image);
      if (!found) return ticket_->fail(found.error());
      // What has gone since the walk met it is in no index: its removal saw to that.
      if (*found) append_entry(*table, ItemView(image), changes);
    }
    Progress progress;
    progress.next = added < keys_.size() ? keys_[added] : next_;
    progress.done = progress.next.empty();
    const std::string key = backfill_key(target_.index);
    Result<bool> known = commit.get(key, image);
    if (!known) return ticket_->fail(known.error());
    commit.put(key, encode(progress), *known, std::nullopt, changes);
  }

 private:
  void append_entry(const Table& table, ItemView item, IndexChanges& changes) const {
    if (const Index* index = find_index(table)) {
      append_index_entry(table, *index, item, changes);
    } else {
      append_ttl_changes(table, std::nullopt, item, changes);
    }
  }

  const std::vector<std::string> keys_;
  const std::string next_;  // empty: there are no more
  size_t bytes_;
};

// Says in the definition that the backfill has begun.
class Begin final : public BackfillCommand {
 public:
  using BackfillCommand::BackfillCommand;
  size_t bytes() const override { return 4096; }
  bool alone() const override { return true; }
  void evaluate(Commit& commit) override {
    const TablePtr found = table();
    if (found == nullptr) return;
    Table changed = *found;
    Index* index = find_index(changed);
    if (index == nullptr || index->backfilling) return;
    index->backfilling = true;
    commit.put(Catalog::key_of(changed.name), Catalog::encode(changed), true, std::nullopt);
  }
};

// Makes the index ready, if all entries are there.
class Finish final : public BackfillCommand {
 public:
  using BackfillCommand::BackfillCommand;
  size_t bytes() const override { return 4096; }
  bool alone() const override { return true; }
  void evaluate(Commit& commit) override {
    const TablePtr found = table();
    if (found == nullptr) return;
    const std::string key = backfill_key(target_.index);
    std::string image;
    Result<bool> known = commit.get(key, image);
    if (!known) return ticket_->fail(known.error());
    if (!*known) return;
    Result<Progress> progress = decode_progress(ItemView(image));
    if (!progress) return ticket_->fail(progress.error());
    if (!progress->done) return;
    Table changed = *found;
    if (Index* index = find_index(changed)) {
      index->status = IndexStatus::kActive;
      index->backfilling = false;
    } else {
      changed.ttl->backfilling = false;
    }
    commit.put(Catalog::key_of(changed.name), Catalog::encode(changed), true, std::nullopt);
    commit.remove(key, std::nullopt);
  }
};

}  // namespace

std::string backfill_key(Generation index) {
  std::string key;
  append_partition_prefix(kBackfillGeneration, std::to_string(index), key);
  return key;
}

void stage_index_drop(Commit& commit, Generation index, std::string_view whose) {
  stage_drop(commit, index, whose);
  const std::string key = backfill_key(index);
  std::string image;
  // One that cannot be read stays: nobody asks for it any more.
  if (auto known = commit.get(key, image); known && *known) commit.remove(key, std::nullopt);
}

std::vector<BackfillTarget> backfill_targets(const Catalog& catalog) {
  std::vector<BackfillTarget> targets;
  for (const TablePtr& table : catalog.tables()) {
    for (const Index& index : table->indexes) {
      if (index.status == IndexStatus::kCreating)
        targets.push_back({table->name, table->generation, index.generation, index.backfilling});
    }
    // TTL's shows no difference between begun and not.
    if (table->ttl && table->ttl->backfilling)
      targets.push_back({table->name, table->generation, table->ttl->generation, true});
  }
  return targets;
}

Result<std::vector<std::unique_ptr<Command>>> backfill_commands(
    const BackfillTarget& target, const View& view, const Catalog& catalog, WorkBounds bounds,
    const std::shared_ptr<WorkTicket>& ticket) {
  std::vector<std::unique_ptr<Command>> commands;
  Progress progress;
  std::string image;
  ASSIGN_OR_RETURN(bool known, view.get(backfill_key(target.index), image));
  if (known) {
    ASSIGN_OR_RETURN(progress, decode_progress(ItemView(image)));
  }
  if (!progress.done) {
    std::string begin;
    append_generation_prefix(target.table, begin);
    const std::string end = prefix_successor(begin);
    auto range = view.range(progress.next.empty() ? begin : progress.next, end, false);
    std::vector<std::string> keys;
    size_t bytes = 0;
    for (; range->valid() && keys.size() < bounds.items && bytes < bounds.bytes; range->next()) {
      keys.emplace_back(range->key());
      bytes += range->image().size();
      end_turn();
    }
    RETURN_IF_ERROR(range->status());
    std::string next = range->valid() ? std::string(range->key()) : std::string();
    progress.done = next.empty();
    if (!progress.done && !target.begun)
      commands.push_back(std::make_unique<Begin>(target, catalog, ticket));
    commands.push_back(std::make_unique<AddEntries>(target, catalog, ticket, std::move(keys),
                                                    std::move(next), bytes));
  }
  if (progress.done) commands.push_back(std::make_unique<Finish>(target, catalog, ticket));
  return commands;
}

}  // namespace millrace
