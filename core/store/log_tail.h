#pragma once

#include <cstddef>
#include <deque>

#include "core/store/frame.h"

namespace millrace {

/// The log's newest frames, in memory for readers at the tip: contiguous up to the last. Not
/// thread-safe.
class LogTail {
 public:
  explicit LogTail(size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Adds the newest frame and lets go of the oldest beyond the bound (never of the newest).
  void push(FramePtr frame);
  /// Lets go of the frames up to `lsn`.
  void drop_through(Lsn lsn);
  /// The frame that holds `lsn` or the first after it; null if there may be one before the tail, or
  /// none.
  FramePtr holding(Lsn lsn) const;
  /// The frame that begins at `position`, or null.
  FramePtr at(LogPosition position) const;

 private:
  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::deque<FramePtr> frames_;
};

}  // namespace millrace
