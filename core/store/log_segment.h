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

/// The first bytes of a segment file (persisted). It says how the segment before it ended, so that
/// a start knows every retained segment's end from the headers alone, and sees that one is missing.
///
///   magic "MRLOGSEG"; version:u32; reserved:u32; first lsn:u64; and of the segment and the frame
///   before (zeros in the log's first segment): segment's first lsn:u64, frame's checksum:u64, its
///   last lsn:u64, its last entry's time in ms:u64; checksum:u64, xxh3_64 of the 56 bytes before it
struct SegmentHeader {
  static constexpr size_t kBytes = 64;

  Lsn first_lsn = 0;  // names the segment
  Lsn previous_segment = 0;
  uint64_t previous_checksum = 0;
  Lsn previous_lsn = 0;
  int64_t previous_time_ms = 0;

  std::string encode() const;
  /// kCorruption if `bytes` do not begin with a header; kConfig if it is a newer release's.
  static Result<SegmentHeader> decode(std::string_view bytes);

  /// LSNs below this were in segments before this one.
  Lsn first_retained() const { return previous_segment == 0 ? first_lsn : previous_lsn + 1; }
};

/// `SSSSSSSSSSSSSSSSSSSS.log`. Persisted.
std::string segment_file_name(Lsn first_lsn);
std::optional<Lsn> segment_of_file_name(std::string_view name);

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
