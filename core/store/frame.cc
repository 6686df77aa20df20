#include "core/store/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

// Persisted.
constexpr uint16_t kVersion = 1;
constexpr size_t kVersionAt = 4;
constexpr size_t kTagAt = 6;
constexpr size_t kPayloadSizeAt = 8;
constexpr size_t kEntriesAt = 12;
constexpr size_t kChangesAt = 16;
constexpr size_t kFirstLsnAt = 20;
constexpr size_t kDurableLsnAt = 28;
constexpr size_t kPreviousChecksumAt = 36;
constexpr size_t kChecksumAt = 44;
static_assert(kChecksumAt + 8 == Frame::kHeaderBytes);

constexpr Lsn kLsnEnd = Lsn{1} << 53;

// A change takes a kind, a count of fields and a key length at least; an entry its size, time, and
// two counts besides its first change. Headers that claim more in their payload are refused unread.
constexpr size_t kChangeBytesMin = 3;

// Of an entry's head without its fields: size, time, and two counts.
constexpr size_t kEntryHeadBytesMax = size_t{4} * 10;

void set_fixed16(char* p, uint16_t value) {
  for (int i = 0; i < 2; ++i) p[i] = static_cast<char>(value >> (8 * i));
}
void set_fixed32(char* p, uint32_t value) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<char>(value >> (8 * i));
}
void set_fixed64(char* p, uint64_t value) {
  for (int i = 0; i < 8; ++i) p[i] = static_cast<char>(value >> (8 * i));
}

uint64_t checksum_of(std::string_view frame, LogPosition position) {
  char hashed[kChecksumAt + 32];
  std::memcpy(hashed, frame.data(), kChecksumAt);
  set_fixed64(hashed + kChecksumAt, xxh3_64(frame.substr(Frame::kHeaderBytes)));
  set_fixed64(hashed + kChecksumAt + 8, position.segment);
  set_fixed64(hashed + kChecksumAt + 16, position.offset);
  set_fixed64(hashed + kChecksumAt + 24, position.rewrites);
  return xxh3_64({hashed, position.rewrites == 0 ? kChecksumAt + 24 : sizeof hashed});
}

Error damaged(const char* what) {
  return make_error(ErrorCode::kCorruption, std::string("not a log frame: ") + what);
}

bool skip_fields(ByteReader& reader) {
  uint64_t count;
  if (!reader.varint(count)) return false;
  for (; count > 0; --count) {
    uint64_t tag;
    std::string_view value;
    if (!reader.varint(tag) || !reader.length_prefixed(value)) return false;
  }
  return true;
}

bool read_change_fields(ByteReader& reader, ChangeView& change) {
  change.index_changes = {};
  uint64_t count;
  if (!reader.varint(count)) return false;
  for (; count > 0; --count) {
    uint64_t tag;
    std::string_view value;
    if (!reader.varint(tag) || !reader.length_prefixed(value)) return false;
    if (tag == static_cast<uint64_t>(ChangeField::kIndexChanges)) {
      change.index_changes = IndexChangesView(value);
    }
  }
  return true;
}

bool read_change(ByteReader& reader, ChangeView& change) {
  uint8_t kind;
  if (!reader.u8(kind)) return false;
  const uint8_t plain = kind & static_cast<uint8_t>(~kOldImageFlag);
  if (plain < static_cast<uint8_t>(ChangeKind::kInsert) ||
      plain > static_cast<uint8_t>(ChangeKind::kRemove)) {
    return false;
  }
  change.kind = static_cast<ChangeKind>(plain);
  if (!read_change_fields(reader, change) || !reader.length_prefixed(change.key)) return false;
  change.new_image.reset();
  change.old_image.reset();
  std::string_view image;
  if (change.kind != ChangeKind::kRemove) {
    if (!reader.length_prefixed(image)) return false;
    change.new_image = image;
  }
  if ((kind & kOldImageFlag) != 0) {
    if (!reader.length_prefixed(image)) return false;
    change.old_image = image;
  }
  return true;
}

