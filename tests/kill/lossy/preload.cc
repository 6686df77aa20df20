// A library to preload (LD_PRELOAD) that keeps what a program writes to files under $LOSSY_DIR in
// memory until the program asks for it to be durable. kill -9 then loses it, as a power cut would;
// without this the page cache outlives the process and a missing flush goes unnoticed.
//
// Durable: fsync, fdatasync (of the file), sync, syncfs (of all), writes to a file opened with
// O_SYNC or O_DSYNC, asynchronous ones with RWF_DSYNC (async.cc) once their end was asked for, and a
// normal end of the program, which does not empty the page cache either.
// Not durable: close, rename, msync, sync_file_range. With $LOSSY_LEAK_PERCENT each written 4 KiB
// page also reaches the file at once with that probability, as the kernel writes pages back in any
// order; $LOSSY_SEED seeds it.
//
// O_DIRECT is taken out: what is kept here needs no alignment, and a direct write is no more
// durable.
//
// What is not modelled: names. Creation, renaming, removal and truncation take effect at once.
// What is not seen: writes through stdio (LevelDB's LOG), io_uring, sendfile, descriptors made by
// dup.

#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "pending.h"

namespace {

using namespace lossy;

std::vector<char> gathered(const struct iovec* parts, int count) {
  std::vector<char> all;
  for (int i = 0; i < count; i++) {
    auto* begin = static_cast<const char*>(parts[i].iov_base);
    all.insert(all.end(), begin, begin + parts[i].iov_len);
  }
  return all;
}

void scatter(const char* data, size_t size, const struct iovec* parts, int count) {
  for (int i = 0; i < count && size > 0; i++) {
    size_t part = std::min(size, parts[i].iov_len);
    std::memcpy(parts[i].iov_base, data, part);
    data += part;
    size -= part;
  }
}

size_t total(const struct iovec* parts, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; i++) sum += parts[i].iov_len;
  return sum;
}

// Runs at a normal end of the program, not at kill -9.
__attribute__((destructor)) void finish() { sync_all(); }

