#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/disk.h"
#include "core/base/result.h"

namespace millrace::cache {

// The store keys of what a cache held, in a file, so that the next run can read the items again. It
// holds no items: whatever it says, it cannot make a cache wrong.
//
// The file (persisted): `MLRHOT`, its version as two digits (`01`), then each key with its length
// as a varint before it, the hottest first, then xxh3_64 of all that as u64.

/// Collects keys by heat within a bound: beyond it the coldest are left out.
class HotSetBuilder {
 public:
  static constexpr uint8_t kHeatMax = 5;

  /// `bytes_max`: of the file.
  explicit HotSetBuilder(size_t bytes_max);
  /// Keys of one heat stay in the order in which they are added.
  void add(std::string_view key, uint8_t heat);
  std::string finish() const;

 private:
  const size_t keys_bytes_max_;
  size_t keys_bytes_ = 0;
  std::array<std::string, kHeatMax + 1> by_heat_;
};

/// The part of `file` that is keys, each with its length as a varint before it: what a ByteReader's
/// length_prefixed() reads. kCorruption if the file is damaged, is of another version or holds what
/// cannot be a user's store key.
Result<std::string_view> keys_of_hot_set(std::string_view file);

/// The largest file that is read.
inline constexpr size_t kHotSetBytesMax = 16u << 20;

/// Replaces the file at `path` as a whole. It is not synced: what a loss of power leaves behind is
/// told by its checksum.
Status save_hot_set(Disk& disk, const std::string& path, std::string_view file);
/// Empty if there is none. kCorruption if it is too large.
Result<std::string> load_hot_set(Disk& disk, const std::string& path);

}  // namespace millrace::cache