struct EntryParts {
  uint64_t time_ms;
  uint64_t change_count;
  std::string_view fields;
  std::string_view changes;
};

bool read_entry(ByteReader& reader, EntryParts& entry) {
  std::string_view bytes;
  if (!reader.length_prefixed(bytes)) return false;
  ByteReader inner(bytes);
  if (!inner.varint(entry.time_ms)) return false;
  const std::string_view from_fields = inner.rest();
  if (!skip_fields(inner)) return false;
  entry.fields = from_fields.substr(0, from_fields.size() - inner.remaining());
  if (!inner.varint(entry.change_count)) return false;
  entry.changes = inner.rest();
  return true;
}

}  // namespace

std::optional<FrameHeader> FrameHeader::decode(std::string_view bytes) {
  if (bytes.size() < Frame::kHeaderBytes || !bytes.starts_with(Frame::kMagic)) return std::nullopt;
  const char* p = bytes.data();
  if (p[kVersionAt] != kVersion || p[kVersionAt + 1] != 0) return std::nullopt;
  FrameHeader header;
  header.tag = static_cast<uint16_t>(static_cast<uint8_t>(p[kTagAt]) |
                                     static_cast<uint8_t>(p[kTagAt + 1]) << 8);
  header.payload_bytes = get_fixed32(p + kPayloadSizeAt);
  header.entry_count = get_fixed32(p + kEntriesAt);
  header.change_count = get_fixed32(p + kChangesAt);
  header.first_lsn = get_fixed64(p + kFirstLsnAt);
  header.durable_lsn = get_fixed64(p + kDurableLsnAt);
  header.previous_checksum = get_fixed64(p + kPreviousChecksumAt);
  header.checksum = get_fixed64(p + kChecksumAt);
  const bool possible = header.payload_bytes <= Frame::kPayloadBytesMax && header.entry_count > 0 &&
                        header.change_count >= header.entry_count &&
                        header.change_count <= header.payload_bytes / kChangeBytesMin &&
                        header.first_lsn > 0 && header.first_lsn < kLsnEnd &&
                        header.first_lsn + header.change_count <= kLsnEnd &&
                        header.durable_lsn < header.first_lsn;
  if (!possible) return std::nullopt;
  return header;
}

uint16_t FrameHeader::tag_at(LogPosition position, std::string_view bytes) {
  char hashed[kChecksumAt + 24];
  std::memcpy(hashed, bytes.data(), kChecksumAt);
  set_fixed16(hashed + kTagAt, 0);
  set_fixed64(hashed + kChecksumAt, position.segment);
  set_fixed64(hashed + kChecksumAt + 8, position.offset);
  set_fixed64(hashed + kChecksumAt + 16, position.rewrites);
  return std::max<uint16_t>(1, static_cast<uint16_t>(xxh3_64({hashed, sizeof hashed})));
}

Result<size_t> Frame::size_of(std::string_view header) {
  const auto decoded = FrameHeader::decode(header);
  if (!decoded) return damaged("no header");
  return kHeaderBytes + decoded->payload_bytes;
}

Result<std::shared_ptr<const Frame>> Frame::parse(std::string bytes, LogPosition position) {
  const auto header = FrameHeader::decode(bytes);
  if (!header) return damaged("no header");
  if (bytes.size() != kHeaderBytes + header->payload_bytes) return damaged("not its size");
  if (checksum_of(bytes, position) != header->checksum) return damaged("wrong checksum");
  std::shared_ptr<Frame> frame(new Frame);
  frame->bytes_ = std::move(bytes);
  frame->position_ = position;
  frame->first_lsn_ = header->first_lsn;
  frame->durable_lsn_ = header->durable_lsn;
  frame->previous_checksum_ = header->previous_checksum;
  frame->checksum_ = header->checksum;
  frame->entry_count_ = header->entry_count;
  frame->change_count_ = header->change_count;
  RETURN_IF_ERROR(frame->check_entries());
  return std::shared_ptr<const Frame>(std::move(frame));
}

