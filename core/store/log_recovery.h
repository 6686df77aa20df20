#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/log.h"
#include "core/store/log_segment.h"

namespace millrace {

/// Reads a log's folder after a start, finds the log's end and makes it lasting.
///
/// The log ends at the first place where no whole frame follows that is linked to the one before.
/// What an unfinished flush left there is cut off. But a whole frame at its own place anywhere
/// behind that says that the missing ones were durable makes it damage, which is refused.
class LogRecovery {
 public:
  LogRecovery(Disk& disk, std::string folder, std::optional<LogCheckpoint> checkpoint,
              const LogReplay& replay);

  /// `names`: the folder's files.
  Status run(const std::vector<std::string>& names);

  // What was found, after run().
  /// Retained segments in order. The last is the open one. Empty if the log is.
  std::vector<LogSegment> segments;
  std::shared_ptr<File> open_file;  // the last segment's
  uint64_t last_checksum = 0;
  /// Segment files that hold no frame of the log: of an unfinished switch, or after the cut.
  struct Leftover {
    std::string path;
    uint64_t file_bytes;
  };
  std::vector<Leftover> leftovers;
  /// Paths of segment files that a rewritten one has replaced.
  std::vector<std::string> replaced;

 private:
  struct SegmentFile {
    Lsn first_lsn = 0;
    std::shared_ptr<File> file;
    uint64_t size = 0;
    std::optional<SegmentHeader> header;  // if sound
  };
  /// A frame that may be in memory only.
  struct Unproven {
    size_t segment;  // index into `segments`
    uint64_t offset;
    size_t size;
    Lsn last_lsn;
  };
  /// Where the log ends, or is damaged: an index into names_ and a byte.
  struct Cut {
    size_t index;
    uint64_t offset;
  };

  Result<SegmentFile> load(size_t index);
  Result<size_t> first_to_read();
  Status keep_segments_before(size_t index, const SegmentHeader& successor);
  Result<Cut> read_from(size_t index);
  Result<bool> read_segment(SegmentFile& segment);
  Status accept(const FramePtr& frame);
  Status refuse_if_damaged(Cut cut);
  Result<std::optional<uint64_t>> evidence_in(size_t index, uint64_t from);
  Status make_lasting();
  Status write_unproven_again();
  Status void_what_was_cut();

  std::string path_of(size_t index) const;
  Error damage(size_t index, uint64_t offset, const std::string& what) const;

  Disk& disk_;
  const std::string folder_;
  const std::optional<LogCheckpoint> checkpoint_;
  const LogReplay& replay_;

  std::vector<SegmentName> names_;
  bool checkpoint_reached_ = false;
  Lsn next_lsn_ = 0;
  std::deque<Unproven> unproven_;
  std::vector<Cut> cut_frames_;  // whole ones behind the end
};

}  // namespace millrace
