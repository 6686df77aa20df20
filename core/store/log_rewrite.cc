#include "core/store/log_rewrite.h"

#include <utility>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

/// Read in one step: some milliseconds, for which a flush of the log may have to wait on the disk.
constexpr uint64_t kStepBytes = 1u << 20;
/// Output is written in pieces of about this size.
constexpr size_t kWriteBytes = 256u << 10;

/// No store key is shorter than its generation.
uint64_t generation_of(const ChangeView& change) {
  return change.key.size() < 8 ? 0 : get_big_endian64(change.key.data());
}

}  // namespace

Result<std::unique_ptr<SegmentRewrite>> SegmentRewrite::begin(Log& log, Lsn segment, Lsn below,
                                                              NeededChange needed) {
  LogSegment source;
  uint64_t checksum = 0;
  std::shared_ptr<const File> file;
  {
    std::lock_guard lock(log.mutex_);
    auto found = log.segments_.find(segment);
    if (found == log.segments_.end()) return std::unique_ptr<SegmentRewrite>();
    auto next = std::next(found);
    // Recovery reads the checkpoint's segment from its start.
    if (next == log.segments_.end() || next->first > below) {
      return std::unique_ptr<SegmentRewrite>();
    }
    source.header = found->second.header;
    source.last_lsn = found->second.last_lsn;
    source.last_time_ms = found->second.last_time_ms;
    source.end = found->second.end;
    source.file_bytes = found->second.file_bytes;
    checksum = next->second.header.previous_checksum;
    file = found->second.file.lock();
  }
  if (!file) {
    ASSIGN_OR_RETURN(file, log.open_for_reading({segment, source.header.rewrites()}));
  }
  return std::unique_ptr<SegmentRewrite>(
      new SegmentRewrite(log, std::move(source), checksum, std::move(file), std::move(needed)));
}

SegmentRewrite::SegmentRewrite(Log& log, LogSegment source, uint64_t source_checksum,
                               std::shared_ptr<const File> file, NeededChange needed)
    : log_(log),
      source_(std::move(source)),
      source_checksum_(source_checksum),
      source_file_(std::move(file)),
      needed_(std::move(needed)),
      path_(log.spares_.unfinished_path()),
      last_checksum_(source_.header.previous_checksum) {
  read_from_start();
}

SegmentRewrite::~SegmentRewrite() {
  if (!file_) return;
  file_.reset();
  // If this fails the next start removes it.
  static_cast<void>(log_.disk_.remove(path_));
}

void SegmentRewrite::read_from_start() {
  reader_.emplace(source_file_, source_.header.first_frame());
  read_through_ = 0;
  read_checksum_ = source_.header.previous_checksum;
}

// Of a segment that was sealed before this start it is not known at which byte its frames end.
bool SegmentRewrite::at_end() const {
  return source_.header.rewritten ? reader_->position().offset == source_.end
                                  : read_through_ == source_.last_lsn;
}

Result<FramePtr> SegmentRewrite::next_frame() {
  const LogPosition at = reader_->position();
  auto frame = reader_->next(source_.end);
  if (!frame) return log_.reading_failed(at, frame.error());
  if ((*frame)->previous_checksum() != read_checksum_) {
    return log_.reading_failed(
        at, make_error(ErrorCode::kCorruption, "a frame that does not follow the one before"));
  }
  read_checksum_ = (*frame)->checksum();
  read_through_ = (*frame)->last_lsn();
  return frame;
}

Result<bool> SegmentRewrite::step() {
  {
    std::lock_guard lock(log_.mutex_);
    if (!log_.segments_.contains(segment())) return false;  // trimmed meanwhile
  }
  const uint64_t begin = reader_->position().offset;
  while (!at_end() && reader_->position().offset < begin + kStepBytes) {
    ASSIGN_OR_RETURN(const FramePtr frame, next_frame());
    if (weighed_) {
      RETURN_IF_ERROR(copy(*frame));
    } else if (!weigh(*frame)) {
      return false;
    }
  }
  if (!at_end()) {
    RETURN_IF_ERROR(write_out());
    return true;
  }
  if (weighed_) {
    RETURN_IF_ERROR(finish());
    return false;
  }
  weighed_ = true;
  read_from_start();
  return size_after_ <= source_.file_bytes / 2;
}

/// False if too much is needed.
bool SegmentRewrite::weigh(const Frame& frame) {
  for (const EntryView& entry : frame) {
    if (is_needed(entry)) size_after_ += Frame::kHeaderBytes + entry.encoded().size();
  }
  return size_after_ <= source_.file_bytes / 2;
}

Status SegmentRewrite::copy(const Frame& frame) {
  std::optional<FrameBuilder> run;
  for (const EntryView& entry : frame) {
    if (is_needed(entry)) {
      if (!run) run.emplace(entry.first_lsn());
      run->add_entry(entry);
      continue;
    }
    note_left_out(entry);
    if (run) RETURN_IF_ERROR(add(*std::exchange(run, std::nullopt), frame.durable_lsn()));
  }
  return run ? add(*std::move(run), frame.durable_lsn()) : Status{};
}

