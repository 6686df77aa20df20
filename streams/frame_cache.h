#pragma once

#include <list>
#include <map>
#include <mutex>

#include "core/store/log.h"

namespace millrace::streams {

/// The frames last read from the log, so that a consumer that reads the shards of a stream side by
/// side has each frame read and checked once. Thread-safe. Evicts the least recently used beyond
/// `bytes_max`; a frame larger than that is not kept.
class FrameCache {
 public:
  FrameCache(Log& log, size_t bytes_max) : log_(log), bytes_max_(bytes_max) {}

  /// The frame at `position`; errors are Log::frame_at's.
  Result<FramePtr> get(LogPosition position);

 private:
  Log& log_;
  const size_t bytes_max_;
  std::mutex mutex_;
  std::list<FramePtr> newest_first_;
  std::map<LogPosition, std::list<FramePtr>::iterator> by_position_;
  size_t bytes_ = 0;
};

}  // namespace millrace::streams
