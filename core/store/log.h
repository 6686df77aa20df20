#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/frame.h"
#include "core/store/lsn.h"

namespace millrace {

struct LogOptions {
  std::string folder;
  /// Size of a segment file, zero-filled before use so that a flush needs no file system metadata.
  /// Frames larger than what is left go to a new segment; one larger than a segment extends its file.
  uint64_t segment_bytes = 64u << 20;
  /// Size of a new log's first segment: small, so that a start on an empty folder takes milliseconds.
  uint64_t first_segment_bytes = 1u << 20;
  /// Durable frames kept in memory for readers at the tip.
  size_t tail_bytes = 16u << 20;
  /// Spare (zero-filled or recycled) segments kept ready.
  size_t spare_segments = 1;
  /// False: appends are not synced (the operator chose `durability: none`).
  bool sync = true;
};

/// Where recovery begins, as a checkpoint recorded it.
struct LogCheckpoint {
  Lsn lsn = 0;                   // all changes up to here are in the tables
  LogPosition position;          // of the first frame after it
  uint64_t previous_checksum = 0;  // of the last frame up to it
};

struct SegmentInfo {
  Lsn first_lsn;  // names the segment
  Lsn last_lsn;   // of a sealed segment; of the open one, the last durable
  int64_t last_time_ms;
  uint64_t bytes;
  bool sealed;
};

/// The change log: one ordered sequence of frames in segment files. One writer (the holder of the
/// commit token) calls append; everything else is thread-safe.
///
/// Files of the folder (persisted): `SSSSSSSSSSSSSSSSSSSS.log`, a segment named by its first LSN in 20
/// digits; `spare-N`, a segment ready for use. A segment begins with a header of kSegmentHeaderBytes
/// (magic "MRLOGSEG", version:u32, reserved:u32, first lsn:u64, previous frame's checksum:u64,
/// xxh3_64 of the bytes before:u64, zeros up to 64), then frames, then zeros or leftovers.
class Log {
 public:
  static constexpr uint64_t kSegmentHeaderBytes = 64;

  /// Opens or creates the log. Reads from `checkpoint` (the first segment if none) to the end, giving
  /// every whole frame to `replay`, and cuts at the first frame that is not whole, unless a valid frame
  /// later in the log says that it was durable: then kCorruption naming segment file and offset, and how
  /// to go on. Frames past the last one known durable are written again and synced, since a read from the
  /// page cache proves nothing. `first_lsn`: of the first change of a new log.
  static Result<std::unique_ptr<Log>> open(
      Disk& disk, LogOptions options, Lsn first_lsn, std::optional<LogCheckpoint> checkpoint,
      const std::function<Status(const FramePtr&)>& replay);

  /// Completes `builder` to a frame, writes it, syncs it, and makes it readable. After an error every
  /// further append fails (a failed flush proves nothing about what is on disk).
  Result<FramePtr> append(FrameBuilder&& builder);

  Lsn next_lsn() const;     // of the next change to be appended; writer only
  Lsn durable_lsn() const;  // last LSN durable and readable

  /// The frame that holds `lsn`, or if there is none such (LSNs may have gaps) the first after it; null
  /// if that is not durable yet. From memory if recent, else from disk, checked. kTrimmed if `lsn` is
  /// below the first retained. A reader that reads frame after frame should use LogCursor.
  Result<FramePtr> frame_holding(Lsn lsn);
  /// The frame that begins at `position`.
  Result<FramePtr> frame_at(LogPosition position);

  std::vector<SegmentInfo> segments() const;
  Lsn first_retained_lsn() const;

  /// Where a checkpoint taken now at `lsn`, the last LSN of a frame, would let recovery begin.
  Result<LogCheckpoint> checkpoint_at(const FramePtr& last_applied) const;

  /// Gives segments all of whose changes are below `lsn` back: kept as spares or removed. The open
  /// segment stays. Frames in memory that were handed out stay valid.
  Status trim(Lsn lsn);

  /// One unit of background work: a few MB of zero-filling of the next spare. True if there is more.
  Result<bool> prepare_spare();

 private:
  friend class LogCursor;
  // (the implementer's)
};

/// Reads the log frame after frame from an LSN on. Not thread-safe; many may read beside the writer.
class LogCursor {
 public:
  /// Begins at the frame that holds `from` or the first after it.
  LogCursor(Log& log, Lsn from);
  /// The next durable frame; null at the tip (call again after a wake-up). kTrimmed when the log no
  /// longer holds it.
  Result<FramePtr> next();
  /// The LSN that next() looks for.
  Lsn position() const { return next_; }

 private:
  Log& log_;
  Lsn next_;
  // (the implementer's: read-ahead within a segment)
};

}  // namespace millrace
