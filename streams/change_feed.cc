#include "streams/change_feed.h"

#include <algorithm>

#include "core/model/item_json.h"
#include "streams/record.h"

namespace millrace::streams {
namespace {

// A line is at most some three times its images; batches this small keep `out` near what was asked
// for.
constexpr size_t kBatchRecords = 100;

void append_transaction_id(std::string_view id, std::string& out) {
  if (std::all_of(id.begin(), id.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    render_json_string(id, out);
    return;
  }
  out += '"';
  for (char c : id) {
    out += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    out += "0123456789abcdef"[static_cast<uint8_t>(c) & 15];
  }
  out += '"';
}

}  // namespace

void render_change(const Change& change, std::string& out) {
  out += "{\"lsn\":";
  out += std::to_string(change.change.lsn);
  out += ",\"time\":";
  out += std::to_string(change.entry.time_ms());
  out += ",\"table\":";
  render_json_string(change.table->name, out);
  out += ",\"event\":\"";
  out += event_name(change.change.kind);
  out += "\",\"keys\":";
  render_keys(*change.table, change.change.key, out);
  if (change.change.new_image) {
    out += ",\"new\":";
    render_item(ItemView(*change.change.new_image), out);
  }
  if (change.change.old_image) {
    out += ",\"old\":";
    render_item(ItemView(*change.change.old_image), out);
  }
  if (auto id = change.entry.field(EntryField::kTransactionId)) {
    out += ",\"transaction\":{\"id\":";
    append_transaction_id(*id, out);
    out += ",\"position\":";
    out += std::to_string(change.change.lsn - change.entry.first_lsn() + 1);
    out += ",\"count\":";
    out += std::to_string(change.entry.change_count());
    out += '}';
  }
  if (auto identity = change.entry.field(EntryField::kIdentity)) {
    out += ",\"identity\":";
    render_json_string(*identity, out);
  }
  out += "}\n";
}

ChangeFeed::ChangeFeed(Log& log, const Catalog& catalog, TableFilter filter, StartAt start)
    : reader_(log, catalog, std::move(filter), start.resolve(log)) {}

Result<bool> ChangeFeed::next(size_t bytes_max, std::string& out) {
  const size_t start = out.size();
  for (;;) {
    ASSIGN_OR_RETURN(ChangeBatch batch, reader_.read(kBatchRecords, bytes_max));
    for (const Change& change : batch.changes) render_change(change, out);
    if (!batch.more) return false;
    if (out.size() - start >= bytes_max || batch.changes.empty()) return true;
  }
}

}  // namespace millrace::streams
