#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/disk.h"
#include "core/base/hash.h"
#include "core/base/result.h"

namespace millrace::cache {

// The store keys of what a cache held, in a file, so that the next run can read the items again. It
// holds no items: whatever it says, it cannot make a cache wrong.
//
// The file (persisted): `MLRHOT`, its version as two digits (`01`), then each key with its length
// as a varint before it, the hottest first, then xxh3_64 of all that as u64.

/// Collects keys by heat within a bound, beyond which the coldest are left out; then gives the file
/// piece by piece. What it holds is in such pieces too: new memory may be slow to come.
class HotSetBuilder {
 public:
  static constexpr uint8_t kHeatMax = 5;

  /// `bytes_max`: of the file.
  explicit HotSetBuilder(size_t bytes_max);
  /// Keys of one heat stay in the order in which they are added.
  void add(std::string_view key, uint8_t heat);
  /// The next piece of the file, 64 KB and a key at most; none: that was all. Behind the first one
  /// nothing may be added.
  std::optional<std::string> take();

 private:
  /// Of keys, the hottest first; empty: no more.
  std::string take_keys();

  const size_t keys_bytes_max_;
  size_t keys_bytes_ = 0;
  struct Keys {
    std::deque<std::string> pieces;
    size_t bytes = 0;
  };
  std::array<Keys, kHeatMax + 1> by_heat_;
  enum class Next : uint8_t { kMagic, kKeys, kNothing } next_ = Next::kMagic;
  Xxh3 checksum_;
};

/// The part of `file` that is keys, each with its length as a varint before it: what a ByteReader's
/// length_prefixed() reads. kCorruption if the file is damaged, is of another version or holds what
/// cannot be a user's store key.
Result<std::string_view> keys_of_hot_set(std::string_view file);

/// The largest file that is read.
inline constexpr size_t kHotSetBytesMax = 16u << 20;

/// Replaces the file at `path` as a whole, by pieces; until finish() it is the old one. It is not
/// synced: what a loss of power leaves behind is told by its checksum.
class HotSetFile {
 public:
  HotSetFile(Disk& disk, std::string path);
  /// An error ends it: what was written is removed.
  Status append(std::string_view piece);
  Status finish();

 private:
  Status open();

  Disk& disk_;
  const std::string path_;
  const std::string unfinished_;
  std::unique_ptr<File> file_;  // none: not opened yet
  uint64_t bytes_ = 0;
};

/// Empty if there is none. kCorruption if it is too large.
Result<std::string> load_hot_set(Disk& disk, const std::string& path);

}  // namespace millrace::cache
