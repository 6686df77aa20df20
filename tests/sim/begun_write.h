#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "core/base/async_write.h"

namespace millrace {

/// For files of tests, which begin their writes themselves.
class BegunWrite final : public AsyncWrite {
 public:
  int ready_fd() const override { return -1; }
  bool begin(int, const char*, size_t, uint64_t) override { return false; }
  int64_t end() override { return -EIO; }
};

}  // namespace millrace
