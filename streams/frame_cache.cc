#include "streams/frame_cache.h"

namespace millrace::streams {

Result<FramePtr> FrameCache::get(LogPosition position) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = by_position_.find(position); found != by_position_.end()) {
      newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
      return *found->second;
    }
  }
  ASSIGN_OR_RETURN(FramePtr frame, log_.frame_at(position));
  if (frame->memory_bytes() > bytes_max_) return frame;
  std::lock_guard lock(mutex_);
  if (by_position_.contains(position)) return frame;
  newest_first_.push_front(frame);
  by_position_.emplace(position, newest_first_.begin());
  bytes_ += frame->memory_bytes();
  while (bytes_ > bytes_max_) {
    bytes_ -= newest_first_.back()->memory_bytes();
    by_position_.erase(newest_first_.back()->position());
    newest_first_.pop_back();
  }
  return frame;
}

}  // namespace millrace::streams
