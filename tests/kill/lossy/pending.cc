#include "pending.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lossy {
namespace {

constexpr int kDescriptorsMax = 65536;
using Inode = std::pair<dev_t, ino_t>;

struct State {
  std::mutex mutex;
  std::map<Inode, std::shared_ptr<Pending>> files;
  std::unordered_map<int, Descriptor> descriptors;
  std::array<std::atomic<bool>, kDescriptorsMax> tracked{};
  std::string folder;
  unsigned leak_percent = 0;
  unsigned sync_us = 0;
  std::atomic<uint64_t> random{1};
};

// Never destroyed: threads may write until the very end.
State& state() {
  static State* instance = [] {
    auto* made = new State;
    if (const char* folder = ::getenv("LOSSY_DIR")) {
      char resolved[PATH_MAX];
      made->folder = ::realpath(folder, resolved) ? resolved : folder;
    }
    if (const char* percent = ::getenv("LOSSY_LEAK_PERCENT")) {
      made->leak_percent = static_cast<unsigned>(std::strtoul(percent, nullptr, 10));
    }
    if (const char* seed = ::getenv("LOSSY_SEED")) {
      made->random = std::strtoull(seed, nullptr, 10);
    }
    if (const char* time = ::getenv("LOSSY_SYNC_US")) {
      made->sync_us = static_cast<unsigned>(std::strtoul(time, nullptr, 10));
    }
    return made;
  }();
  return *instance;
}

bool leaks() {
  State& all = state();
  if (all.leak_percent == 0) return false;
  uint64_t x = all.random.fetch_add(0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15;  // splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return (x ^ (x >> 31)) % 100 < all.leak_percent;
}

struct stat real_stat(int fd) {
  struct stat info {};
  REAL(fstat)(fd, &info);
  return info;
}

std::string link_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

int reopen(int fd) { return REAL(open)(link_of(fd).c_str(), O_RDWR | O_CLOEXEC); }

bool is_inside(int fd) {
  const std::string& folder = state().folder;
  if (folder.empty()) return false;
  char path[PATH_MAX];
  ssize_t size = ::readlink(link_of(fd).c_str(), path, sizeof path);
  return size > static_cast<ssize_t>(folder.size()) &&
         std::memcmp(path, folder.data(), folder.size()) == 0 && path[folder.size()] == '/';
}

}  // namespace

int track(int fd, int flags) {
  if (fd < 0 || fd >= kDescriptorsMax) return fd;
  int saved = errno;
  State& all = state();
  struct stat info = real_stat(fd);
  if (S_ISREG(info.st_mode) && is_inside(fd)) {
    std::lock_guard lock(all.mutex);
    auto& pending = all.files[{info.st_dev, info.st_ino}];
    if (!pending) {
      int own_fd = reopen(fd);
      if (own_fd < 0) std::abort();  // The program's own rights suffice for its own files.
      pending = std::make_shared<Pending>(own_fd);
    }
    if (flags & O_TRUNC) {
      std::lock_guard file_lock(pending->mutex);
      pending->pages.clear();
    }
    all.descriptors[fd] = {pending, flags};
    all.tracked[fd] = true;
  } else {
    all.tracked[fd] = false;
  }
  errno = saved;
  return fd;
}

void untrack(int fd) {
  State& all = state();
  if (fd < 0 || fd >= kDescriptorsMax || !all.tracked[fd]) return;
  std::lock_guard lock(all.mutex);
  all.tracked[fd] = false;
  all.descriptors.erase(fd);
}

Descriptor find(int fd) {
  State& all = state();
  if (fd < 0 || fd >= kDescriptorsMax || !all.tracked[fd]) return {};
  std::lock_guard lock(all.mutex);
  auto found = all.descriptors.find(fd);
  return found == all.descriptors.end() ? Descriptor{} : found->second;
}

void forget_if_last_name(const char* path) {
  struct stat info {};
  if (REAL(lstat)(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink > 1) return;
  State& all = state();
  std::lock_guard lock(all.mutex);
  all.files.erase({info.st_dev, info.st_ino});
}

uint64_t seen_size(const Pending& pending) {
  return pending.pages.empty() ? static_cast<uint64_t>(real_stat(pending.fd).st_size)
                               : pending.size;
}

namespace {

// These hold the lock of `pending`.

// Reads what the file itself holds; what is beyond its end is zero.
void read_real(int fd, char* out, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = REAL(pread)(fd, out + done, size - done, static_cast<off_t>(offset + done));
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  std::memset(out + done, 0, size - done);
}

bool write_real(int fd, const char* data, size_t size, uint64_t offset) {
  while (size > 0) {
    ssize_t n = REAL(pwrite)(fd, data, size, static_cast<off_t>(offset));
    if (n < 0) return false;
    data += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool write_page(const Pending& pending, uint64_t number) {
  uint64_t offset = number * kPageBytes;
  if (offset >= pending.size) return true;
  size_t size = static_cast<size_t>(std::min(kPageBytes, pending.size - offset));
  return write_real(pending.fd, pending.pages.at(number).data(), size, offset);
}

bool make_durable(Pending& pending) {
  for (const auto& [number, page] : pending.pages) {
    if (!write_page(pending, number)) return false;
  }
  pending.pages.clear();
  return true;
}

ssize_t write_pending(Pending& pending, const char* data, size_t size, uint64_t offset) {
  if (pending.pages.empty()) pending.size = seen_size(pending);
  uint64_t end = offset + size;
  for (uint64_t at = offset; at < end;) {
    uint64_t number = at / kPageBytes;
    uint64_t within = at % kPageBytes;
    size_t part = static_cast<size_t>(std::min(kPageBytes - within, end - at));
    auto [page, is_new] = pending.pages.try_emplace(number);
    if (is_new) read_real(pending.fd, page->second.data(), kPageBytes, number * kPageBytes);
    std::memcpy(page->second.data() + within, data + (at - offset), part);
    at += part;
    pending.size = std::max(pending.size, at);
    if (leaks()) write_page(pending, number);
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

ssize_t read_pending(const Pending& pending, char* out, size_t size, uint64_t offset) {
  uint64_t end = std::min(offset + size, seen_size(pending));
  if (offset >= end) return 0;
  size = static_cast<size_t>(end - offset);
  read_real(pending.fd, out, size, offset);
  for (auto page = pending.pages.lower_bound(offset / kPageBytes);
       page != pending.pages.end() && page->first * kPageBytes < end; ++page) {
    uint64_t begin = std::max(offset, page->first * kPageBytes);
    uint64_t stop = std::min(end, (page->first + 1) * kPageBytes);
    std::memcpy(out + (begin - offset), page->second.data() + (begin % kPageBytes), stop - begin);
  }
  return static_cast<ssize_t>(size);
}

ssize_t write_at(const Descriptor& file, const char* data, size_t size, uint64_t offset) {
  std::lock_guard lock(file.pending->mutex);
  ssize_t written = write_pending(*file.pending, data, size, offset);
  if ((file.flags & (O_SYNC | O_DSYNC)) && !make_durable(*file.pending)) return -1;
  return written;
}

ssize_t read_at(const Descriptor& file, char* out, size_t size, uint64_t offset) {
  std::lock_guard lock(file.pending->mutex);
  return read_pending(*file.pending, out, size, offset);
}

ssize_t write_here(int fd, const Descriptor& file, const char* data, size_t size) {
  off_t position = REAL(lseek)(fd, 0, SEEK_CUR);
  if (file.flags & O_APPEND) {
    std::lock_guard lock(file.pending->mutex);
    position = static_cast<off_t>(seen_size(*file.pending));
  }
  ssize_t written = write_at(file, data, size, static_cast<uint64_t>(position));
  if (written > 0) REAL(lseek)(fd, position + written, SEEK_SET);
  return written;
}

ssize_t read_here(int fd, const Descriptor& file, char* out, size_t size) {
  off_t position = REAL(lseek)(fd, 0, SEEK_CUR);
  ssize_t n = read_at(file, out, size, static_cast<uint64_t>(position));
  if (n > 0) REAL(lseek)(fd, position + n, SEEK_SET);
  return n;
}

int sync_part(const Descriptor& file, uint64_t offset, uint64_t size) {
  if (state().sync_us > 0) ::usleep(state().sync_us);
  std::lock_guard lock(file.pending->mutex);
  auto& pages = file.pending->pages;
  const auto first = pages.lower_bound(offset / kPageBytes);
  const auto last = pages.upper_bound((offset + size - 1) / kPageBytes);
  for (auto page = first; page != last; ++page) {
    if (!write_page(*file.pending, page->first)) return EIO;
  }
  pages.erase(first, last);
  return 0;
}

int sync_file(int fd, int (*otherwise)(int)) {
  Descriptor file = find(fd);
  if (!file.pending) return otherwise(fd);
  if (state().sync_us > 0) ::usleep(state().sync_us);
  std::lock_guard lock(file.pending->mutex);
  if (make_durable(*file.pending)) return 0;
  errno = EIO;
  return -1;
}

void sync_all() {
  std::vector<std::shared_ptr<Pending>> all_files;
  {
    State& all = state();
    std::lock_guard lock(all.mutex);
    for (const auto& [inode, pending] : all.files) all_files.push_back(pending);
  }
  for (const auto& pending : all_files) {
    std::lock_guard lock(pending->mutex);
    make_durable(*pending);
  }
}

void grow(const Descriptor& file) {
  if (!file.pending) return;
  std::lock_guard lock(file.pending->mutex);
  uint64_t real_size = static_cast<uint64_t>(real_stat(file.pending->fd).st_size);
  file.pending->size = std::max(file.pending->size, real_size);
}

int truncate_file(int fd, off_t size) {
  Descriptor file = find(fd);
  if (!file.pending) return REAL(ftruncate)(fd, size);
  std::lock_guard lock(file.pending->mutex);
  Pending& pending = *file.pending;
  if (REAL(ftruncate)(fd, size) != 0) return -1;
  uint64_t end = static_cast<uint64_t>(size);
  pending.pages.erase(pending.pages.lower_bound((end + kPageBytes - 1) / kPageBytes),
                      pending.pages.end());
  auto last = pending.pages.find(end / kPageBytes);
  if (last != pending.pages.end()) {
    std::memset(last->second.data() + end % kPageBytes, 0, kPageBytes - end % kPageBytes);
  }
  pending.size = end;
  return 0;
}

void correct_size(struct stat* info) {
  if (!S_ISREG(info->st_mode)) return;
  State& all = state();
  std::shared_ptr<Pending> pending;
  {
    std::lock_guard lock(all.mutex);
    auto found = all.files.find({info->st_dev, info->st_ino});
    if (found == all.files.end()) return;
    pending = found->second;
  }
  std::lock_guard lock(pending->mutex);
  if (!pending->pages.empty()) info->st_size = static_cast<off_t>(pending->size);
}

void* map_copy(const Pending& pending, void* address, size_t size, int protection, int flags,
               off_t offset) {
  void* copy = REAL(mmap)(address, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | (flags & MAP_FIXED), -1, 0);
  if (copy == MAP_FAILED) return copy;
  read_pending(pending, static_cast<char*>(copy), size, static_cast<uint64_t>(offset));
  ::mprotect(copy, size, protection);
  return copy;
}

}  // namespace lossy
