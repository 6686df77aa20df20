#include "core/store/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace millrace {
namespace {

// Persisted.
constexpr std::string_view kFormatKey = "millrace-format";
constexpr std::string_view kRegionKey = "region";
constexpr std::string_view kAccountKey = "account";
constexpr std::string_view kIteratorKeyKey = "iterator-key";
constexpr std::string_view kPartitionHashKey = "partition-hash";
constexpr std::string_view kChecksumKey = "checksum";
constexpr std::string_view kHashName = "xxh3-64";

/// A FORMAT file takes some 200 bytes; whatever is larger is not one.
constexpr size_t kFormatFileBytesMax = 64u << 10;

Error config_error(std::string message) {
  return make_error(ErrorCode::kConfig, std::move(message));
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Status create_folders(const std::string& path, Disk& disk) {
  if (path == "." || path == "/" || disk.exists(path)) return {};
  const std::string parent = parent_of(path);
  RETURN_IF_ERROR(create_folders(parent, disk));
  RETURN_IF_ERROR(disk.create_folder(path));
  return disk.sync_folder(parent);
}

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

bool from_hex(std::string_view hex, std::string& bytes) {
  if (hex.size() % 2 != 0) return false;
  bytes.clear();
  for (size_t i = 0; i < hex.size(); i += 2) {
    uint8_t byte = 0;
    auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    if (error != std::errc() || end != hex.data() + i + 2) return false;
    bytes.push_back(static_cast<char>(byte));
  }
  return true;
}

std::string format_line() {
  return std::string(kFormatKey) + " " + std::to_string(DataFolder::kFormat) + "\n";
}

std::string render(const DataFolderIdentity& identity) {
  std::string out = format_line();
  auto line = [&out](std::string_view key, std::string_view value) {
    out.append(key).append(" ").append(value).append("\n");
  };
  line(kRegionKey, identity.region);
  line(kAccountKey, identity.account);
  line(kIteratorKeyKey, to_hex(identity.iterator_key));
  line(kPartitionHashKey, kHashName);
  line(kChecksumKey, kHashName);
  return out;
}

Status check_format_line(const std::string& path, std::string_view line) {
  int format = 0;
  const size_t space = line.find(' ');
  const std::string_view value = space == line.npos ? "" : line.substr(space + 1);
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), format);
  if (line.substr(0, space) != kFormatKey || error != std::errc() ||
      end != value.data() + value.size() || format < 1) {
    return config_error(path + "/FORMAT does not begin with \"" + std::string(kFormatKey) +
                        "\" and a number: this is no Millrace data folder, or it is damaged");
  }
  if (format > DataFolder::kFormat) {
    return config_error(path + " is format " + std::to_string(format) +
                        ", this release reads up to " + std::to_string(DataFolder::kFormat) +
                        "; use a newer release");
  }
  return {};
}

Result<DataFolderIdentity> parse(const std::string& path, std::string_view text) {
  size_t number = 0;
  DataFolderIdentity identity{"", "", ""};
  bool hashes[2] = {false, false};
  auto damaged = [&](const std::string& what) {
    return config_error(path + "/FORMAT, line " + std::to_string(number) + ": " + what +
                        "; restore the file from a copy of the folder");
  };
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    if (end == text.npos) return damaged("the line is cut short");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (number == 1) {
      RETURN_IF_ERROR(check_format_line(path, line));
      continue;
    }
    const size_t space = line.find(' ');
    if (space == line.npos || space + 1 == line.size()) return damaged("not a name and a value");
    const std::string_view key = line.substr(0, space);
    const std::string_view value = line.substr(space + 1);
    if (key == kRegionKey) {
      identity.region = value;
    } else if (key == kAccountKey) {
      identity.account = value;
    } else if (key == kIteratorKeyKey) {
      if (!from_hex(value, identity.iterator_key) ||
          identity.iterator_key.size() != DataFolder::kIteratorKeyBytes) {
        return damaged("the iterator key is not 64 hexadecimal digits");
      }
    } else if (key == kPartitionHashKey || key == kChecksumKey) {
      if (value != kHashName)
        return damaged("unknown hash function \"" + std::string(value) + "\"");
      hashes[key == kChecksumKey] = true;
    } else {
      return damaged("unknown name \"" + std::string(key) + "\"");
    }
  }
  ++number;
  if (identity.region.empty() || identity.account.empty() || identity.iterator_key.empty() ||
      !hashes[0] || !hashes[1]) {
    return damaged(
        "the file ends before all of region, account, iterator-key, partition-hash and "
        "checksum are given");
  }
  return identity;
}