// What passes here is what the iterators rely on.
Status Frame::check_entries() {
  ByteReader reader(std::string_view(bytes_).substr(kHeaderBytes));
  uint64_t changes_left = change_count_;
  for (uint32_t i = 0; i < entry_count_; ++i) {
    EntryParts entry;
    if (!read_entry(reader, entry)) return damaged("broken entry");
    if (entry.time_ms > static_cast<uint64_t>(INT64_MAX)) return damaged("time out of range");
    if (entry.change_count == 0 || entry.change_count > changes_left) {
      return damaged("wrong number of changes");
    }
    changes_left -= entry.change_count;
    ByteReader changes(entry.changes);
    for (uint64_t n = entry.change_count; n > 0; --n) {
      ChangeView change;
      if (!read_change(changes, change)) return damaged("broken change");
      if (!IndexChangesView::well_formed(change.index_changes.encoded(),
                                         change.new_image.has_value())) {
        return damaged("broken index changes");
      }
    }
    if (!changes.empty()) return damaged("bytes after an entry's last change");
    last_time_ms_ = static_cast<int64_t>(entry.time_ms);
  }
  if (changes_left != 0) return damaged("wrong number of changes");
  if (!reader.empty()) return damaged("bytes after the last entry");
  return {};
}

Frame::Iterator Frame::begin() const {
  Iterator it;
  it.left_ = entry_count_;
  it.rest_ = std::string_view(bytes_).substr(kHeaderBytes);
  it.next_lsn_ = first_lsn_;
  it.load();
  return it;
}

Frame::Iterator& Frame::Iterator::operator++() {
  --left_;
  load();
  return *this;
}

void Frame::Iterator::load() {
  if (left_ == 0) return;
  ByteReader reader(rest_);
  EntryParts parts;
  CHECK(read_entry(reader, parts));
  entry_.encoded_ = rest_.substr(0, rest_.size() - reader.remaining());
  rest_ = reader.rest();
  entry_.first_lsn_ = next_lsn_;
  entry_.time_ms_ = static_cast<int64_t>(parts.time_ms);
  entry_.change_count_ = static_cast<uint32_t>(parts.change_count);
  entry_.fields_ = parts.fields;
  entry_.changes_ = parts.changes;
  next_lsn_ += parts.change_count;
}

std::optional<std::string_view> EntryView::field(EntryField tag) const {
  ByteReader reader(fields_);
  uint64_t count;
  if (!reader.varint(count)) return std::nullopt;
  for (; count > 0; --count) {
    uint64_t found;
    std::string_view value;
    CHECK(reader.varint(found) && reader.length_prefixed(value));
    if (found == static_cast<uint64_t>(tag)) return value;
  }
  return std::nullopt;
}

EntryView::Iterator EntryView::begin() const {
  Iterator it;
  it.left_ = change_count_;
  it.rest_ = changes_;
  it.change_.lsn = first_lsn_;
  it.load();
  return it;
}

EntryView::Iterator& EntryView::Iterator::operator++() {
  --left_;
  ++change_.lsn;
  load();
  return *this;
}

void EntryView::Iterator::load() {
  if (left_ == 0) return;
  ByteReader reader(rest_);
  CHECK(read_change(reader, change_));
  rest_ = reader.rest();
}

FrameBuilder::FrameBuilder(Lsn first_lsn)
    : bytes_(Frame::kHeaderBytes, '\0'), first_lsn_(first_lsn), next_lsn_(first_lsn) {
  CHECK(first_lsn > 0 && first_lsn < kLsnEnd);
}

void FrameBuilder::begin_entry(int64_t time_ms) {
  CHECK(entry_changes_ == 0);
  fields_.clear();
  field_count_ = 0;
  entry_time_ms_ = std::max<int64_t>(time_ms, 0);
}

void FrameBuilder::add_field(EntryField tag, std::string_view value) {
  CHECK(entry_changes_ == 0);
  put_varint(fields_, static_cast<uint64_t>(tag));
  put_length_prefixed(fields_, value);
  ++field_count_;
}

