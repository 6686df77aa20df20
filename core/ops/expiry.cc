#include "core/ops/expiry.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/turns.h"
#include "core/ops/index_changes.h"
#include "core/ops/ttl.h"

namespace millrace {

namespace {

// Of deleted items in one command: beyond it the rest is left to the next walk.
constexpr size_t kDeletedBytesMax = 1 << 20;

class DeleteExpired final : public Command {
 public:
  DeleteExpired(const Table& table, const Catalog& catalog, std::shared_ptr<WorkTicket> ticket,
                std::vector<std::string> keys, int64_t now_second)
      : table_name_(table.name),
        generation_(table.generation),
        index_(table.ttl->generation),
        catalog_(catalog),
        ticket_(std::move(ticket)),
        keys_(std::move(keys)),
        now_second_(now_second) {
    for (const std::string& key : keys_) bytes_ += key.size() + sizeof key;
  }
  size_t bytes() const override { return bytes_; }

  void evaluate(Commit& commit) override {
    const TablePtr table = catalog_.find(table_name_);
    if (table == nullptr || table->generation != generation_) return;
    if (!table->ttl || table->ttl->generation != index_) return;
    std::vector<std::pair<const std::string*, std::string>> expired;
    size_t expired_bytes = 0;
    std::string image;
    for (const std::string& key : keys_) {
      if (expired_bytes >= kDeletedBytesMax) break;
      Result<bool> found = commit.get(key, image);
      if (!found) return ticket_->fail(found.error());
      // It may have been given more time, or have gone, since the walk met it.
      if (!*found) continue;
      const auto second = expiry_second(ItemView(image), table->ttl->attribute);
      if (!second || !has_expired(*second, now_second_)) continue;
      expired_bytes += image.size();
      expired.emplace_back(&key, image);
    }
    if (expired.empty()) return;
    commit.set_field(EntryField::kIdentity, kExpiryIdentity);
    for (const auto& [key, old_image] : expired) {
      IndexChanges index_changes;
      append_index_changes(*table, ItemView(old_image), std::nullopt, index_changes);
      std::optional<std::string_view> logged;
      if (table->logs_old_images()) logged = old_image;
      commit.remove(*key, logged, index_changes);
    }
  }
  void done(const Status& status) override {
    if (!status) ticket_->fail(status.error());
  }

 private:
  const std::string table_name_;
  const Generation generation_, index_;
  const Catalog& catalog_;
  const std::shared_ptr<WorkTicket> ticket_;
  const std::vector<std::string> keys_;
  const int64_t now_second_;
  size_t bytes_ = sizeof *this;
};

}  // namespace

Result<ExpiryStep> expiry_step(const Table& table, const std::string& begin, int64_t now_second,
                               const View& view, const Catalog& catalog, WorkBounds bounds,
                               const std::shared_ptr<WorkTicket>& ticket) {
  const Generation index = table.ttl->generation;
  const std::string oldest = ttl_range_begin(index, now_second - kTtlOldestSeconds);
  auto range = view.range(std::max(begin, oldest), ttl_range_begin(index, now_second), false);
  std::vector<std::string> keys;
  for (; range->valid() && keys.size() < bounds.items; range->next()) {
    ASSIGN_OR_RETURN(TtlEntry entry, split_ttl_entry(range->key(), table.generation));
    keys.push_back(std::move(entry.item_key));
    end_turn();
  }
  RETURN_IF_ERROR(range->status());
  ExpiryStep step;
  if (range->valid()) step.next = range->key();
  if (!keys.empty()) {
    step.command =
        std::make_unique<DeleteExpired>(table, catalog, ticket, std::move(keys), now_second);
  }
  return step;
}

}  // namespace millrace