// What may lie in a folder that is to become a data folder: what we leave when a creation is
// interrupted, and what file systems put into a fresh volume.
bool may_be_in_new_folder(const std::string& name) {
  return name == "FORMAT.new" || name == "LOCK" || name == "lost+found" || name.starts_with('.');
}

// A folder without FORMAT that holds what is not ours.
Status refuse_foreign(const std::string& path, Disk& disk) {
  ASSIGN_OR_RETURN(const auto names, disk.list(path));
  for (const std::string& name : names) {
    if (!may_be_in_new_folder(name)) {
      return config_error(path + " holds " + name +
                          " but no FORMAT file: it is no Millrace data folder, or FORMAT was lost; "
                          "name an empty folder, or restore the file from a copy");
    }
  }
  return {};
}

Status write_format(const std::string& path, Disk& disk, const DataFolderIdentity& identity) {
  const std::string text = render(identity);
  const std::string unfinished = path + "/FORMAT.new";
  if (disk.exists(unfinished)) RETURN_IF_ERROR(disk.remove(unfinished));
  ASSIGN_OR_RETURN(auto file, disk.open(unfinished, true));
  RETURN_IF_ERROR(file->write(0, text));
  RETURN_IF_ERROR(file->sync());
  RETURN_IF_ERROR(disk.rename(unfinished, path + "/FORMAT"));
  return disk.sync_folder(path);
}

Status lock_file(int fd, const std::string& file, const std::string& folder) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) {
    return make_error(ErrorCode::kIo, "cannot lock " + file + ": " + std::strerror(errno));
  }
  char pid[32] = {};
  const ssize_t size = ::pread(fd, pid, sizeof pid - 1, 0);
  std::string holder(pid, size > 0 ? static_cast<size_t>(size) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return config_error("the data folder " + folder + " is in use by process " +
                      (holder.empty() ? "(unknown)" : holder) +
                      "; stop it, or name another folder");
}

}  // namespace

Result<std::string> new_iterator_key() {
  std::string key(DataFolder::kIteratorKeyBytes, '\0');
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return make_error(ErrorCode::kIo, "the operating system gives no random bytes");
  }
  return key;
}

Result<DataFolder> DataFolder::open(const std::string& given_path, Disk& disk,
                                    const DataFolderIdentity& identity) {
  const std::string path = without_trailing_slashes(given_path);
  RETURN_IF_ERROR(create_folders(path, disk));
  if (!disk.exists(path + "/FORMAT")) {
    CHECK(identity.iterator_key.size() == kIteratorKeyBytes);
    for (const std::string* value : {&identity.region, &identity.account}) {
      if (value->empty() || value->find('\n') != std::string::npos) {
        return config_error("a region and an account must be one line of text each");
      }
    }
    RETURN_IF_ERROR(refuse_foreign(path, disk));
    RETURN_IF_ERROR(write_format(path, disk, identity));
    // The folder itself may be new, made by us or by an earlier start that was interrupted.
    RETURN_IF_ERROR(disk.sync_folder(parent_of(path)));
  }
  ASSIGN_OR_RETURN(auto file, disk.open(path + "/FORMAT", false));
  std::string text;
  RETURN_IF_ERROR(file->read(0, kFormatFileBytesMax, text));
  ASSIGN_OR_RETURN(DataFolderIdentity found, parse(path, text));
  if (!text.starts_with(format_line())) RETURN_IF_ERROR(write_format(path, disk, found));
  return DataFolder(path, std::move(found));
}

Result<FolderLock> FolderLock::acquire(const std::string& given_path) {
  PosixDisk disk;
  const std::string path = without_trailing_slashes(given_path);
  RETURN_IF_ERROR(create_folders(path, disk));
  // Before anything is left in it.
  if (!disk.exists(path + "/FORMAT")) RETURN_IF_ERROR(refuse_foreign(path, disk));
  const std::string file = path + "/LOCK";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return make_error(ErrorCode::kIo, "cannot open " + file + ": " + std::strerror(errno));
  }
  FolderLock lock(fd);
  RETURN_IF_ERROR(lock_file(fd, file, path));
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return make_error(ErrorCode::kIo, "cannot write " + file + ": " + std::strerror(errno));
  }
  return lock;
}

Result<std::optional<FolderLock>> FolderLock::acquire_to_look(const std::string& given_path) {
  const std::string path = without_trailing_slashes(given_path);
  const std::string file = path + "/LOCK";
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<FolderLock>();
    return make_error(ErrorCode::kIo, "cannot open " + file + ": " + std::strerror(errno));
  }
  FolderLock lock(fd);
  RETURN_IF_ERROR(lock_file(fd, file, path));
  return std::optional<FolderLock>(std::move(lock));
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

// Closing the file gives the lock up. The file stays: removing it would let two processes lock two
// files.
FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace millrace
