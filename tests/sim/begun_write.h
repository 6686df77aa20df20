#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/async_write.h"
#include "core/base/disk.h"

namespace millrace {

/// For files of tests, which begin their writes themselves.
class BegunWrite final : public AsyncWrite {
 public:
  int ready_fd() const override { return -1; }
  bool begin(int, const char*, size_t, uint64_t) override { return false; }
  int64_t end() override { return -EIO; }
};

/// A file whose begun writes are its write() and its sync(), so that what those two meet (a fault, a
/// crash between them) these meet too.
class BeginningFile : public File {
 public:
  bool begin_durable_write(AsyncWrite&, uint64_t offset, std::string_view bytes) final {
    begun_ = write(offset, bytes);
    return true;
  }
  Status end_durable_write(AsyncWrite&) final {
    RETURN_IF_ERROR(begun_);
    return sync();
  }

 private:
  Status begun_;
};

}  // namespace millrace
