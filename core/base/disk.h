#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace millrace {

class AsyncWrite;

/// A file opened for reading and writing at offsets. Reads may run on any thread beside one writer.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `size` bytes at `offset` into `out`, replacing its content; shorter only at the
  /// end of the file.
  virtual Status read(uint64_t offset, size_t size, std::string& out) const = 0;
  /// Writes all of `bytes` at `offset`, extending the file if needed. Not durable before sync().
  /// kDiskFull if there is no room: then any part of `bytes` may have been written.
  virtual Status write(uint64_t offset, std::string_view bytes) = 0;
  /// When this returns success, everything written before is durable. After a failure nothing may
  /// be assumed about any of it, and trying again proves nothing (the kernel may have dropped the
  /// pages).
  virtual Status sync() = 0;
  /// Begins what write() and sync() do, by `write`, without waiting for the disk. False: nothing
  /// has begun, and write() and sync() it is. Until it has ended nothing else is written.
  virtual bool begin_durable_write(AsyncWrite& write, uint64_t offset, std::string_view bytes);
  /// Ends it, waiting if it is not done: an error as of write(), or else as of sync() but never
  /// kDiskFull.
  virtual Status end_durable_write(AsyncWrite& write);
  /// Hands this part of what was written on to the disk, and waits until it is there: a sync() that
  /// comes later has less to do. Makes nothing durable and tells of no failure; sync() does.
  virtual void write_back(uint64_t offset, uint64_t bytes);
  virtual Result<uint64_t> size() const = 0;
};

/// The disk under the log, the seam at which tests inject faults and the simulator loses what was
/// not synced. LevelDB's seam is leveldb::Env. Thread-safe.
class Disk {
 public:
  virtual ~Disk() = default;
  /// Opens `path`; creates it, empty, if `create` and it does not exist.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, bool create) = 0;
  /// The same for a file that is written from the front to the back and synced after nearly every
  /// write: past the page cache, which would only cost a copy and a page each time. One thread
  /// writes. What follows written bytes within their block of 4 KiB becomes zero.
  virtual Result<std::unique_ptr<File>> open_direct(const std::string& path, bool create) {
    return open(path, create);
  }
  /// Names, not paths, of the entries of a folder, in no order.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  /// The same for a large file that nobody reads any more. File systems that discard what a file
  /// held do so at once, and whatever is written meanwhile waits: so it goes in parts, from the end
  /// on. If the system goes down meanwhile some of them are left.
  virtual Status remove_in_parts(const std::string& path) { return remove(path); }
  virtual Status create_folder(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  /// Makes creations, renames and removals in `folder` durable.
  virtual Status sync_folder(const std::string& folder) = 0;
  /// Bytes that new files in `folder` could take now.
  virtual Result<uint64_t> free_bytes(const std::string& folder) = 0;
  /// Bytes that the entry at `path` takes, or if it is a folder its entries together. What
  /// disappears meanwhile counts as nothing.
  virtual Result<uint64_t> used_bytes(const std::string& path) = 0;
};

/// What errno says about a failed call: kDiskFull or kIo.
Error disk_error(const std::string& what, const std::string& path);

/// The operating system's disk.
class PosixDisk final : public Disk {
 public:
  /// `read_only`: files are opened for reading, so that a folder of another user or on a medium
  /// that cannot be written can be looked at.
  explicit PosixDisk(bool read_only = false) : read_only_(read_only) {}

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override;
  Result<std::unique_ptr<File>> open_direct(const std::string& path, bool create) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_in_parts(const std::string& path) override;
  Status create_folder(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<uint64_t> free_bytes(const std::string& folder) override;
  Result<uint64_t> used_bytes(const std::string& path) override;

 private:
  const bool read_only_;
};

}  // namespace millrace
