#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace {

/// One write at a time that is made and made durable while its thread goes on with other work:
/// Linux's asynchronous I/O with RWF_DSYNC (io_submit(2)), which not all file systems heed. Used by
/// one thread at a time.
class AsyncWrite {
 public:
  /// Null where the system has none: old kernels, or a container that forbids it.
  static std::unique_ptr<AsyncWrite> create();
  virtual ~AsyncWrite() = default;  // waits for what is under way

  /// Readable once the write that was begun is done. (If its end was taken before, it may be so
  /// during the next one.)
  virtual int ready_fd() const = 0;
  /// `bytes` stay as they are until end(). False: the system does not take it, and nothing has
  /// been done.
  virtual bool begin(int file, const char* bytes, size_t size, uint64_t offset) = 0;
  /// Waits until it is done. The number of bytes that are durable, from the first on, or -errno.
  virtual int64_t end() = 0;
};

}  // namespace millrace
