#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/disk.h"
#include "core/base/random.h"
#include "tests/sim/history.h"

namespace millrace::sim {

/// A disk in memory that forgets, at a crash, what was not synced, as unkindly as real ones may:
///
/// - of a file each 4 KiB page that was written since its last sync is kept, lost, or torn between
/// 512-byte
///   sectors, independently of all others;
/// - of the creations, renames and removals since the last sync_folder a prefix is kept (file
/// systems
///   journal them in order); syncing a file does not make its name durable; sync_folder makes
///   durable what happened in that folder and all before it;
/// - after a sync that failed, the pages concerned read as written but are lost at the crash, and a
/// second
///   sync "succeeds" without them.
///
/// Files opened before a crash fail from then on. Thread-safe; depends on nothing but what is
/// called.
class SimDisk final : public Disk {
 public:
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kSectorBytes = 512;

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  /// A file, or an empty folder.
  Status remove(const std::string& path) override;
  Status create_folder(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<uint64_t> free_bytes(const std::string& folder) override;
  Result<uint64_t> used_bytes(const std::string& path) override;

  /// Power fails and comes back.
  void crash(Random& random);

  // Faults.
  void fail_next_sync() {
    with_lock([this] { fail_sync_ = true; });
  }
  /// Faults that were asked for and have not come do not come any more.
  void forget_faults() {
    with_lock([this] { fail_sync_ = fail_write_ = fail_read_ = false; });
  }
  void fail_next_write() {
    with_lock([this] { fail_write_ = true; });
  }
  void fail_next_read() {
    with_lock([this] { fail_read_ = true; });
  }
  /// Bytes that all files together may have; a write beyond writes what fits and is kDiskFull.
  void set_capacity(std::optional<uint64_t> bytes) {
    with_lock([this, bytes] { capacity_ = bytes; });
  }
  /// The power fails within the n-th write, sync or change of a folder from now on (0: the next
  /// one): that one and all after it return an error until crash(), and of what it was to do any
  /// part may have happened. None: it does not fail, if it has not yet.
  void lose_power_after(std::optional<uint64_t> operations) {
    with_lock([this, operations] { operations_left_ = operations; });
  }
  bool power_lost() const;

  // For looking and for damaging; what is put there is durable.
  std::string content(const std::string& path) const;
  void set_content(const std::string& path, std::string content);
  uint64_t syncs() const;
  /// Of every read, write, sync and change of a folder so far.
  uint64_t history() const;

 private:
  friend class SimFile;

  struct Inode {
    std::string current;
    std::string durable;
    std::set<uint64_t> dirty_pages;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // no inode: a folder
  static Names roots() { return {{"/", nullptr}, {".", nullptr}}; }
  struct Change {
    enum class Kind { kCreate, kRename, kRemove } kind;
    std::string path;
    std::string target;            // of a rename
    std::shared_ptr<Inode> inode;  // of a creation
  };

  template <typename F>
  void with_lock(F action) {
    std::lock_guard lock(mutex_);
    action();
  }
  // Called with the mutex held.
  Status begin_operation(const char* what, const std::string& path);
  uint64_t used_by(const std::string& path) const;
  static void apply(const Change& change, Names& names);
  void make_durable(size_t changes);
  static void settle(Inode& inode, Random& random);
  Status read(const Inode& inode, const std::string& path, uint64_t epoch, uint64_t offset,
              size_t size, std::string& out);
  Status write(Inode& inode, const std::string& path, uint64_t epoch, uint64_t offset,
               std::string_view bytes);
  Status sync(Inode& inode, const std::string& path, uint64_t epoch);

  mutable std::mutex mutex_;
  Names names_ = roots();
  Names durable_names_ = roots();
  std::vector<Change> journal_;  // leads from durable_names_ to names_
  uint64_t epoch_ = 0;           // counts crashes
  uint64_t bytes_ = 0;
  uint64_t syncs_ = 0;
  History history_;
  bool fail_sync_ = false;
  bool fail_write_ = false;
  bool fail_read_ = false;
  bool power_lost_ = false;
  std::optional<uint64_t> capacity_;
  std::optional<uint64_t> operations_left_;
};

}  // namespace millrace::sim
