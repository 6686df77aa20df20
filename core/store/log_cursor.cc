#include <algorithm>

#include "core/base/check.h"
#include "core/store/log.h"

namespace millrace {

Error Log::trimmed(Lsn lsn) const {
  return make_error(ErrorCode::kTrimmed, "the log no longer holds LSN " + std::to_string(lsn) +
                                             "; it begins at LSN " +
                                             std::to_string(first_retained_lsn()));
}

Error Log::reading_failed(LogPosition position, const Error& error) const {
  const SegmentName name{position.segment, position.rewrites};
  std::optional<uint64_t> rewrites;
  {
    std::lock_guard lock(mutex_);
    auto found = segments_.find(name.first_lsn);
    if (found != segments_.end()) rewrites = found->second.header.rewrites();
  }
  if (!rewrites) return trimmed(name.first_lsn);
  if (rewrites != name.rewrites) {
    return make_error(ErrorCode::kMoved, path_of(name) + " has been rewritten");
  }
  return make_error(error.code, path_of(name) + " at byte " + std::to_string(position.offset) +
                                    ": " + error.message);
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
      place.position = segment.header.first_frame();
      place.position.offset = segment.offset_below(lsn);
      place.limit = segment.end;
      place.last_lsn = segment.last_lsn;
      place.header = segment.header;
      place.file = segment.file.lock();
    }
  }
  if (gone) return trimmed(lsn);
  return {};
}

Result<std::shared_ptr<const File>> Log::open_for_reading(SegmentName segment) {
  auto opened = disk_.open(path_of(segment), false);
  if (!opened) return reading_failed({segment.first_lsn, 0, segment.rewrites}, opened.error());
  std::shared_ptr<const File> file = std::move(opened).value();
  std::lock_guard lock(mutex_);
  auto found = segments_.find(segment.first_lsn);
  if (found != segments_.end() && found->second.header.rewrites() == segment.rewrites) {
    found->second.file = file;
  }
  return file;
}

Result<Lsn> Log::left_out_through(const std::function<bool(uint64_t generation)>& concerns) {
  Lsn through = 0;
  for (const SegmentInfo& segment : segments()) {
    if (segment.rewrites == 0) continue;
    auto list = left_out_of(segment.first_lsn);
    if (!list && list.error().code == ErrorCode::kTrimmed) continue;
    RETURN_IF_ERROR(list);
    for (const LeftOut& left_out : *list) {
      if (concerns(left_out.generation)) through = std::max(through, left_out.last_lsn);
    }
  }
  return through;
}

Result<std::vector<LeftOut>> Log::left_out_of(Lsn segment) {
  for (;;) {
    Place place;
    RETURN_IF_ERROR(locate(segment, place));
    if (!place.header.rewritten) return std::vector<LeftOut>();
    auto list = left_out_at(place);
    if (list || list.error().code != ErrorCode::kMoved) return list;
  }
}

Result<std::vector<LeftOut>> Log::left_out_at(Place& place) {
  if (!place.file) {
    ASSIGN_OR_RETURN(place.file,
                     open_for_reading({place.position.segment, place.position.rewrites}));
  }
  auto list = read_left_out(*place.file, *place.header.rewritten);
  if (!list) return reading_failed(place.position, list.error());
  return list;
}

Result<FramePtr> Log::frame_holding(Lsn lsn) { return LogCursor(*this, lsn).next(); }

Result<FramePtr> Log::frame_at(LogPosition position) {
  uint64_t limit = 0;
  std::shared_ptr<const File> file;
  {
    std::lock_guard lock(mutex_);
    if (FramePtr frame = tail_.at(position)) return frame;
    auto found = segments_.find(position.segment);
    if (found != segments_.end() && found->second.header.rewrites() == position.rewrites) {
      limit = found->second.end;
      file = found->second.file.lock();
    }
  }
  if (limit == 0) return reading_failed(position, {});
  if (!file) {
    ASSIGN_OR_RETURN(file, open_for_reading({position.segment, position.rewrites}));
  }
  FrameReader reader(std::move(file), position);
  auto frame = reader.next(limit);
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
  for (;;) {
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
    Result<FramePtr> frame = read(place);
    if (frame && *frame == nullptr) continue;  // on to the next segment
    if (frame || frame.error().code != ErrorCode::kMoved) return frame;
  }
}

// A file that was given away and written anew under the reader holds no frame that passes for one
// of its old segment, since a frame's checksum covers its place. So whatever fails is looked at
// again under the log's mutex.
Result<FramePtr> LogCursor::read(const Log::Place& place) {
  const bool goes_on = reader_ && end_ && reader_->position() == *end_ &&
                       end_->segment == place.position.segment &&
                       end_->rewrites == place.position.rewrites;
  if (!goes_on) {
    reader_.reset();
    RETURN_IF_ERROR(enter(place));
  }
  for (;;) {
    const LogPosition at = reader_->position();
    if (place.header.rewritten && at.offset == place.limit) {
      // Nothing is left of what was looked for.
      reader_.reset();
      end_.reset();
      next_ = std::max(next_, place.last_lsn + 1);
      return FramePtr();
    }
    auto frame = reader_->next(place.limit);
    if (!frame) {
      reader_.reset();
      return log_.reading_failed(at, frame.error());
    }
    bool linked = !end_ || (*frame)->previous_checksum() == last_checksum_;
    if (place.header.rewritten && (*frame)->end_position().offset == place.limit) {
      linked = linked && (*frame)->checksum() == place.header.rewritten->end_checksum;
    }
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

Status LogCursor::enter(Log::Place place) {
  const LogPosition first = place.header.first_frame();
  LogPosition& begin = place.position;
  if (end_ && end_->segment == begin.segment && end_->rewrites == begin.rewrites) {
    begin = *end_;
  } else if (end_ && place.header.previous_segment == end_->segment && end_->rewrites == 0) {
    // On to the next segment, whose first frame is linked to the last one passed.
    begin = first;
  } else {
    end_.reset();
  }
  if (!end_ && begin == first) {
    end_ = begin;
    last_checksum_ = place.header.previous_checksum;
  }
  if (place.header.rewritten && begin == first) {
    ASSIGN_OR_RETURN(const auto list, log_.left_out_at(place));
    for (const LeftOut& left_out : list) {
      if (left_out.last_lsn >= next_) left_out_.push_back(left_out);
    }
  }
  if (!place.file) {
    ASSIGN_OR_RETURN(place.file, log_.open_for_reading({begin.segment, begin.rewrites}));
  }
  reader_.emplace(std::move(place.file), begin);
  return {};
}

}  // namespace millrace
