#pragma once

#include <memory>
#include <string>

#include "core/base/disk.h"
#include "core/base/result.h"

namespace millrace {

/// What a direct file's writes are made of.
inline constexpr size_t kDirectBlockBytes = 4096;

/// Disk::open_direct of the operating system's disk: O_DIRECT where the file system has it.
Result<std::unique_ptr<File>> open_direct_file(const std::string& path, bool create);

}  // namespace millrace