bool SegmentRewrite::is_needed(const EntryView& entry) const {
  for (const ChangeView& change : entry) {
    if (needed_(generation_of(change), change.lsn)) return true;
  }
  return false;
}

void SegmentRewrite::note_left_out(const EntryView& entry) {
  for (const ChangeView& change : entry) left_out_[generation_of(change)] = change.lsn;
}

Status SegmentRewrite::add(FrameBuilder&& run, Lsn durable_lsn) {
  const LogPosition position{source_.header.first_lsn, written_ + buffer_.size(),
                             source_.header.rewrites() + 1};
  const FramePtr frame = std::move(run).finish(durable_lsn, last_checksum_, position);
  last_checksum_ = frame->checksum();
  buffer_ += frame->bytes();
  return buffer_.size() < kWriteBytes ? Status{} : write_out();
}

Status SegmentRewrite::write_out() {
  if (buffer_.empty()) return {};
  if (!file_) {
    ASSIGN_OR_RETURN(file_, log_.disk_.open_direct(path_, true));
  }
  RETURN_IF_ERROR(file_->write(written_, buffer_));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status SegmentRewrite::finish() {
  const SegmentRewritten* before = source_.header.rewritten ? &*source_.header.rewritten : nullptr;
  if (read_checksum_ != (before ? before->end_checksum : source_checksum_)) {
    return log_.reading_failed(
        reader_->position(),
        make_error(ErrorCode::kCorruption, "the last frame is not the segment's last"));
  }
  LogSegment segment;
  segment.header = source_.header;
  segment.last_lsn = source_.last_lsn;
  segment.last_time_ms = source_.last_time_ms;
  segment.sealed = true;
  segment.end = written_ + buffer_.size();
  if (before) {
    ASSIGN_OR_RETURN(const auto list, log_.left_out_of(source_.header.first_lsn));
    for (const LeftOut& left_out : list) {
      Lsn& last = left_out_[left_out.generation];
      last = std::max(last, left_out.last_lsn);
    }
  }
  std::vector<LeftOut> list;
  for (const auto& [generation, last_lsn] : left_out_) list.push_back({generation, last_lsn});
  const std::string left_out = encode_left_out(list);
  segment.header.rewritten = SegmentRewritten{source_.header.rewrites() + 1,
                                              source_.last_lsn,
                                              source_checksum_,
                                              source_.last_time_ms,
                                              segment.end,
                                              last_checksum_,
                                              list.size(),
                                              xxh3_64(left_out)};
  buffer_ += left_out;
  RETURN_IF_ERROR(write_out());
  if (!file_) {
    ASSIGN_OR_RETURN(file_, log_.disk_.open_direct(path_, true));
  }
  RETURN_IF_ERROR(file_->write(0, segment.header.encode()));
  RETURN_IF_ERROR(file_->sync());
  ASSIGN_OR_RETURN(segment.file_bytes, file_->size());

  // No reader enters a file whose name a crash could take back.
  const SegmentName name{segment.header.first_lsn, segment.header.rewrites()};
  RETURN_IF_ERROR(log_.disk_.rename(path_, log_.path_of(name)));
  path_ = log_.path_of(name);
  RETURN_IF_ERROR(log_.disk_.sync_folder(log_.options_.folder));
  file_.reset();
  return log_.replace(std::move(segment));
}

Result<bool> LogRewriter::step(const std::function<LogNeeds()>& needs) {
  if (!rewrite_) {
    ASSIGN_OR_RETURN(rewrite_, next(needs()));
    if (!rewrite_) return false;
  }
  Result<bool> more = rewrite_->step();
  if (more && *more) return true;
  const Lsn segment = rewrite_->segment();
  rewrite_.reset();
  if (more) return true;  // perhaps another one
  const ErrorCode code = more.error().code;
  if (code == ErrorCode::kTrimmed) return true;
  // Reading a damaged segment again would not mend it.
  if (code != ErrorCode::kCorruption) to_look_at_.insert(segment);
  return more;
}

Result<std::unique_ptr<SegmentRewrite>> LogRewriter::next(const LogNeeds& needs) {
  const std::vector<SegmentInfo> segments = log_.segments();
  if (segments.empty()) return std::unique_ptr<SegmentRewrite>();
  to_look_at_.erase(to_look_at_.begin(), to_look_at_.lower_bound(segments.front().first_lsn));
  for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].first_lsn <= needs.below; ++i) {
    const SegmentInfo& segment = segments[i];
    const bool settled = segment.last_lsn < needs.settled;
    if (segment.last_lsn <= looked_through_) {
      if (!settled || to_look_at_.erase(segment.first_lsn) == 0) continue;
    } else {
      looked_through_ = segment.last_lsn;
      if (!settled) to_look_at_.insert(segment.first_lsn);
      if (segment.rewrites > 0) continue;
    }
    auto rewrite = SegmentRewrite::begin(log_, segment.first_lsn, needs.below, needs.needed);
    if (!rewrite || *rewrite) return rewrite;
  }
  return std::unique_ptr<SegmentRewrite>();
}

}  // namespace millrace
