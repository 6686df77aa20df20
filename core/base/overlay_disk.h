#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/disk.h"

namespace millrace {

/// Another disk as if it could be changed: what is written, renamed or removed is kept in memory
/// and seen by later reads, and the disk below stays as it is. With it the very code that recovers
/// a data folder can say what it would do.
class OverlayDisk final : public Disk {
 public:
  /// `below` outlives it, and is only read.
  explicit OverlayDisk(Disk& below) : below_(below) {}

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status create_folder(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<uint64_t> free_bytes(const std::string& folder) override {
    return below_.free_bytes(folder);
  }
  Result<uint64_t> used_bytes(const std::string& path) override { return below_.used_bytes(path); }

 private:
  class Content;
  class OpenFile;
  Result<std::shared_ptr<Content>> content_locked(const std::string& path);
  bool exists_locked(const std::string& path);

  Disk& below_;
  std::mutex mutex_;  // guards the names
  /// What was opened or changed here; null: removed.
  std::map<std::string, std::shared_ptr<Content>> changed_;
};

}  // namespace millrace
