#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/async_write.h"
#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/frame.h"
#include "core/store/log_reader.h"
#include "core/store/log_segment.h"
#include "core/store/log_spares.h"
#include "core/store/log_tail.h"
#include "core/store/lsn.h"

namespace millrace {

struct LogOptions {
  std::string folder;
  /// Size of a segment file, zero-filled before use so that a flush needs no file system metadata.
  /// Frames larger than what is left go to a new segment; one larger than a segment has a file of
  /// its own size.
  uint64_t segment_bytes = 64u << 20;
  /// Size of a new log's first segment: small, so that a start on an empty folder takes
  /// milliseconds.
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
  Lsn lsn = 0;                     // all changes up to here are in the tables
  LogPosition position;            // of the first frame after it
  uint64_t previous_checksum = 0;  // of the last frame up to it
};

/// Is given a frame of a log that is opened. `make_lasting` sees to it that the log will hold all
/// up to this frame from now on, come what may.
using LogReplay =
    std::function<Status(const FramePtr& frame, const std::function<Status()>& make_lasting)>;

struct SegmentInfo {
  Lsn first_lsn;  // names the segment
  Lsn last_lsn;   // of a sealed segment; of the open one, the last durable
  int64_t last_time_ms;
  uint64_t bytes;
  bool sealed;
  uint64_t rewrites = 0;  // how often it was rewritten

  SegmentName name() const { return {first_lsn, rewrites}; }
};

/// What rewriting has saved since the start.
struct RewriteStatistics {
  uint64_t segments = 0;
  uint64_t bytes_before = 0, bytes_after = 0;
};

/// The change log: one ordered sequence of frames in segment files. One writer (the holder of the
/// commit token) calls append; everything else is thread-safe.
///
/// Files of the folder (persisted): `SSSSSSSSSSSSSSSSSSSS.log`, a segment named by its first LSN in
/// 20 digits; `SSSSSSSSSSSSSSSSSSSS-N.log`, one that was rewritten N times without what nobody
/// needs (SegmentRewrite); `spare-N`, a segment ready for use; `unfinished-N`, one that is being
/// made. A segment begins with a SegmentHeader, then frames, then zeros or leftovers.
class Log {
 public:
  static constexpr uint64_t kSegmentHeaderBytes = SegmentHeader::kBytes;

  /// Opens or creates the log. Reads from `checkpoint` (the first segment if none) to the end,
  /// giving every whole frame to `replay`, and cuts at the first frame that is not whole, unless a
  /// valid frame later in the log says that it was durable: then kCorruption naming segment file
  /// and offset, and how to go on. Frames past the last one known durable are written again and
  /// synced, since a read from the page cache proves nothing. `first_lsn`: of the first change of a
  /// new log.
  static Result<std::unique_ptr<Log>> open(Disk& disk, LogOptions options, Lsn first_lsn,
                                           std::optional<LogCheckpoint> checkpoint,
                                           const LogReplay& replay);

  /// Completes `builder` to a frame, writes it, syncs it, and makes it readable. After an error
  /// every further append fails (a failed flush proves nothing about what is on disk), but after
  /// kDiskFull: then nothing of the frame is on disk, for good, and a later one may succeed.
  Result<FramePtr> append(FrameBuilder&& builder);
  /// The same in steps, for who needs the frame also if it is refused: the frame that append()
  /// would write now ...
  FramePtr seal(FrameBuilder&& builder);
  /// ... its writing, before any other frame is sealed; readers find it only after
  /// make_readable(): once its changes are in the published view, so that who has read a change
  /// from the log never reads an older item.
  Status write(const FramePtr& frame);
  /// Begins to write it, by `write`, without waiting for the disk. False: nothing has begun, and
  /// write() it is.
  bool begin_write(const FramePtr& frame, AsyncWrite& write);
  /// Ends what has begun so; as write().
  Status end_write(const FramePtr& frame, AsyncWrite& write);
  void make_readable(const Frame& frame) {
    readable_lsn_.store(frame.last_lsn(), std::memory_order_release);
  }

  Lsn next_lsn() const;  // of the next change to be appended; writer only
  /// The last LSN that is durable (with `sync` off: written) and readable; of an empty log, the one
  /// before its first.
  Lsn durable_lsn() const { return readable_lsn_.load(std::memory_order_acquire); }

  /// Makes all that was appended durable where appends do not (`sync` off); at once otherwise.
  /// Before a checkpoint is recorded, so that it never outruns the log. A failure stops the log as
  /// a failed append's.
  Status sync();

  /// The frame that holds `lsn`, or if there is none such (LSNs may have gaps) the first after it;
  /// null if that is not durable yet. From memory if recent, else from disk, checked. kTrimmed if
  /// `lsn` is below the first retained. A reader that reads frame after frame should use LogCursor.
  Result<FramePtr> frame_holding(Lsn lsn);
  /// The frame that begins at `position`; kMoved if the segment has been rewritten since: then what
  /// is left of the frame is found by LSN.
  Result<FramePtr> frame_at(LogPosition position);

  std::vector<SegmentInfo> segments() const;
  Lsn first_retained_lsn() const;

  /// Where a checkpoint taken at the end of this frame would let recovery begin. It must be
  /// written, but readers need not find it yet: the tables have a frame before they do.
  Result<LogCheckpoint> checkpoint_at(const FramePtr& last_applied) const;

