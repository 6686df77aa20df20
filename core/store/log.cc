#include "core/store/log.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/store/log_recovery.h"

namespace millrace {
namespace {

/// Marks of older sealed segments are dropped, since memory must not grow with what is retained.
constexpr size_t kMarkedSegments = 16;

/// A segment that must be made while a flush waits is at most this many times the first one's size.
constexpr uint64_t kInlineFactor = 4;
constexpr uint64_t kBlockBytes = 4096;

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Log::Log(Disk& disk, LogOptions options)
    : disk_(disk),
      options_(std::move(options)),
      spares_(disk, options_.folder, options_.segment_bytes, options_.spare_segments),
      tail_(options_.tail_bytes) {}

Result<std::unique_ptr<Log>> Log::open(Disk& disk, LogOptions options, Lsn first_lsn,
                                       std::optional<LogCheckpoint> checkpoint,
                                       const LogReplay& replay) {
  std::unique_ptr<Log> log(new Log(disk, std::move(options)));
  RETURN_IF_ERROR(log->recover(first_lsn, checkpoint, replay));
  return log;
}

Status Log::recover(Lsn first_lsn, const std::optional<LogCheckpoint>& checkpoint,
                    const LogReplay& replay) {
  RETURN_IF_ERROR(disk_.create_folder(options_.folder));
  ASSIGN_OR_RETURN(const auto names, disk_.list(options_.folder));
  LogRecovery found(disk_, options_.folder, checkpoint, replay);
  RETURN_IF_ERROR(found.run(names));
  RETURN_IF_ERROR(spares_.adopt(names));
  // The last first: at every moment what is left is a beginning.
  for (auto leftover = found.leftovers.rbegin(); leftover != found.leftovers.rend(); ++leftover) {
    RETURN_IF_ERROR(spares_.give_back(leftover->path, leftover->file_bytes));
  }
  for (const std::string& path : found.replaced) RETURN_IF_ERROR(disk_.remove(path));
  RETURN_IF_ERROR(disk_.sync_folder(options_.folder));
  // The folder may be new, made now or by an earlier start that was interrupted.
  if (found.segments.empty()) RETURN_IF_ERROR(disk_.sync_folder(parent_of(options_.folder)));

  next_lsn_ = first_lsn;
  if (!found.segments.empty()) {
    const LogSegment& last = found.segments.back();
    next_lsn_ = last.last_lsn + 1;
    last_time_ms_ = last.last_time_ms;
    last_checksum_ = found.last_checksum;
    ASSIGN_OR_RETURN(file_, open_for_appends(last.header.first_lsn));
    file_bytes_ = last.file_bytes;
    end_ = {last.header.first_lsn, last.end};
  }
  for (LogSegment& segment : found.segments) {
    segments_.emplace(segment.header.first_lsn, std::move(segment));
  }
  synced_lsn_ = next_lsn_ - 1;
  readable_lsn_ = next_lsn_ - 1;
  return {};
}

std::string Log::path_of(SegmentName segment) const {
  return options_.folder + "/" + segment_file_name(segment.first_lsn, segment.rewrites);
}

// Where every append is synced the page cache is only in the way; else it is what takes the writes.
Result<std::shared_ptr<File>> Log::open_for_appends(Lsn segment) {
  const std::string path = path_of({segment});
  ASSIGN_OR_RETURN(std::shared_ptr<File> file,
                   options_.sync ? disk_.open_direct(path, false) : disk_.open(path, false));
  return file;
}

Lsn Log::next_lsn() const { return next_lsn_; }

Result<FramePtr> Log::append(FrameBuilder&& builder) {
  FramePtr frame = seal(std::move(builder));
  RETURN_IF_ERROR(write(frame));
  make_readable(*frame);
  return frame;
}

FramePtr Log::seal(FrameBuilder&& builder) {
  CHECK(!builder.empty() && builder.first_lsn() >= next_lsn_);
  const uint64_t size = Frame::kHeaderBytes + builder.payload_bytes();
  const bool fits = file_ && end_.offset + size <= file_bytes_;
  const LogPosition position =
      fits ? end_ : LogPosition{builder.first_lsn(), SegmentHeader::kBytes};
  Lsn synced;
  {
    std::lock_guard lock(mutex_);
    synced = synced_lsn_;
  }
  return std::move(builder).finish(synced, last_checksum_, position);
}

Status Log::writable() const {
  if (failed_) {
    return make_error(ErrorCode::kIo, "the change log stopped after a failed flush; restart");
  }
  return {};
}

Status Log::write(const FramePtr& frame) {
  RETURN_IF_ERROR(writable());
  return ended(write_frame(frame), *frame);
}

bool Log::begin_write(const FramePtr& frame, AsyncWrite& write) {
  if (!writable() || !options_.sync || begins_segment(*frame)) return false;
  return file_->begin_durable_write(write, frame->position().offset, frame->bytes());
}

Status Log::end_write(const FramePtr& frame, AsyncWrite& write) {
  Status status = file_->end_durable_write(write);
  if (!status) status = refused(*frame, status);
  if (status) publish(frame, std::nullopt);
  return ended(status, *frame);
}

// After a failed write or sync nobody knows what is on disk, and a further append that succeeded
// would vouch for it. Where it is known, the disk was only full.
Status Log::ended(const Status& status, const Frame& frame) {
  if (!status) {
    if (status.error().code != ErrorCode::kDiskFull) failed_ = true;
    return status;
  }
  end_ = frame.end_position();
  file_bytes_ = std::max(file_bytes_, end_.offset);
  last_checksum_ = frame.checksum();
  next_lsn_ = frame.last_lsn() + 1;
  last_time_ms_ = frame.last_time_ms();
  return status;
}

Status Log::write_frame(const FramePtr& frame) {
  if (begins_segment(*frame)) return begin_segment(frame);
  if (Status written = file_->write(frame->position().offset, frame->bytes()); !written) {
    return refused(*frame, written);
  }
  if (options_.sync) RETURN_IF_ERROR(sync_file(*file_));
  publish(frame, std::nullopt);
  return {};
}

// The blocks have been written before, but a file system that never writes in place may be full all
// the same.
Status Log::refused(const Frame& frame, const Status& status) {
  if (status.error().code == ErrorCode::kDiskFull) RETURN_IF_ERROR(take_back(*file_, frame));
  return status;
}

// Most of a refused frame may have been written, and were its rest zeros it would be whole: after a
// crash a write that was refused would be there. Without its header it is nothing; that the header
// never was written can be seen as well as made so.
Status Log::take_back(File& file, const Frame& frame) {
  const uint64_t offset = frame.position().offset;
  auto gone = [&]() -> Status {
    std::string header;
    RETURN_IF_ERROR(file.read(offset, Frame::kHeaderBytes, header));
    if (header != frame.bytes().substr(0, Frame::kHeaderBytes)) return {};
    RETURN_IF_ERROR(file.write(offset, std::string(Frame::kHeaderBytes, '\0')));
    return file.sync();
  };
  Status status = gone();
  if (status) return {};
  return make_error(ErrorCode::kIo, "a write that the full disk refused cannot be undone: " +
                                        status.error().message);
}

// A file for a new segment that holds the frame without growing. kDiskFull leaves nothing behind.
Result<std::string> Log::new_segment_file(uint64_t frame_bytes, uint64_t& file_bytes) {
  // Whole blocks, which is what direct writes are made of.
  const uint64_t needed =
      (SegmentHeader::kBytes + frame_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  file_bytes = options_.segment_bytes;
  if (file_ && needed <= file_bytes) {
    if (std::optional<std::string> spare = spares_.take()) return *std::move(spare);
  }
  // The flush waits for the zeros of this one, so it is small.
  file_bytes = std::min(file_bytes, file_ ? kInlineFactor * options_.first_segment_bytes
                                          : options_.first_segment_bytes);
  file_bytes = std::max(file_bytes, needed);
  return spares_.create(file_bytes, options_.sync);
}

Status Log::begin_segment(const FramePtr& first_frame) {
  const Lsn name = first_frame->first_lsn();
  uint64_t bytes = 0;
  ASSIGN_OR_RETURN(const std::string spare, new_segment_file(first_frame->size(), bytes));
  if (Status renamed = disk_.rename(spare, path_of({name})); !renamed) {
    if (renamed.error().code == ErrorCode::kDiskFull) RETURN_IF_ERROR(remove_file(spare));
    return renamed;
  }
  // Before the first write: a recycled file still has its old name on disk until then.
  RETURN_IF_ERROR(sync_names());
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, open_for_appends(name));

  LogSegment segment;
  segment.header.first_lsn = name;
  if (file_) {
    segment.header.previous_segment = end_.segment;
    segment.header.previous_checksum = last_checksum_;
    segment.header.previous_lsn = next_lsn_ - 1;
    segment.header.previous_time_ms = last_time_ms_;
  }
  segment.file_bytes = bytes;
  segment.file = file;
  std::string start = segment.header.encode();
  start += first_frame->bytes();
  if (Status written = file->write(0, start); !written) {
    if (written.error().code != ErrorCode::kDiskFull) return written;
    RETURN_IF_ERROR(remove_file(path_of({name})));
    RETURN_IF_ERROR(sync_names());
    return written;
  }
  if (options_.sync) RETURN_IF_ERROR(sync_file(*file));

  file_ = std::move(file);
  file_bytes_ = bytes;
  publish(first_frame, std::move(segment));
  return {};
}

// What follows must not fail as a full disk does, which would leave the log going.

Status Log::sync_file(File& file) {
  Status status = file.sync();
  return status ? status : make_error(ErrorCode::kIo, status.error().message);
}

Status Log::sync_names() {
  Status status = disk_.sync_folder(options_.folder);
  return status ? status : make_error(ErrorCode::kIo, status.error().message);
}

Status Log::remove_file(const std::string& path) {
  Status status = disk_.remove(path);
  return status ? status : make_error(ErrorCode::kIo, status.error().message);
}

void Log::publish(const FramePtr& frame, std::optional<LogSegment> begun) {
  std::lock_guard lock(mutex_);
  if (begun) {
    if (!segments_.empty()) segments_.rbegin()->second.sealed = true;
    if (segments_.size() >= kMarkedSegments) {
      std::prev(segments_.end(), kMarkedSegments)->second.marks = {};
    }
    segments_.emplace(begun->header.first_lsn, *std::move(begun));
  }
  segments_.rbegin()->second.extend(*frame);
  tail_.push(frame);
  if (options_.sync) {
    synced_lsn_ = frame->last_lsn();
  } else if (unsynced_.empty() || unsynced_.back() != file_) {
    unsynced_.push_back(file_);
  }
}

Status Log::sync() {
  RETURN_IF_ERROR(writable());
  std::lock_guard sync_lock(sync_mutex_);
  std::vector<std::shared_ptr<File>> files;
  Lsn written;
  {
    std::lock_guard lock(mutex_);
    files.swap(unsynced_);
    written = readable_lsn_;
  }
  for (const auto& file : files) {
    if (Status status = file->sync(); !status) {
      failed_ = true;
      return status;
    }
  }
  std::lock_guard lock(mutex_);
  synced_lsn_ = std::max(synced_lsn_, written);
  return {};
}

std::vector<SegmentInfo> Log::segments() const {
  std::lock_guard lock(mutex_);
  std::vector<SegmentInfo> result;
  result.reserve(segments_.size());
  for (const auto& [name, segment] : segments_) {
    result.push_back({name, segment.last_lsn, segment.last_time_ms, segment.file_bytes,
                      segment.sealed, segment.header.rewrites()});
  }
  return result;
}

Lsn Log::first_retained_locked() const {
  return segments_.empty() ? readable_lsn_ + 1 : segments_.begin()->second.header.first_retained();
}

Lsn Log::first_retained_lsn() const {
  std::lock_guard lock(mutex_);
  return first_retained_locked();
}

Result<LogCheckpoint> Log::checkpoint_at(const FramePtr& last_applied) const {
  std::lock_guard lock(mutex_);
  if (!last_applied || segments_.empty() ||
      last_applied->last_lsn() > segments_.rbegin()->second.last_lsn) {
    return make_error(ErrorCode::kInternal, "a checkpoint needs a written frame");
  }
  return LogCheckpoint{last_applied->last_lsn(), last_applied->end_position(),
                       last_applied->checksum()};
}

Status Log::trim(Lsn lsn) {
  bool any = false;
  for (;; any = true) {
    decltype(segments_)::node_type first;
    {
      std::lock_guard lock(mutex_);
      if (segments_.size() < 2 || segments_.begin()->second.last_lsn >= lsn) break;
      first = segments_.extract(segments_.begin());
    }
    if (Status given = give_back(first.mapped()); !given) {
      // Its file is still there: forgetting it while later ones go would leave a gap in the chain,
      // which the next start takes for damage.
      std::lock_guard lock(mutex_);
      segments_.insert(std::move(first));
      return given;
    }
  }
  return any ? disk_.sync_folder(options_.folder) : Status{};
}

Status Log::give_back(const LogSegment& segment) {
  SegmentName name{segment.header.first_lsn, 0};
  // Of those that it has replaced one may be left that could not be removed then.
  for (; name.rewrites < segment.header.rewrites(); ++name.rewrites) {
    if (disk_.exists(path_of(name))) RETURN_IF_ERROR(disk_.remove(path_of(name)));
  }
  return spares_.give_back(path_of(name), segment.file_bytes);
}

Status Log::replace(LogSegment rewritten) {
  const Lsn name = rewritten.header.first_lsn;
  SegmentName old{name, rewritten.header.rewrites() - 1};
  uint64_t old_bytes = 0;
  bool being_read = false;
  {
    std::lock_guard lock(mutex_);
    LogSegment& segment = segments_.at(name);
    old_bytes = segment.file_bytes;
    being_read = !segment.file.expired();
    ++rewritten_.segments;
    rewritten_.bytes_before += old_bytes;
    rewritten_.bytes_after += rewritten.file_bytes;
    // Its frames in memory are at places that are no more.
    tail_.drop_through(segment.last_lsn);
    segment = std::move(rewritten);
  }
  // Who reads the old file goes on in it, so it does not become another segment.
  return being_read ? disk_.remove(path_of(old)) : spares_.give_back(path_of(old), old_bytes);
}

RewriteStatistics Log::rewrite_statistics() const {
  std::lock_guard lock(mutex_);
  return rewritten_;
}

Result<bool> Log::prepare_spare() { return spares_.prepare(); }

}  // namespace millrace
