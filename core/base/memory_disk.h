#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/base/disk.h"

namespace millrace {

/// A disk in memory, gone with the process, for test suites. Zeros that nobody overwrote take no
/// memory, so zero-filled segments cost nothing. Folders are implied by paths. A file that is open
/// lives on when its name is removed, as POSIX has it.
class MemoryDisk final : public Disk {
 public:
  /// `bytes_max`: of all content together; beyond it writes are kDiskFull.
  explicit MemoryDisk(uint64_t bytes_max);

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status create_folder(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<uint64_t> free_bytes(const std::string& folder) override;
  Result<uint64_t> used_bytes(const std::string& path) override;

 private:
  class Content;
  class OpenFile;
  struct Space;

  const std::shared_ptr<Space> space_;
  std::mutex mutex_;  // guards the names
  std::map<std::string, std::shared_ptr<Content>> files_;
  std::set<std::string> folders_;
};

}  // namespace millrace
