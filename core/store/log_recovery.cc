#include "core/store/log_recovery.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

/// Bytes looked through at once for a later frame.
constexpr size_t kSearchBytes = 1u << 20;

constexpr const char* kWayOut =
    "Restore the data folder from a copy, or move it away and start with an empty one.";

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

LogRecovery::LogRecovery(Disk& disk, std::string folder, std::optional<LogCheckpoint> checkpoint,
                         const LogReplay& replay)
    : disk_(disk), folder_(std::move(folder)), checkpoint_(checkpoint), replay_(replay) {}

std::string LogRecovery::path_of(size_t index) const {
  return folder_ + "/" + segment_file_name(names_[index].first_lsn, names_[index].rewrites);
}

Error LogRecovery::damage(size_t index, uint64_t offset, const std::string& what) const {
  return make_error(ErrorCode::kCorruption, "the change log is damaged: " + path_of(index) +
                                                " at byte " + std::to_string(offset) + ": " + what +
                                                ". " + kWayOut);
}

Status LogRecovery::run(const std::vector<std::string>& names) {
  std::vector<SegmentName> found;
  for (const std::string& name : names) {
    if (auto segment = segment_of_file_name(name)) found.push_back(*segment);
  }
  std::sort(found.begin(), found.end());
  for (const SegmentName& name : found) {
    // A rewritten segment was whole on disk before it had its name.
    if (!names_.empty() && names_.back().first_lsn == name.first_lsn) {
      replaced.push_back(path_of(names_.size() - 1));
      names_.pop_back();
    }
    names_.push_back(name);
  }
  if (names_.empty()) {
    if (!checkpoint_) return {};
    return make_error(ErrorCode::kCorruption,
                      "the change log is missing: " + folder_ +
                          " holds no segment, but the tables hold changes up to LSN " +
                          std::to_string(checkpoint_->lsn) + ". " + kWayOut);
  }
  ASSIGN_OR_RETURN(const size_t first, first_to_read());
  ASSIGN_OR_RETURN(const Cut cut, read_from(first));
  RETURN_IF_ERROR(refuse_if_damaged(cut));
  if (checkpoint_ && (!checkpoint_reached_ || segments.empty())) {
    return damage(cut.index, cut.offset,
                  "the log ends with LSN " + std::to_string(next_lsn_ - 1) +
                      ", but the tables hold changes up to LSN " +
                      std::to_string(checkpoint_->lsn));
  }
  for (size_t i = segments.size(); i < names_.size(); ++i) {
    ASSIGN_OR_RETURN(const SegmentFile leftover, load(i));
    leftovers.push_back({path_of(i), leftover.size});
  }
  return make_lasting();
}

Result<LogRecovery::SegmentFile> LogRecovery::load(size_t index) {
  SegmentFile segment;
  segment.first_lsn = names_[index].first_lsn;
  ASSIGN_OR_RETURN(segment.file, disk_.open(path_of(index), false));
  ASSIGN_OR_RETURN(segment.size, segment.file->size());
  std::string bytes;
  RETURN_IF_ERROR(segment.file->read(0, SegmentHeader::kRewrittenBytes, bytes));
  auto header = SegmentHeader::decode(bytes);
  if (header && SegmentName{header->first_lsn, header->rewrites()} == names_[index]) {
    segment.header = *header;
  }
  if (!header && header.error().code == ErrorCode::kConfig) {
    return make_error(ErrorCode::kConfig, path_of(index) + " " + header.error().message);
  }
  return segment;
}

Result<size_t> LogRecovery::first_to_read() {
  if (!checkpoint_) return size_t{0};
  const LogCheckpoint& checkpoint = *checkpoint_;
  auto found =
      std::lower_bound(names_.begin(), names_.end(), SegmentName{checkpoint.position.segment, 0});
  if (found != names_.end() && found->first_lsn == checkpoint.position.segment) {
    return static_cast<size_t>(found - names_.begin());
  }
  // The segment whose end the checkpoint names may have been trimmed: then the next one says so.
  ASSIGN_OR_RETURN(const SegmentFile first, load(0));
  if (first.header && first.header->previous_segment == checkpoint.position.segment &&
      first.header->previous_lsn == checkpoint.lsn &&
      first.header->previous_checksum == checkpoint.previous_checksum) {
    checkpoint_reached_ = true;
    return size_t{0};
  }
  return make_error(ErrorCode::kCorruption, "the change log is damaged: " + folder_ + "/" +
                                                segment_file_name(checkpoint.position.segment) +
                                                ", at whose byte " +
                                                std::to_string(checkpoint.position.offset) +
                                                " recovery is to begin, is missing. " + kWayOut);
}

