#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/log.h"
#include "core/store/log_reader.h"

namespace millrace {

/// Whether somebody may still ask for a change of `generation` (the first eight bytes of its key).
using NeededChange = std::function<bool(uint64_t generation, Lsn lsn)>;

/// Rewrites one sealed segment without what nobody needs, if less than half of its file is needed,
/// in bounded steps. Used by the thread that trims the log; readers and the writer go on beside it.
///
/// An entry is kept whole if any of its changes is needed: a transaction is then seen by whoever
/// sees a part of it as it was, its changes' LSNs still follow from the entry's first, and position
/// and count need no room. The entries of a frame that are kept and follow each other become a
/// frame; frames are linked anew. What was left out is listed behind them (LeftOut).
///
/// The new file is whole and synced before it gets a name of its own, that name is durable before
/// readers are sent there, and then the old file goes. So after a crash there is the one, the other
/// or both, and of both the newer is right.
class SegmentRewrite {
 public:
  /// None if the segment is not retained any more, or recovery may read it: the one behind it must
  /// begin at or below `below`, at most the last durable checkpoint's LSN. `log` outlives the
  /// object; `needed` must not say yes later of what it said no of.
  static Result<std::unique_ptr<SegmentRewrite>> begin(Log& log, Lsn segment, Lsn below,
                                                       NeededChange needed);
  /// What is unfinished leaves nothing behind.
  ~SegmentRewrite();

  /// About a megabyte. True if there is more to do. After an error it is over and the segment is as
  /// it was (kCorruption: damaged), but for an error of removing the old file.
  Result<bool> step();
  /// The segment that is or was looked at.
  Lsn segment() const { return source_.header.first_lsn; }

 private:
  SegmentRewrite(Log& log, LogSegment source, uint64_t source_checksum,
                 std::shared_ptr<const File> file, NeededChange needed);
  void read_from_start();
  bool at_end() const;
  Result<FramePtr> next_frame();
  bool weigh(const Frame& frame);
  Status copy(const Frame& frame);
  bool is_needed(const EntryView& entry) const;
  void note_left_out(const EntryView& entry);
  Status add(FrameBuilder&& run, Lsn durable_lsn);
  Status write_out();
  Status finish();

  Log& log_;
  const LogSegment source_;
  const uint64_t source_checksum_;  // of its last frame when it was sealed
  const std::shared_ptr<const File> source_file_;
  const NeededChange needed_;
  std::optional<FrameReader> reader_;
  Lsn read_through_ = 0;
  uint64_t read_checksum_ = 0;

  bool weighed_ = false;
  uint64_t size_after_ = SegmentHeader::kRewrittenFirstFrame;  // estimated, rather too large

  std::string path_;
  std::unique_ptr<File> file_;
  std::string buffer_;  // frames to be written at the end of what was
  uint64_t written_ = SegmentHeader::kRewrittenFirstFrame;
  uint64_t last_checksum_ = 0;
  std::map<uint64_t, Lsn> left_out_;
};

/// What of the log is needed now.
struct LogNeeds {
  NeededChange needed;
  /// Only segments wholly below may be rewritten.
  Lsn below = 0;
  /// Of LSNs below, what is needed will not become less before they are trimmed.
  Lsn settled = 0;
};

/// Rewrites the sealed segments most of which nobody needs. It reads a segment once when that may
/// be rewritten first, and once more, if `settled` had not passed it then, when it has; after a
/// start once again, but for those that were rewritten before. Used by one thread.
class LogRewriter {
 public:
  explicit LogRewriter(Log& log) : log_(log) {}

  /// About a megabyte of reading or writing; true if there is more to do. What was refused by the
  /// disk is tried again by a later call.
  Result<bool> step(const std::function<LogNeeds()>& needs);

 private:
  Result<std::unique_ptr<SegmentRewrite>> next(const LogNeeds& needs);

  Log& log_;
  Lsn looked_through_ = 0;    // at all segments up to here
  std::set<Lsn> to_look_at_;  // again, once settled
  std::unique_ptr<SegmentRewrite> rewrite_;
};

}  // namespace millrace