  /// Gives segments all of whose changes are below `lsn` back: kept as spares or removed. The open
  /// segment stays. Frames in memory that were handed out stay valid.
  Status trim(Lsn lsn);

  /// The last LSN of which rewriting has left something out of a generation that `concerns` names;
  /// 0 if there is none. Reads the head of every rewritten segment.
  Result<Lsn> left_out_through(const std::function<bool(uint64_t generation)>& concerns);
  RewriteStatistics rewrite_statistics() const;

  /// One unit of background work: a few MB of zero-filling of the next spare. True if there is
  /// more. Leaves the last of a disk's room alone.
  Result<bool> prepare_spare();
  /// Whether it has stopped for good.
  bool failed() const { return failed_; }

 private:
  friend class LogCursor;
  friend class SegmentRewrite;

  Log(Disk& disk, LogOptions options);
  Status recover(Lsn first_lsn, const std::optional<LogCheckpoint>& checkpoint,
                 const LogReplay& replay);
  std::string path_of(SegmentName segment) const;

  // The writer's steps.
  Status writable() const;
  Status write_frame(const FramePtr& frame);
  static bool begins_segment(const Frame& frame) {
    return frame.position().offset == SegmentHeader::kBytes;
  }
  /// What a write to the open segment that failed means.
  Status refused(const Frame& frame, const Status& status);
  /// Notes what came of a write.
  Status ended(const Status& status, const Frame& frame);
  Result<std::shared_ptr<File>> open_for_appends(Lsn segment);
  Status begin_segment(const FramePtr& first_frame);
  Result<std::string> new_segment_file(uint64_t frame_bytes, uint64_t& file_bytes);
  /// After a write of `frame` to `file` was refused for want of room: sees to it that it cannot
  /// pass for a frame.
  Status take_back(File& file, const Frame& frame);
  // As the disk's, but never kDiskFull.
  Status sync_file(File& file);
  Status sync_names();
  Status remove_file(const std::string& path);
  /// Makes a durable frame readable, and the segment that it begins, if any, part of the log.
  void publish(const FramePtr& frame, std::optional<LogSegment> begun);

  // The readers'. `lsn` is at or below durable_lsn().
  struct Place {
    LogPosition position;  // a frame's at or before the one that is looked for
    uint64_t limit = 0;    // no frame that may be read ends beyond this byte
    Lsn last_lsn = 0;      // of the segment
    SegmentHeader header;
    std::shared_ptr<const File> file;
  };
  Status locate(Lsn lsn, Place& place) const;
  Result<std::shared_ptr<const File>> open_for_reading(SegmentName segment);
  Result<std::vector<LeftOut>> left_out_of(Lsn segment);
  Result<std::vector<LeftOut>> left_out_at(Place& place);
  /// What a failure to read at `position` means: kTrimmed if the segment was given away meanwhile,
  /// kMoved if it was rewritten.
  Error reading_failed(LogPosition position, const Error& error) const;
  Status give_back(const LogSegment& segment);
  /// Puts a segment's rewritten file, whose name is durable, in the place of the one before.
  Status replace(LogSegment rewritten);
  Error trimmed(Lsn lsn) const;
  Lsn first_retained_locked() const;

  Disk& disk_;
  const LogOptions options_;
  SparePool spares_;
  std::atomic<bool> failed_{false};
  std::atomic<Lsn> readable_lsn_{0};

  // The writer's own: where the next frame goes.
  std::shared_ptr<File> file_;
  LogPosition end_;
  uint64_t file_bytes_ = 0;
  uint64_t last_checksum_ = 0;
  Lsn next_lsn_ = 0;
  int64_t last_time_ms_ = 0;

  std::mutex sync_mutex_;  // one sync() at a time

  mutable std::mutex mutex_;  // guards what follows; never held during disk access
  std::map<Lsn, LogSegment> segments_;
  RewriteStatistics rewritten_;
  LogTail tail_;
  Lsn synced_lsn_ = 0;
  /// With `sync` off: written since the last sync(), the open segment's file being the last.
  std::vector<std::shared_ptr<File>> unsynced_;
};

/// Reads the log frame after frame from an LSN on. Not thread-safe; many may read beside the
/// writer.
class LogCursor {
 public:
  /// Begins at the frame that holds `from` or the first after it.
  LogCursor(Log& log, Lsn from);
  /// The next durable frame; null at the tip (call again after a wake-up). kTrimmed when the log no
  /// longer holds it.
  Result<FramePtr> next();
  /// The LSN that next() looks for.
  Lsn position() const { return next_; }
  /// What rewriting left out of the segments that next() has entered since the last call, at or
  /// after where it was: changes that this reader does not get to see.
  std::vector<LeftOut> take_left_out() { return std::exchange(left_out_, {}); }

 private:
  /// The next frame of `place`; null if the segment, rewritten, has none.
  Result<FramePtr> read(const Log::Place& place);
  Status enter(Log::Place place);
  void passed(const Frame& frame);

  Log& log_;
  Lsn next_;
  /// Where the last frame returned ended, and its checksum, to which the next one is linked.
  std::optional<LogPosition> end_;
  uint64_t last_checksum_ = 0;
  /// Only while reading from disk: an idle cursor holds neither memory nor a file.
  std::optional<FrameReader> reader_;
  std::vector<LeftOut> left_out_;
};

}  // namespace millrace