// Segments before the one where reading begins are known from headers alone.
Status LogRecovery::keep_segments_before(size_t index, const SegmentHeader& successor) {
  for (size_t i = 0; i < index; ++i) {
    ASSIGN_OR_RETURN(const SegmentFile file, load(i));
    if (!file.header) return damage(i, 0, "the segment's header is damaged");
    if (i > 0 && file.header->previous_segment != names_[i - 1].first_lsn) {
      return damage(i, 0,
                    "the segment before it, " + segment_file_name(file.header->previous_segment) +
                        ", is missing");
    }
    LogSegment segment;
    segment.header = *file.header;
    segment.end = segment.file_bytes = file.size;
    if (file.header->rewritten) {
      segment.end = file.header->rewritten->end;
      if (segment.end > file.size) return damage(i, file.size, "the file ends too early");
    }
    segment.sealed = true;
    segments.push_back(std::move(segment));
  }
  for (size_t i = 0; i < index; ++i) {
    const SegmentHeader& next = i + 1 < index ? segments[i + 1].header : successor;
    segments[i].last_lsn = next.previous_lsn;
    segments[i].last_time_ms = next.previous_time_ms;
    const auto& rewritten = segments[i].header.rewritten;
    if (rewritten && (rewritten->last_lsn != next.previous_lsn ||
                      rewritten->last_checksum != next.previous_checksum)) {
      return damage(i, 0, "the segment after it follows another one");
    }
  }
  if (index > 0 && successor.previous_segment != names_[index - 1].first_lsn) {
    return damage(
        index, 0,
        "the segment before it, " + segment_file_name(successor.previous_segment) + ", is missing");
  }
  return {};
}

Result<LogRecovery::Cut> LogRecovery::read_from(size_t index) {
  ASSIGN_OR_RETURN(SegmentFile segment, load(index));
  if (!segment.header) {
    if (checkpoint_) return damage(index, 0, "the segment's header is damaged");
    next_lsn_ = segment.first_lsn;
    return Cut{index, 0};
  }
  if (!checkpoint_ && segment.header->previous_segment != 0) {
    return damage(index, 0, "the log begins here, but no checkpoint holds what came before");
  }
  RETURN_IF_ERROR(keep_segments_before(index, *segment.header));
  last_checksum = segment.header->previous_checksum;
  next_lsn_ = segment.header->first_retained();
  for (;; ++index) {
    if (segment.header->rewritten) {
      return damage(index, 0, "a segment that recovery is to read was rewritten");
    }
    LogSegment& read = segments.emplace_back();
    read.header = *segment.header;
    read.end = SegmentHeader::kBytes;
    read.file_bytes = segment.size;
    ASSIGN_OR_RETURN(const bool any_frame, read_segment(segment));
    if (!any_frame) {
      segments.pop_back();
      // The segment before it is the open one again.
      if (!segments.empty()) segments.back().sealed = false;
      return Cut{index, SegmentHeader::kBytes};
    }
    open_file = segment.file;
    const Cut end_of_segment{index, segments.back().end};
    if (index + 1 == names_.size()) return end_of_segment;
    ASSIGN_OR_RETURN(segment, load(index + 1));
    if (!segment.header) return Cut{index + 1, 0};
    if (segment.header->previous_segment != names_[index].first_lsn ||
        segment.header->previous_checksum != last_checksum) {
      return end_of_segment;
    }
    segments.back().sealed = true;
  }
}

Result<bool> LogRecovery::read_segment(SegmentFile& segment) {
  FrameReader reader(segment.file, {segment.first_lsn, SegmentHeader::kBytes});
  bool any = false;
  for (;;) {
    auto frame = reader.next(segment.size);
    if (!frame && frame.error().code != ErrorCode::kCorruption) return std::move(frame).error();
    if (!frame || (*frame)->previous_checksum() != last_checksum ||
        (*frame)->first_lsn() < next_lsn_) {
      return any;
    }
    any = true;
    RETURN_IF_ERROR(accept(*frame));
  }
}

Status LogRecovery::accept(const FramePtr& frame) {
  segments.back().extend(*frame);
  last_checksum = frame->checksum();
  next_lsn_ = frame->last_lsn() + 1;
  unproven_.push_back(
      {segments.size() - 1, frame->position().offset, frame->size(), frame->last_lsn()});
  while (unproven_.front().last_lsn <= frame->durable_lsn()) unproven_.pop_front();

  const Lsn applied = checkpoint_ ? checkpoint_->lsn : 0;
  if (frame->last_lsn() < applied) return {};
  if (frame->last_lsn() == applied && frame->checksum() == checkpoint_->previous_checksum &&
      frame->end_position() == checkpoint_->position) {
    checkpoint_reached_ = true;
    return {};
  }
  if (checkpoint_ && !checkpoint_reached_) {
    return damage(segments.size() - 1, frame->position().offset,
                  "this is not the log that the tables' checkpoint at LSN " +
                      std::to_string(applied) + " was taken of");
  }
  return replay_(frame, [this] { return write_unproven_again(); });
}