Lsn FrameBuilder::add_change(ChangeKind kind, std::string_view key, std::string_view new_image,
                             std::optional<std::string_view> old_image,
                             IndexChangesView index_changes) {
  if (entry_changes_ == 0) {
    entry_at_ = bytes_.size();
    bytes_.resize(entry_at_ + kEntryHeadBytesMax + fields_.size());
  }
  const uint8_t flags = old_image ? kOldImageFlag : 0;
  bytes_.push_back(static_cast<char>(static_cast<uint8_t>(kind) | flags));
  if (index_changes.empty()) {
    put_varint(bytes_, 0);
  } else {
    put_varint(bytes_, 1);
    put_varint(bytes_, static_cast<uint64_t>(ChangeField::kIndexChanges));
    put_length_prefixed(bytes_, index_changes.encoded());
  }
  put_length_prefixed(bytes_, key);
  if (kind != ChangeKind::kRemove) put_length_prefixed(bytes_, new_image);
  if (old_image) put_length_prefixed(bytes_, *old_image);
  ++entry_changes_;
  return next_lsn_++;
}

void FrameBuilder::end_entry() {
  if (entry_changes_ == 0) return;
  std::string head;
  put_varint(head, static_cast<uint64_t>(entry_time_ms_));
  put_varint(head, field_count_);
  head += fields_;
  put_varint(head, entry_changes_);
  const size_t room = kEntryHeadBytesMax + fields_.size();
  std::string size;
  put_varint(size, head.size() + (bytes_.size() - entry_at_ - room));
  bytes_.replace(entry_at_, room, size + head);
  last_time_ms_ = entry_time_ms_;
  change_count_ += entry_changes_;
  ++entry_count_;
  entry_changes_ = 0;
}

void FrameBuilder::add_entry(const EntryView& entry) {
  CHECK(entry.first_lsn() == next_lsn_ && entry_changes_ == 0);
  bytes_ += entry.encoded();
  last_time_ms_ = entry.time_ms();
  change_count_ += entry.change_count();
  next_lsn_ += entry.change_count();
  ++entry_count_;
}

FramePtr FrameBuilder::finish(Lsn durable_lsn, uint64_t previous_checksum,
                              LogPosition position) && {
  CHECK(entry_count_ > 0 && entry_changes_ == 0);
  CHECK(payload_bytes() <= Frame::kPayloadBytesMax);
  CHECK(durable_lsn < first_lsn_ && next_lsn_ <= kLsnEnd);
  char* p = bytes_.data();
  std::memcpy(p, Frame::kMagic.data(), Frame::kMagic.size());
  set_fixed16(p + kVersionAt, kVersion);
  set_fixed32(p + kPayloadSizeAt, static_cast<uint32_t>(payload_bytes()));
  set_fixed32(p + kEntriesAt, entry_count_);
  set_fixed32(p + kChangesAt, change_count_);
  set_fixed64(p + kFirstLsnAt, first_lsn_);
  set_fixed64(p + kDurableLsnAt, durable_lsn);
  set_fixed64(p + kPreviousChecksumAt, previous_checksum);
  set_fixed16(p + kTagAt, FrameHeader::tag_at(position, bytes_));
  const uint64_t checksum = checksum_of(bytes_, position);
  set_fixed64(p + kChecksumAt, checksum);

  // Frames stay in memory for their readers, what was reserved in vain does not.
  if (bytes_.capacity() > 2 * bytes_.size()) bytes_.shrink_to_fit();
  std::shared_ptr<Frame> frame(new Frame);
  frame->bytes_ = std::move(bytes_);
  frame->position_ = position;
  frame->first_lsn_ = first_lsn_;
  frame->durable_lsn_ = durable_lsn;
  frame->previous_checksum_ = previous_checksum;
  frame->checksum_ = checksum;
  frame->entry_count_ = entry_count_;
  frame->change_count_ = change_count_;
  frame->last_time_ms_ = last_time_ms_;
  return frame;
}

}  // namespace millrace
