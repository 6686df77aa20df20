#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/store/index_change.h"
#include "core/store/lsn.h"

namespace millrace {

// The unit of the log is the flush frame: what one flush made durable (persisted):
//
//   frame := magic:u32 "MLF1"; version:u16; tag:u16; payload size:u32; entries:u32; changes:u32;
//            first lsn:u64; durable lsn:u64 (the last LSN known durable when this was written);
//            checksum of the previous frame:u64 (0 in the log's first frame);
//            checksum:u64, xxh3_64 of the 44 bytes before it, xxh3_64 of the payload:u64, and the
//            frame's place (segment:u64, offset:u64, and in a segment that was rewritten how often
//            that was:u64), which the file does not hold; payload
//   tag    := xxh3_64 of the 44 bytes with a tag of 0 and the place (three u64), cut to 16 bits, 1
//             for 0; 0 in frames that were written before there were tags
//   payload := entries
//   entry  := size of the rest:varint; time in ms since the epoch:varint; fields;
//             changes:varint; change*
//   fields := count:varint; (tag:varint; length:varint; bytes)*      unknown tags are skipped
//   change := kind:u8; fields; key length:varint, key;
//             [new image length:varint, bytes]  unless kRemove
//             [old image length:varint, bytes]  if kind has kOldImageFlag
//
// The link to the previous frame's checksum keeps leftovers of frames that an earlier recovery cut
// off from ever being taken for successors. The place in the checksum keeps leftovers of a recycled
// segment, and frames that a client stored as part of an item, from being taken for frames at all;
// the tag tells most of them without a look at the payload, whose size may be made up.

/// Persisted.
enum class ChangeKind : uint8_t { kInsert = 1, kModify = 2, kRemove = 3 };
/// Persisted: set in a change's kind byte when the old image follows.
inline constexpr uint8_t kOldImageFlag = 0x80;

/// Tags of an entry's optional fields. Persisted.
enum class EntryField : uint8_t {
  kTransactionId = 1,     // bytes; all of the entry's changes are one transaction
  kIdentity = 2,          // "dynamodb.amazonaws.com" for a TTL deletion
  kTraceparent = 3,       // W3C trace context
  kUpstreamPosition = 4,  // shard and sequence number of a remote store's stream
};

/// Tags of a change's optional fields. Persisted.
enum class ChangeField : uint8_t {
  kIndexChanges = 1,  // see index_change.h
};

/// One change within a frame that outlives the view.
struct ChangeView {
  Lsn lsn = 0;
  ChangeKind kind = ChangeKind::kInsert;
  std::string_view key;                       // a store key, see schema.h
  std::optional<std::string_view> new_image;  // encoded item; none for kRemove
  std::optional<std::string_view> old_image;  // if the table kept old images then
  IndexChangesView index_changes;             // of the secondary indexes
};

/// One entry: one or several changes that took effect together.
class EntryView {
 public:
  Lsn first_lsn() const { return first_lsn_; }
  uint32_t change_count() const { return change_count_; }
  int64_t time_ms() const { return time_ms_; }
  std::optional<std::string_view> field(EntryField tag) const;
  /// All of it as it is in the frame.
  std::string_view encoded() const { return encoded_; }

  class Iterator {
   public:
    const ChangeView& operator*() const { return change_; }
    const ChangeView* operator->() const { return &change_; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class EntryView;
    void load();
    uint32_t left_ = 0;
    std::string_view rest_;
    ChangeView change_;
  };
  Iterator begin() const;
  Iterator end() const { return {}; }

 private:
  friend class Frame;
  Lsn first_lsn_ = 0;
  int64_t time_ms_ = 0;
  uint32_t change_count_ = 0;
  std::string_view encoded_;
  std::string_view fields_;   // counted
  std::string_view changes_;  // after the count
};

/// Where a frame begins: the segment (named by its first LSN) and the byte within its file, of
/// which there is another each time the segment is rewritten.
struct LogPosition {
  Lsn segment = 0;
  uint64_t offset = 0;
  uint64_t rewrites = 0;
  auto operator<=>(const LogPosition&) const = default;
};

/// The fixed part of a frame, before anything of it but its magic and version has been checked.
struct FrameHeader {
  uint16_t tag = 0;
  size_t payload_bytes = 0;
  uint32_t entry_count = 0;
  uint32_t change_count = 0;
  Lsn first_lsn = 0;
  Lsn durable_lsn = 0;
  uint64_t previous_checksum = 0;
  uint64_t checksum = 0;