// Frames that were cut off by earlier recoveries, and leftovers of recycled segments, are no
// evidence: when they were written, less was durable than the log holds now.
Status LogRecovery::refuse_if_damaged(Cut cut) {
  for (size_t i = cut.index; i < names_.size(); ++i) {
    ASSIGN_OR_RETURN(const auto evidence, evidence_in(i, i == cut.index ? cut.offset : 0));
    if (evidence) {
      return damage(cut.index, cut.offset,
                    "no whole frame with LSN " + std::to_string(next_lsn_) +
                        " is here, but the frame at byte " + std::to_string(*evidence) + " of " +
                        path_of(i) + " says that it was durable");
    }
  }
  if (cut.offset > 0) return {};
  // A header and a first frame are written together, and a torn write loses whole sectors: the
  // header, being in the first, is never lost alone.
  ASSIGN_OR_RETURN(const SegmentFile segment, load(cut.index));
  FrameReader reader(segment.file, {segment.first_lsn, SegmentHeader::kBytes});
  auto first = reader.next(segment.size);
  if (first && (*first)->previous_checksum() == last_checksum &&
      (*first)->first_lsn() >= next_lsn_) {
    return damage(cut.index, 0, "the segment's header is damaged");
  }
  return {};
}

/// Where from byte `from` on a frame is that says that the next LSN was durable. Leftovers of
/// recycled segments are of lower LSNs.
Result<std::optional<uint64_t>> LogRecovery::evidence_in(size_t index, uint64_t from) {
  ASSIGN_OR_RETURN(const SegmentFile segment, load(index));
  // Items are written by clients: one full of made-up headers must not make a start take hours.
  // Frames do not overlap, and a tag is right by chance once in 65,536 times. Without one anybody
  // can make them up: beyond the budget they say nothing.
  uint64_t tagged_budget = 64 * segment.size;
  uint64_t untagged_budget = tagged_budget;
  std::string chunk;
  std::string bytes;
  while (from < segment.size) {
    RETURN_IF_ERROR(segment.file->read(from, kSearchBytes + Frame::kHeaderBytes, chunk));
    for (size_t at = chunk.find(Frame::kMagic); at < kSearchBytes && at != std::string::npos;
         at = chunk.find(Frame::kMagic, at + 1)) {
      const uint64_t offset = from + at;
      const LogPosition position{segment.first_lsn, offset};
      const std::string_view candidate = std::string_view(chunk).substr(at);
      const auto header = FrameHeader::decode(candidate);
      if (!header || header->first_lsn < next_lsn_) continue;
      const bool tagged = header->tag != 0;
      if (tagged && header->tag != FrameHeader::tag_at(position, candidate)) continue;
      const size_t size = Frame::kHeaderBytes + header->payload_bytes;
      if (size > segment.size - offset) continue;
      uint64_t& budget = tagged ? tagged_budget : untagged_budget;
      if (size > budget) {
        if (!tagged) continue;
        return damage(index, offset, "too many broken frames to tell what was durable");
      }
      budget -= size;
      RETURN_IF_ERROR(segment.file->read(offset, size, bytes));
      if (!Frame::parse(bytes, position)) continue;
      if (header->durable_lsn >= next_lsn_) return std::optional(offset);
      cut_frames_.push_back({index, offset});
    }
    from += kSearchBytes;
  }
  return std::optional<uint64_t>();
}

Status LogRecovery::make_lasting() {
  RETURN_IF_ERROR(write_unproven_again());
  return void_what_was_cut();
}

// What was read may be in the page cache only, left there by a flush that failed; writing it again
// makes the next sync say something about it.
Status LogRecovery::write_unproven_again() {
  std::string bytes;
  while (!unproven_.empty()) {
    const size_t index = unproven_.front().segment;
    ASSIGN_OR_RETURN(const std::shared_ptr<File> file, disk_.open(path_of(index), false));
    for (; !unproven_.empty() && unproven_.front().segment == index; unproven_.pop_front()) {
      const Unproven& frame = unproven_.front();
      const bool first = frame.offset == SegmentHeader::kBytes;
      const uint64_t offset = first ? 0 : frame.offset;
      const size_t size = frame.size + (frame.offset - offset);
      RETURN_IF_ERROR(file->read(offset, size, bytes));
      if (bytes.size() != size) return damage(index, offset, "the file has become shorter");
      RETURN_IF_ERROR(file->write(offset, bytes));
    }
    RETURN_IF_ERROR(file->sync());
  }
  return {};
}

// What was cut off shall not be judged anew at the next start, nor become the successor of a frame
// that is by chance, byte for byte, the one it followed.
Status LogRecovery::void_what_was_cut() {
  std::string bytes;
  if (!segments.empty()) {
    const uint64_t end = segments.back().end;
    RETURN_IF_ERROR(open_file->read(end, Frame::kHeaderBytes, bytes));
    if (!all_zero(bytes)) {
      RETURN_IF_ERROR(open_file->write(end, std::string(bytes.size(), '\0')));
      RETURN_IF_ERROR(open_file->sync());
    }
  }
  std::shared_ptr<File> file;
  size_t open_index = names_.size();
  for (const Cut& frame : cut_frames_) {
    if (frame.index != open_index) {
      if (file) RETURN_IF_ERROR(file->sync());
      ASSIGN_OR_RETURN(file, disk_.open(path_of(frame.index), false));
      open_index = frame.index;
    }
    RETURN_IF_ERROR(file->write(frame.offset, std::string(Frame::kHeaderBytes, '\0')));
  }
  if (file) RETURN_IF_ERROR(file->sync());
  return {};
}

}  // namespace millrace