mode_t mode_of(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

// Both names of each call: with and without the 64 that some headers add.
extern "C" {

#define OPEN(name)                                                  \
  int name(const char* path, int flags, ...) {                      \
    va_list arguments;                                              \
    va_start(arguments, flags);                                     \
    mode_t mode = mode_of(flags, arguments);                        \
    va_end(arguments);                                              \
    return track(REAL(name)(path, flags & ~O_DIRECT, mode), flags); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                        \
  int name(int folder, const char* path, int flags, ...) {                  \
    va_list arguments;                                                      \
    va_start(arguments, flags);                                             \
    mode_t mode = mode_of(flags, arguments);                                \
    va_end(arguments);                                                      \
    return track(REAL(name)(folder, path, flags & ~O_DIRECT, mode), flags); \
  }
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char* path, int flags) { return ::open(path, flags); }
int __open64_2(const char* path, int flags) { return ::open(path, flags); }
int creat(const char* path, mode_t mode) {
  return ::open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char* path, mode_t mode) { return ::creat(path, mode); }

#define FOPEN(name)                                                               \
  FILE* name(const char* path, const char* mode) {                                \
    FILE* file = REAL(name)(path, mode);                                          \
    int flags = (mode[0] == 'w' ? O_TRUNC : 0) | (mode[0] == 'a' ? O_APPEND : 0); \
    if (file != nullptr) track(::fileno(file), flags);                            \
    return file;                                                                  \
  }
FOPEN(fopen)
FOPEN(fopen64)

int fclose(FILE* file) {
  untrack(::fileno(file));
  return REAL(fclose)(file);
}

int close(int fd) {
  untrack(fd);
  return REAL(close)(fd);
}

ssize_t write(int fd, const void* data, size_t size) {
  Descriptor file = find(fd);
  if (!file.pending) return REAL(write)(fd, data, size);
  return write_here(fd, file, static_cast<const char*>(data), size);
}

#define PWRITE(name)                                                                            \
  ssize_t name(int fd, const void* data, size_t size, off_t offset) {                           \
    Descriptor file = find(fd);                                                                 \
    if (!file.pending) return REAL(name)(fd, data, size, offset);                               \
    return write_at(file, static_cast<const char*>(data), size, static_cast<uint64_t>(offset)); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec* parts, int count) {
  Descriptor file = find(fd);
  if (!file.pending) return REAL(writev)(fd, parts, count);
  std::vector<char> all = gathered(parts, count);
  return write_here(fd, file, all.data(), all.size());
}

#define PWRITEV(name)                                                             \
  ssize_t name(int fd, const struct iovec* parts, int count, off_t offset) {      \
    Descriptor file = find(fd);                                                   \
    if (!file.pending) return REAL(name)(fd, parts, count, offset);               \
    std::vector<char> all = gathered(parts, count);                               \
    return write_at(file, all.data(), all.size(), static_cast<uint64_t>(offset)); \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define PWRITEV2(name)                                                                  \
  ssize_t name(int fd, const struct iovec* parts, int count, off_t offset, int flags) { \
    Descriptor file = find(fd);                                                         \
    if (!file.pending) return REAL(name)(fd, parts, count, offset, flags);              \
    if (flags & (RWF_SYNC | RWF_DSYNC)) file.flags |= O_DSYNC;                          \
    std::vector<char> all = gathered(parts, count);                                     \
    if (offset == -1) return write_here(fd, file, all.data(), all.size());              \
    return write_at(file, all.data(), all.size(), static_cast<uint64_t>(offset));       \
  }
PWRITEV2(pwritev2)
PWRITEV2(pwritev64v2)

ssize_t read(int fd, void* out, size_t size) {
  Descriptor file = find(fd);
  if (!file.pending) return REAL(read)(fd, out, size);
  return read_here(fd, file, static_cast<char*>(out), size);
}

ssize_t __read_chk(int fd, void* out, size_t size, size_t) { return ::read(fd, out, size); }

#define PREAD(name)                                                                     \
  ssize_t name(int fd, void* out, size_t size, off_t offset) {                          \
    Descriptor file = find(fd);                                                         \
    if (!file.pending) return REAL(name)(fd, out, size, offset);                        \
    return read_at(file, static_cast<char*>(out), size, static_cast<uint64_t>(offset)); \
  }
PREAD(pread)
PREAD(pread64)

ssize_t __pread_chk(int fd, void* out, size_t size, off_t offset, size_t) {
  return ::pread(fd, out, size, offset);
}
ssize_t __pread64_chk(int fd, void* out, size_t size, off_t offset, size_t) {
  return ::pread(fd, out, size, offset);
}

ssize_t readv(int fd, const struct iovec* parts, int count) {
  Descriptor file = find(fd);
  if (!file.pending) return REAL(readv)(fd, parts, count);
  std::vector<char> all(total(parts, count));
  ssize_t n = read_here(fd, file, all.data(), all.size());
  if (n > 0) scatter(all.data(), static_cast<size_t>(n), parts, count);
  return n;
}

#define PREADV(name)                                                                  \
  ssize_t name(int fd, const struct iovec* parts, int count, off_t offset) {          \
    Descriptor file = find(fd);                                                       \
    if (!file.pending) return REAL(name)(fd, parts, count, offset);                   \
    std::vector<char> all(total(parts, count));                                       \
    ssize_t n = read_at(file, all.data(), all.size(), static_cast<uint64_t>(offset)); \
    if (n > 0) scatter(all.data(), static_cast<size_t>(n), parts, count);             \
    return n;                                                                         \
  }
PREADV(preadv)
PREADV(preadv64)

#define PREADV2(name)                                                                     \
  ssize_t name(int fd, const struct iovec* parts, int count, off_t offset, int flags) {   \
    if (!find(fd).pending) return REAL(name)(fd, parts, count, offset, flags);            \
    return offset == -1 ? ::readv(fd, parts, count) : ::preadv(fd, parts, count, offset); \
  }
PREADV2(preadv2)
PREADV2(preadv64v2)

#define LSEEK(name)                                                                         \
  off_t name(int fd, off_t offset, int whence) noexcept {                                   \
    Descriptor file = find(fd);                                                             \
    if (!file.pending || whence != SEEK_END) return REAL(name)(fd, offset, whence);         \
    std::lock_guard lock(file.pending->mutex);                                              \
    return REAL(name)(fd, static_cast<off_t>(seen_size(*file.pending)) + offset, SEEK_SET); \
  }
LSEEK(lseek)
LSEEK(lseek64)

int fsync(int fd) { return sync_file(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, REAL(fdatasync)); }
int syncfs(int) noexcept {
  sync_all();
  return 0;
}
void sync() noexcept { sync_all(); }
int sync_file_range(int, off64_t, off64_t, unsigned) { return 0; }

int ftruncate(int fd, off_t size) noexcept { return truncate_file(fd, size); }
int ftruncate64(int fd, off_t size) noexcept { return truncate_file(fd, size); }

// Reserving space grows the file at once; the pages that are pending stay so.
#define FALLOCATE(name, parameters, arguments) \
  int name parameters {                        \
    int result = REAL(name) arguments;         \
    if (result == 0) grow(find(fd));           \
    return result;                             \
  }
FALLOCATE(fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
FALLOCATE(fallocate64, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
FALLOCATE(posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size))
FALLOCATE(posix_fallocate64, (int fd, off_t offset, off_t size), (fd, offset, size))

#define STAT(name, parameters, arguments)                                \
  int name parameters noexcept {                                         \
    int result = REAL(name) arguments;                                   \
    if (result == 0) correct_size(reinterpret_cast<struct stat*>(info)); \
    return result;                                                       \
  }
STAT(stat, (const char* path, struct stat* info), (path, info))
STAT(stat64, (const char* path, struct stat64* info), (path, info))
STAT(lstat, (const char* path, struct stat* info), (path, info))
STAT(lstat64, (const char* path, struct stat64* info), (path, info))
STAT(fstat, (int fd, struct stat* info), (fd, info))
STAT(fstat64, (int fd, struct stat64* info), (fd, info))
STAT(fstatat, (int folder, const char* path, struct stat* info, int flags),
     (folder, path, info, flags))
STAT(fstatat64, (int folder, const char* path, struct stat64* info, int flags),
     (folder, path, info, flags))

#define MMAP(name)                                                                \
  void* name(void* address, size_t size, int protection, int flags, int fd,       \
             off_t offset) noexcept {                                             \
    Descriptor file = find(fd);                                                   \
    if (file.pending) {                                                           \
      std::lock_guard lock(file.pending->mutex);                                  \
      if (!file.pending->pages.empty()) {                                         \
        return map_copy(*file.pending, address, size, protection, flags, offset); \
      }                                                                           \
    }                                                                             \
    return REAL(name)(address, size, protection, flags, fd, offset);              \
  }
MMAP(mmap)
MMAP(mmap64)

int unlink(const char* path) noexcept {
  forget_if_last_name(path);
  return REAL(unlink)(path);
}

int remove(const char* path) noexcept {
  forget_if_last_name(path);
  return REAL(remove)(path);
}

int rename(const char* from, const char* to) noexcept {
  struct stat source {
  }, target{};
  bool same = REAL(lstat)(from, &source) == 0 && REAL(lstat)(to, &target) == 0 &&
              source.st_ino == target.st_ino && source.st_dev == target.st_dev;
  if (!same) forget_if_last_name(to);
  return REAL(rename)(from, to);
}

}  // extern "C"
