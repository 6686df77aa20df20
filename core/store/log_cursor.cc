#include <algorithm>

#include "core/store/log.h"

namespace millrace {

Error Log::trimmed(Lsn lsn) const {
  return make_error(ErrorCode::kTrimmed, "the log no longer holds LSN " + std::to_string(lsn) +
                                             "; it begins at LSN " +
                                             std::to_string(first_retained_lsn()));
}

bool Log::retains(Lsn segment) const {
  std::lock_guard lock(mutex_);
  return segments_.contains(segment);
}

Error Log::reading_failed(LogPosition position, const Error& error) const {
  if (!retains(position.segment)) return trimmed(position.segment);
  return make_error(error.code, path_of(position.segment) + " at byte " +
                                    std::to_string(position.offset) + ": " + error.message);
}

Status Log::locate(Lsn lsn, Place& place) const {
  bool gone;
  {
    std::lock_guard lock(mutex_);
    gone = lsn < first_retained_locked();
    if (!gone) {
      auto found = segments_.upper_bound(lsn);
      // Before it, unless LSNs between the two segments were never given.
      if (found != segments_.begin() && std::prev(found)->second.last_lsn >= lsn) --found;
      CHECK(found != segments_.end());
      const LogSegment& segment = found->second;
      place.segment = found->first;
      place.offset = segment.offset_below(lsn);
      place.limit = segment.end;
      place.header = segment.header;
      place.file = segment.file.lock();
    }
  }
  if (gone) return trimmed(lsn);
  return {};
}

Result<std::shared_ptr<const File>> Log::open_for_reading(Lsn segment) {
  auto opened = disk_.open(path_of(segment), false);
  if (!opened) return reading_failed({segment, 0}, opened.error());
  std::shared_ptr<const File> file = std::move(opened).value();
  std::lock_guard lock(mutex_);
  auto found = segments_.find(segment);
  if (found != segments_.end()) found->second.file = file;
  return file;
}

Result<FramePtr> Log::frame_holding(Lsn lsn) { return LogCursor(*this, lsn).next(); }

Result<FramePtr> Log::frame_at(LogPosition position) {
  Place place;
  bool known = false;
  {
    std::lock_guard lock(mutex_);
    if (FramePtr frame = tail_.at(position)) return frame;
    auto found = segments_.find(position.segment);
    if (found != segments_.end()) {
      known = true;
      place.limit = found->second.end;
      place.file = found->second.file.lock();
    }
  }
  if (!known) return trimmed(position.segment);
  if (!place.file) {
    ASSIGN_OR_RETURN(place.file, open_for_reading(position.segment));
  }
  FrameReader reader(place.file, position);
  auto frame = reader.next(place.limit);
  if (!frame) return reading_failed(position, frame.error());
  return frame;
}

LogCursor::LogCursor(Log& log, Lsn from) : log_(log), next_(from) {}

void LogCursor::passed(const Frame& frame) {
  end_ = frame.end_position();
  last_checksum_ = frame.checksum();
  next_ = frame.last_lsn() + 1;
}

Result<FramePtr> LogCursor::next() {
  if (next_ > log_.durable_lsn()) {
    reader_.reset();
    return FramePtr();
  }
  {
    std::lock_guard lock(log_.mutex_);
    if (FramePtr frame = log_.tail_.holding(next_)) {
      reader_.reset();
      passed(*frame);
      return frame;
    }
  }
  Log::Place place;
  RETURN_IF_ERROR(log_.locate(next_, place));
  return read(place);
}

// A file that was given away and written anew under the reader holds no frame that passes for one
// of its old segment, since a frame's checksum covers its place. So whatever fails is looked at
// again under the log's mutex.
Result<FramePtr> LogCursor::read(const Log::Place& place) {
  if (!reader_ || reader_->position().segment != place.segment || !end_ ||
      reader_->position() != *end_) {
    reader_.reset();
    RETURN_IF_ERROR(enter(place));
  }
  for (;;) {
    const LogPosition at = reader_->position();
    auto frame = reader_->next(place.limit);
    if (!frame) {
      reader_.reset();
      return log_.reading_failed(at, frame.error());
    }
    const bool linked = !end_ || (*frame)->previous_checksum() == last_checksum_;
    if (!linked) {
      reader_.reset();
      return log_.reading_failed(
          at, make_error(ErrorCode::kCorruption, "a frame that does not follow the one before"));
    }
    const bool wanted = (*frame)->last_lsn() >= next_;
    const Lsn next = next_;
    passed(**frame);
    if (wanted) return frame;
    next_ = next;
  }
}

Status LogCursor::enter(const Log::Place& place) {
  std::shared_ptr<const File> file = place.file;
  if (!file) {
    ASSIGN_OR_RETURN(file, log_.open_for_reading(place.segment));
  }
  LogPosition begin{place.segment, place.offset};
  if (end_ && end_->segment == place.segment) {
    begin = *end_;
  } else if (end_ && place.header.previous_segment == end_->segment) {
    // On to the next segment, whose first frame is linked to the last one passed.
    begin.offset = SegmentHeader::kBytes;
  } else {
    end_.reset();
  }
  reader_.emplace(std::move(file), begin);
  return {};
}

}  // namespace millrace
