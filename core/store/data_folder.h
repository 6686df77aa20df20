#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/disk.h"
#include "core/base/result.h"

namespace millrace {

/// What a data folder is given when it is created and then keeps, since names and tokens that
/// clients hold are made of it.
struct DataFolderIdentity {
  std::string region = "us-east-1";
  std::string account = "000000000000";
  /// 32 bytes: signs iterators.
  std::string iterator_key;
};

/// 32 bytes from the operating system that nobody can guess.
Result<std::string> new_iterator_key();

/// The folder that holds a node's data. Its file `FORMAT` (persisted) is text, one line each:
///
///   millrace-format 2
///   region REGION
///   account ACCOUNT
///   iterator-key HEX
///   partition-hash xxh3-64
///   checksum xxh3-64
///
/// Format 2 has tags in the headers of the log's frames, which who knows format 1 alone would take
/// for the log's end; a folder becomes of the newest format when it is opened.
class DataFolder {
 public:
  static constexpr int kFormat = 2;
  static constexpr size_t kIteratorKeyBytes = 32;

  /// Opens the folder, or creates it (with the folders above it) as `identity` says. kConfig, with
  /// a message for the operator, if it is of a newer format, holds something else, or is damaged.
  static Result<DataFolder> open(const std::string& path, Disk& disk,
                                 const DataFolderIdentity& identity);

  const std::string& path() const { return path_; }
  /// As fixed when the folder was created, whatever open() was given.
  const std::string& region() const { return identity_.region; }
  const std::string& account() const { return identity_.account; }
  const std::string& iterator_key() const { return identity_.iterator_key; }

 private:
  DataFolder(std::string path, DataFolderIdentity identity)
      : path_(std::move(path)), identity_(std::move(identity)) {}

  std::string path_;
  DataFolderIdentity identity_;
};

/// Keeps a second process off a data folder for as long as it lives, by flock on the file `LOCK`,
/// which holds the holder's process id.
class FolderLock {
 public:
  /// Creates the folder if need be. kConfig, naming the folder and the process that holds it, if
  /// one does; or if it holds something else, in which nothing is left then.
  static Result<FolderLock> acquire(const std::string& path);

  /// Of a folder that is only looked at: writes nothing, and needs no permission to. None if it has
  /// no file `LOCK`: no process has ever held it.
  static Result<std::optional<FolderLock>> acquire_to_look(const std::string& path);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace millrace
