#include "core/store/index_change.h"

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace millrace {
namespace {

bool read(ByteReader& reader, IndexChange& change) {
  uint8_t kind;
  if (!reader.u8(kind) || kind < static_cast<uint8_t>(IndexChangeKind::kPut) ||
      kind > static_cast<uint8_t>(IndexChangeKind::kRemove)) {
    return false;
  }
  change.kind = static_cast<IndexChangeKind>(kind);
  change.image = {};
  if (!reader.length_prefixed(change.key)) return false;
  return change.kind != IndexChangeKind::kPut || reader.length_prefixed(change.image);
}

void begin(IndexChangeKind kind, std::string_view key, std::string& out) {
  out.push_back(static_cast<char>(kind));
  put_length_prefixed(out, key);
}

}  // namespace

bool IndexChangesView::well_formed(std::string_view encoded, bool item_has_image) {
  ByteReader reader(encoded);
  IndexChange change;
  while (!reader.empty()) {
    if (!read(reader, change)) return false;
    if (change.kind == IndexChangeKind::kPutItem && !item_has_image) return false;
  }
  return true;
}

IndexChangesView::Iterator IndexChangesView::begin() const {
  Iterator it;
  it.at_end_ = false;
  it.rest_ = encoded_;
  it.load();
  return it;
}

void IndexChangesView::Iterator::load() {
  if (rest_.empty()) {
    at_end_ = true;
    return;
  }
  ByteReader reader(rest_);
  CHECK(read(reader, change_));
  rest_ = reader.rest();
}

void IndexChanges::put(std::string_view key, std::string_view image) {
  begin(IndexChangeKind::kPut, key, encoded_);
  put_length_prefixed(encoded_, image);
}

void IndexChanges::put_item(std::string_view key) {
  begin(IndexChangeKind::kPutItem, key, encoded_);
}

void IndexChanges::remove(std::string_view key) { begin(IndexChangeKind::kRemove, key, encoded_); }

}  // namespace millrace
