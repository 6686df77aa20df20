#include "core/base/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/direct_file.h"

namespace millrace {

Error disk_error(const std::string& what, const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return make_error(full ? ErrorCode::kDiskFull : ErrorCode::kIo,
                    what + " " + path + ": " + std::strerror(errno));
}

// Where nothing lies between a file and its disk.
void File::write_back(uint64_t, uint64_t) {}

bool File::begin_durable_write(AsyncWrite&, uint64_t, std::string_view) { return false; }

Status File::end_durable_write(AsyncWrite&) { return {}; }

namespace {

// Of a file that goes in parts: a discard of so much takes about a millisecond.
constexpr off_t kRemovedAtOnce = 4 << 20;

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Status read(uint64_t offset, size_t size, std::string& out) const override {
    out.resize(size);
    size_t done = 0;
    while (done < size) {
      ssize_t n = ::pread(fd_, out.data() + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_error("cannot read", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    out.resize(done);
    return {};
  }

  Status write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_error("cannot write", path_);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_) != 0) return disk_error("cannot sync", path_);
    return {};
  }

  void write_back(uint64_t offset, uint64_t bytes) override {
    static_cast<void>(::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                                        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
  }

  Result<uint64_t> size() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return disk_error("cannot stat", path_);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const int fd_;
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<File>> PosixDisk::open(const std::string& path, bool create) {
  int fd = ::open(path.c_str(),
                  (read_only_ ? O_RDONLY : O_RDWR) | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
  if (fd < 0) return disk_error("cannot open", path);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<std::unique_ptr<File>> PosixDisk::open_direct(const std::string& path, bool create) {
  return open_direct_file(path, create);
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& folder) {
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return disk_error("cannot list", folder);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  ::closedir(dir);
  return names;
}

Status PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return disk_error("cannot rename", from);
  return {};
}

Status PosixDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return disk_error("cannot remove", path);
  return {};
}

// A sync after each part, else the file system discards them together. Only the removal has to
// succeed.
Status PosixDisk::remove_in_parts(const std::string& path) {
  struct stat info;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && ::fstat(fd, &info) == 0) {
    for (off_t left = info.st_size - kRemovedAtOnce; left > 0; left -= kRemovedAtOnce) {
      if (::ftruncate(fd, left) != 0 || ::fdatasync(fd) != 0) break;
    }
  }
  if (fd >= 0) ::close(fd);
  return remove(path);
}

Status PosixDisk::create_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return disk_error("cannot create", path);
  return {};
}

bool PosixDisk::exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status PosixDisk::sync_folder(const std::string& folder) {
  int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return disk_error("cannot open", folder);
  int result = ::fsync(fd);
  ::close(fd);
  if (result != 0) return disk_error("cannot sync", folder);
  return {};
}

Result<uint64_t> PosixDisk::free_bytes(const std::string& folder) {
  struct statvfs info;
  if (::statvfs(folder.c_str(), &info) != 0) return disk_error("cannot stat", folder);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<uint64_t> PosixDisk::used_bytes(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return uint64_t{0};
    return disk_error("cannot stat", path);
  }
  if (!S_ISDIR(info.st_mode)) {
    // The blocks, not the length: LevelDB's files that are being written are longer than they say,
    // and a sparse file is shorter.
    return static_cast<uint64_t>(info.st_blocks) * 512;
  }
  ASSIGN_OR_RETURN(const auto names, list(path));
  uint64_t bytes = 0;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const uint64_t entry, used_bytes(path + "/" + name));
    bytes += entry;
  }
  return bytes;
}

}  // namespace millrace
