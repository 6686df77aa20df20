#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/frame.h"
#include "core/store/lsn.h"

namespace millrace {

/// What a rewritten segment's header says besides: how the segment ended before it was rewritten,
/// since the segment after it says so too, and where what is left ends.
struct SegmentRewritten {
  uint64_t times = 0;  // how often, this time included
  Lsn last_lsn = 0;    // of the segment's last frame when it was sealed
  uint64_t last_checksum = 0;
  int64_t last_time_ms = 0;
  uint64_t end = 0;           // of the frames; the list of what was left out begins here
  uint64_t end_checksum = 0;  // the last frame's; with none left, what the first would be linked to
  uint64_t left_out_count = 0;
  uint64_t left_out_checksum = 0;  // xxh3_64 of the list
};

/// The first bytes of a segment file (persisted). It says how the segment before it ended, so that
/// a start knows every retained segment's end from the headers alone, and sees that one is missing.
///
///   magic "MRLOGSEG"; version:u32; reserved:u32; first lsn:u64; and of the segment and the frame
///   before (zeros in the log's first segment): segment's first lsn:u64, frame's checksum:u64, its
///   last lsn:u64, its last entry's time in ms:u64; [a rewritten segment's, version 2: the eight
///   members of SegmentRewritten, u64 each;] checksum:u64, xxh3_64 of the bytes before it
///
/// In a rewritten segment the frames begin at byte kRewrittenFirstFrame.
struct SegmentHeader {
  static constexpr size_t kBytes = 64;
  static constexpr size_t kRewrittenBytes = 128;
  static constexpr uint64_t kRewrittenFirstFrame = 4096;  // the header's block is written last

  Lsn first_lsn = 0;  // names the segment
  Lsn previous_segment = 0;
  uint64_t previous_checksum = 0;
  Lsn previous_lsn = 0;
  int64_t previous_time_ms = 0;
  std::optional<SegmentRewritten> rewritten;

  std::string encode() const;
  /// kCorruption if `bytes` do not begin with a header; kConfig if it is a newer release's.
  static Result<SegmentHeader> decode(std::string_view bytes);

  uint64_t rewrites() const { return rewritten ? rewritten->times : 0; }
  LogPosition first_frame() const {
    return {first_lsn, rewritten ? kRewrittenFirstFrame : kBytes, rewrites()};
  }

  /// LSNs below this were in segments before this one.
  Lsn first_retained() const { return previous_segment == 0 ? first_lsn : previous_lsn + 1; }
};

/// A segment's file: `SSSSSSSSSSSSSSSSSSSS.log`, rewritten N times `SSSSSSSSSSSSSSSSSSSS-N.log`.
/// Persisted.
struct SegmentName {
  Lsn first_lsn = 0;
  uint64_t rewrites = 0;
  auto operator<=>(const SegmentName&) const = default;
};
std::string segment_file_name(Lsn first_lsn, uint64_t rewrites = 0);
std::optional<SegmentName> segment_of_file_name(std::string_view name);

/// Of a generation (the first eight bytes of its keys) changes up to `last_lsn` are missing from a
/// rewritten segment.
struct LeftOut {
  uint64_t generation = 0;
  Lsn last_lsn = 0;
  bool operator==(const LeftOut&) const = default;
};
/// The list behind a rewritten segment's frames: (generation:u64; last lsn:u64)*, by generation.
/// Persisted.
std::string encode_left_out(const std::vector<LeftOut>& list);
/// kCorruption if it is not the one that the header names; kIo if it cannot be read.
Result<std::vector<LeftOut>> read_left_out(const File& file, const SegmentRewritten& rewritten);

/// A frame's place that is remembered, so that finding an LSN in a segment need not read all before
/// it.
struct SegmentMark {
  Lsn first_lsn;
  uint64_t offset;
};

/// A retained segment, as the log's table has it.
struct LogSegment {
  /// Bytes between marks. More of them cost memory, fewer cost reading at the start of a cursor.
  static constexpr uint64_t kMarkBytes = 1u << 20;

  SegmentHeader header;
  Lsn last_lsn = 0;
  int64_t last_time_ms = 0;
  /// Frames end here or, in a segment that was sealed before this start, somewhere before.
  uint64_t end = 0;
  uint64_t file_bytes = 0;
  bool sealed = false;
  std::vector<SegmentMark> marks;
  /// Shared by readers, so that many of them take one descriptor and idle segments none.
  std::weak_ptr<const File> file;

  /// Records that `frame` is now the last.
  void extend(const Frame& frame);
  /// The last mark at or below `lsn`, or the first frame's place.
  uint64_t offset_below(Lsn lsn) const;
};

}  // namespace millrace
