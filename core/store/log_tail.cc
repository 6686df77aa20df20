#include "core/store/log_tail.h"

#include <algorithm>

namespace millrace {

void LogTail::push(FramePtr frame) {
  bytes_ += frame->memory_bytes();
  frames_.push_back(std::move(frame));
  while (bytes_ > bytes_max_ && frames_.size() > 1) {
    bytes_ -= frames_.front()->memory_bytes();
    frames_.pop_front();
  }
}

void LogTail::drop_through(Lsn lsn) {
  while (!frames_.empty() && frames_.front()->first_lsn() <= lsn) {
    bytes_ -= frames_.front()->memory_bytes();
    frames_.pop_front();
  }
}

FramePtr LogTail::holding(Lsn lsn) const {
  if (frames_.empty() || lsn < frames_.front()->first_lsn()) return nullptr;
  auto found = std::partition_point(frames_.begin(), frames_.end(),
                                    [&](const FramePtr& f) { return f->last_lsn() < lsn; });
  return found == frames_.end() ? nullptr : *found;
}

FramePtr LogTail::at(LogPosition position) const {
  auto found = std::partition_point(frames_.begin(), frames_.end(),
                                    [&](const FramePtr& f) { return f->position() < position; });
  return found == frames_.end() || (*found)->position() != position ? nullptr : *found;
}

}  // namespace millrace
