#include "streams/change_feed.h"

#include <algorithm>

#include "core/base/bytes.h"
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

void render_transaction(const ChangeView& change, const EntryView& entry, std::string& out) {
  auto id = entry.field(EntryField::kTransactionId);
  if (!id) return;
  // The entry also holds the idempotency token, a change of a system table.
  size_t position = 0, count = 0;
  for (const ChangeView& each : entry) {
    if (each.key.size() < 8 || get_big_endian64(each.key.data()) < kFirstUserGeneration) continue;
    ++count;
    if (each.lsn <= change.lsn) ++position;
  }
  out += ",\"transaction\":{\"id\":";
  append_transaction_id(*id, out);
  out += ",\"position\":";
  out += std::to_string(position);
  out += ",\"count\":";
  out += std::to_string(count);
  out += '}';
}

void render_change(const Table& table, const ChangeView& change, const EntryView& entry,
                   std::string& out, const Lease* lease) {
  out += '{';
  if (lease != nullptr) {
    out += "\"shard\":";
    out += std::to_string(lease->shard);
    out += ",\"epoch\":";
    out += std::to_string(lease->epoch);
    out += ',';
  }
  out += "\"lsn\":";
  out += std::to_string(change.lsn);
  out += ",\"time\":";
  out += std::to_string(entry.time_ms());
  out += ",\"table\":";
  render_json_string(table.name, out);
  out += ",\"event\":\"";
  out += event_name(change.kind);
  out += "\",\"keys\":";
  render_keys(table, change.key, out);
  if (change.new_image) {
    out += ",\"new\":";
    render_item(ItemView(*change.new_image), out);
  }
  if (change.old_image) {
    out += ",\"old\":";
    render_item(ItemView(*change.old_image), out);
  }
  render_transaction(change, entry, out);
  if (auto identity = entry.field(EntryField::kIdentity)) {
    out += ",\"identity\":";
    render_json_string(*identity, out);
  }
  if (auto traceparent = entry.field(EntryField::kTraceparent)) {
    out += ",\"traceparent\":";
    render_json_string(*traceparent, out);
  }
  out += '}';
}

ChangeFeed::ChangeFeed(Log& log, const Catalog& catalog, ChangeFilter filter, Lsn from)
    : reader_(log, catalog, std::move(filter), from) {}

Result<bool> ChangeFeed::next(size_t bytes_max, std::string& out) {
  const size_t start = out.size();
  for (;;) {
    ASSIGN_OR_RETURN(ChangeBatch batch, reader_.read(kBatchRecords, bytes_max));
    for (const Change& change : batch.changes) {
      render_change(*change.table, change.change, change.entry, out);
      out += '\n';
    }
    if (!batch.more) return false;
    if (out.size() - start >= bytes_max || batch.changes.empty()) return true;
  }
}

}  // namespace millrace::streams