  /// From the first Frame::kHeaderBytes of `bytes`; none if they are no header or counts, sizes and
  /// LSNs cannot be a frame's.
  static std::optional<FrameHeader> decode(std::string_view bytes);
  /// The tag that the header at the start of `bytes` has if it was written for that place.
  static uint16_t tag_at(LogPosition position, std::string_view bytes);
};

/// A whole validated frame in memory. Immutable, shared by followers, observers and readers.
class Frame {
 public:
  static constexpr size_t kHeaderBytes = 52;
  static constexpr std::string_view kMagic = "MLF1";
  /// A frame holds at most one batch: 4 MB of entries, or one command. The most that one stages is
  /// a transaction, which is refused at 192 MB. Recovery refuses larger sizes as damage.
  static constexpr size_t kPayloadBytesMax = 256u << 20;

  /// Takes `bytes` (header and payload) and checks all of it: checksum, counts, the shape of every
  /// entry. kCorruption otherwise.
  static Result<std::shared_ptr<const Frame>> parse(std::string bytes, LogPosition position);
  /// The frame's whole size, from the first kHeaderBytes of it; kCorruption if they are no header.
  static Result<size_t> size_of(std::string_view header);

  Lsn first_lsn() const { return first_lsn_; }
  Lsn last_lsn() const { return first_lsn_ + change_count_ - 1; }
  Lsn durable_lsn() const { return durable_lsn_; }
  uint64_t previous_checksum() const { return previous_checksum_; }
  uint64_t checksum() const { return checksum_; }
  LogPosition position() const { return position_; }
  size_t size() const { return bytes_.size(); }
  /// Where the next frame begins if it is in the same segment.
  LogPosition end_position() const {
    return {position_.segment, position_.offset + bytes_.size(), position_.rewrites};
  }
  /// What it takes in memory.
  size_t memory_bytes() const { return sizeof(Frame) + bytes_.capacity(); }
  std::string_view bytes() const { return bytes_; }
  int64_t last_time_ms() const { return last_time_ms_; }

  class Iterator {
   public:
    const EntryView& operator*() const { return entry_; }
    const EntryView* operator->() const { return &entry_; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class Frame;
    void load();
    uint32_t left_ = 0;
    std::string_view rest_;
    Lsn next_lsn_ = 0;
    EntryView entry_;
  };
  Iterator begin() const;
  Iterator end() const { return {}; }

 private:
  friend class FrameBuilder;
  Frame() = default;
  Status check_entries();
  std::string bytes_;
  LogPosition position_;
  Lsn first_lsn_ = 0;
  Lsn durable_lsn_ = 0;
  uint64_t previous_checksum_ = 0;
  uint64_t checksum_ = 0;
  uint32_t entry_count_ = 0;
  uint32_t change_count_ = 0;
  int64_t last_time_ms_ = 0;
};
using FramePtr = std::shared_ptr<const Frame>;

/// Writes entries one after the other into what becomes a frame.
class FrameBuilder {
 public:
  /// `first_lsn`: of the first change that will be added.
  explicit FrameBuilder(Lsn first_lsn);

  /// Expects entries of so many bytes together.
  void reserve(size_t bytes) { bytes_.reserve(bytes_.size() + bytes); }

  void begin_entry(int64_t time_ms);
  void add_field(EntryField tag, std::string_view value);  // before the entry's first change
  /// Returns the change's LSN. `new_image` is ignored for kRemove.
  Lsn add_change(ChangeKind kind, std::string_view key, std::string_view new_image,
                 std::optional<std::string_view> old_image, IndexChangesView index_changes = {});
  /// An entry without changes is dropped.
  void end_entry();
  /// A whole entry of another frame, whose LSNs follow those before it.
  void add_entry(const EntryView& entry);

  bool empty() const { return entry_count_ == 0; }
  Lsn first_lsn() const { return first_lsn_; }
  Lsn next_lsn() const { return next_lsn_; }
  size_t payload_bytes() const { return bytes_.size() - Frame::kHeaderBytes; }

  /// Completes the header and hands the frame over; the builder is then spent.
  FramePtr finish(Lsn durable_lsn, uint64_t previous_checksum, LogPosition position) &&;

 private:
  std::string bytes_;    // the open entry's changes among them, behind room for its head
  size_t entry_at_ = 0;  // where the open entry begins, once it has a change
  std::string fields_;   // of the open entry; they go into its head
  int64_t entry_time_ms_ = 0;
  int64_t last_time_ms_ = 0;
  uint32_t field_count_ = 0;
  uint32_t entry_changes_ = 0;
  uint32_t entry_count_ = 0;
  uint32_t change_count_ = 0;
  Lsn first_lsn_;
  Lsn next_lsn_;
};

}  // namespace millrace
