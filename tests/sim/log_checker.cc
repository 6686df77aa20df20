#include "tests/sim/log_checker.h"

#include "core/model/item_json.h"
#include "core/ops/expiry.h"
#include "tests/sim/failure.h"

namespace millrace::sim {
namespace {

std::string rendered(std::optional<std::string_view> image) {
  std::string out;
  if (image) render_item(ItemView(*image), out);
  return out;
}

std::string expected(const Key& key, const std::optional<Item>& item) {
  return item ? json(key, *item) : "";
}

}  // namespace

void LogChecker::catch_up(SimNode& node) {
  if (!cursor_) {
    Lsn from = last_lsn_ == 0 ? node.engine().log().first_retained_lsn() : last_lsn_ + 1;
    cursor_.emplace(node.engine().log(), from);
  }
  for (;;) {
    Result<FramePtr> frame = cursor_->next();
    require(frame.has_value(), frame ? "" : "the log cannot be read: " + frame.error().message);
    if (*frame == nullptr) break;
    require((*frame)->first_lsn() > last_lsn_, "LSNs do not rise");
    TablePtr table = node.catalog().find(table_);
    for (const EntryView& entry : **frame) {
      require(entry.time_ms() >= last_time_ms_, "entry times fall");
      last_time_ms_ = entry.time_ms();
      if (table) check_entry(entry, table->generation);
    }
    last_lsn_ = (*frame)->last_lsn();
  }
  require(node.engine().published_lsn() == last_lsn_,
          "what is published is not what is durable in the log");
}

void LogChecker::check_entry(const EntryView& entry, Generation generation) {
  size_t first = model_.durable_count();
  for (const ChangeView& change : entry) {
    Result<StoreKeyView> key = split_store_key(change.key);
    require(key.has_value(), "a key in the log is none");
    if (key->generation != generation) continue;
    check_change(change);
    require(model_.changes()[model_.durable_count() - 1].expiry ==
                (entry.field(EntryField::kIdentity) == kExpiryIdentity),
            "a change has the wrong identity");
  }
  size_t end = model_.durable_count();
  if (end == first) return;
  const auto& changes = model_.changes();
  // A transaction's changes share one entry: none of it may lie before or after this one's.
  if (changes[first].transaction && first > 0) {
    require(changes[first - 1].operation != changes[first].operation,
            "a transaction is in two entries");
  }
  if (changes[end - 1].transaction && end < changes.size()) {
    require(changes[end].operation != changes[end - 1].operation,
            "a transaction is in two entries");
  }
}

void LogChecker::check_change(const ChangeView& change) {
  size_t index = model_.durable_count();
  require(index < model_.changes().size(),
          "the log holds a change that no write made: " + rendered(change.new_image) + " after " +
              rendered(change.old_image));
  const Change& wanted = model_.changes()[index];
  std::string place = "change " + std::to_string(index) + " at LSN " + std::to_string(change.lsn);
  require(rendered(change.new_image) == expected(wanted.key, wanted.after),
          place + " has new image " + rendered(change.new_image) + ", not " +
              expected(wanted.key, wanted.after));
  if (change.old_image) {
    require(rendered(change.old_image) == expected(wanted.key, wanted.before),
            place + " has old image " + rendered(change.old_image) + ", not " +
                expected(wanted.key, wanted.before));
  }
  ChangeKind kind = !wanted.before ? ChangeKind::kInsert
                    : wanted.after ? ChangeKind::kModify
                                   : ChangeKind::kRemove;
  require(change.kind == kind, place + " is of another kind");
  lsns_.push_back(change.lsn);
  model_.confirm();
}

}  // namespace millrace::sim
