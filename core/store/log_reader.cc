#include "core/store/log_reader.h"

#include <algorithm>

namespace millrace {

std::string_view FrameReader::ahead() const {
  const uint64_t skip = at_.offset - buffer_start_;
  if (at_.offset < buffer_start_ || skip >= buffer_.size()) return {};
  return std::string_view(buffer_).substr(skip);
}

Status FrameReader::fill(size_t size, uint64_t limit) {
  if (ahead().size() >= size) return {};
  if (at_.offset >= limit || limit - at_.offset < size) {
    return make_error(ErrorCode::kCorruption, "not a log frame: cut short");
  }
  const size_t wanted = std::min<uint64_t>(std::max(size, kChunkBytes), limit - at_.offset);
  // One large frame must not make every later chunk keep its memory.
  if (buffer_.capacity() > 4 * kChunkBytes) buffer_ = std::string();
  buffer_start_ = at_.offset;
  if (Status status = file_->read(at_.offset, wanted, buffer_); !status) {
    buffer_.clear();
    return status;
  }
  if (buffer_.size() < size) {
    return make_error(ErrorCode::kCorruption, "not a log frame: the file ends within it");
  }
  return {};
}

Result<FramePtr> FrameReader::next(uint64_t limit) {
  RETURN_IF_ERROR(fill(Frame::kHeaderBytes, limit));
  ASSIGN_OR_RETURN(const size_t size, Frame::size_of(ahead()));
  RETURN_IF_ERROR(fill(size, limit));
  ASSIGN_OR_RETURN(FramePtr frame, Frame::parse(std::string(ahead().substr(0, size)), at_));
  at_ = frame->end_position();
  return frame;
}

}  // namespace millrace
