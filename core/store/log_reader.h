#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/store/frame.h"

namespace millrace {

/// Reads the frames of one segment file one after the other, in chunks, so that sequential reading
/// is one system call a chunk. Not thread-safe.
class FrameReader {
 public:
  static constexpr size_t kChunkBytes = 256u << 10;

  /// Begins at `at`, which must be where a frame begins.
  FrameReader(std::shared_ptr<const File> file, LogPosition at) : file_(std::move(file)), at_(at) {}

  LogPosition position() const { return at_; }
  /// The frame at position(), and moves past it. Reads nothing at or beyond byte `limit`, which
  /// only rises from call to call. kCorruption if no whole frame is there, kIo if it cannot be
  /// known.
  Result<FramePtr> next(uint64_t limit);

 private:
  Status fill(size_t size, uint64_t limit);
  std::string_view ahead() const;

  std::shared_ptr<const File> file_;
  LogPosition at_;
  std::string buffer_;
  uint64_t buffer_start_ = 0;
};

}  // namespace millrace
