#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/disk.h"
#include "core/base/result.h"

namespace millrace {

/// The segment files that wait for use. A file whose blocks were written before needs no metadata
/// when it is written again, which makes a flush of it the cheapest there is. Thread-safe.
///
/// Files (persisted): `spare-N`, complete and durable in content; `unfinished-N`, removed at the
/// next start.
class SparePool {
 public:
  SparePool(Disk& disk, std::string folder, uint64_t segment_bytes, size_t wanted);

  /// Takes over the spares among the folder's `names` and removes what is unfinished or of another
  /// size.
  Status adopt(const std::vector<std::string>& names);

  /// A spare's path, no longer the pool's; none if there is none.
  std::optional<std::string> take();
  /// Makes a zero-filled file of `bytes` now and returns its path. After an error there is none.
  Result<std::string> create(uint64_t bytes, bool sync);
  /// A path for a file that is being made, which the next start removes.
  std::string unfinished_path();
  /// A few MB of zero-filling of the next spare if one is wanted and the disk has room for several.
  /// True if there is more to do.
  Result<bool> prepare();
  /// Keeps the file at `path`, whose content nobody needs, as a spare, or removes it.
  Status give_back(const std::string& path, uint64_t file_bytes);

 private:
  std::string path_of(const char* kind, uint64_t number) const;
  uint64_t take_number();

  Disk& disk_;
  const std::string folder_;
  const uint64_t segment_bytes_;
  const size_t wanted_;

  // One spare is being filled at a time.
  std::mutex filling_mutex_;
  std::unique_ptr<File> filling_;
  std::string filling_path_;
  uint64_t filled_bytes_ = 0;

  std::mutex mutex_;  // guards what follows; no disk access under it
  std::vector<std::string> ready_;
  uint64_t next_number_ = 1;
};

}  // namespace millrace
