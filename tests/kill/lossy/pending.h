#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

// What a program wrote to the files of a folder and did not sync yet. preload.cc tells who calls
// this.
namespace lossy {

constexpr uint64_t kPageBytes = 4096;

// The C library's own function of this name.
template <typename Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name)                                         \
  ([] {                                                    \
    static auto* function = ::lossy::real(&::name, #name); \
    return function;                                       \
  }())

// What is written to one file but not durable. Found by inode, so a name may change or go.
struct Pending {
  // `own_fd` reads and writes the file whatever the program's descriptors may; closed at the end.
  explicit Pending(int own_fd) : fd(own_fd) {}
  ~Pending() { REAL(close)(fd); }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  const int fd;
  std::mutex mutex;
  std::map<uint64_t, std::array<char, kPageBytes>> pages;  // by number
  uint64_t size = 0;  // of the file as the program sees it; valid while there are pages
};

struct Descriptor {
  std::shared_ptr<Pending> pending;
  int flags = 0;
};

// Called with every descriptor that an open gave, which it returns.
int track(int fd, int flags);
void untrack(int fd);
// Without `pending` when the descriptor is of no file in the folder.
Descriptor find(int fd);
// Before the name goes: the inode's number may be used again by another file, which what is pending
// must not follow.
void forget_if_last_name(const char* path);

// These two hold the lock of `pending` while they are called.
uint64_t seen_size(const Pending& pending);
ssize_t read_pending(const Pending& pending, char* out, size_t size, uint64_t offset);

// At an offset; and at the descriptor's own position, which they move. As write(2) and read(2).
ssize_t write_at(const Descriptor& file, const char* data, size_t size, uint64_t offset);
ssize_t read_at(const Descriptor& file, char* out, size_t size, uint64_t offset);
ssize_t write_here(int fd, const Descriptor& file, const char* data, size_t size);
ssize_t read_here(int fd, const Descriptor& file, char* out, size_t size);

// Makes this part of the file durable, as a write with RWF_DSYNC is at its end; 0 or an errno.
int sync_part(const Descriptor& file, uint64_t offset, uint64_t size);
// `otherwise` is called for what is no file of the folder.
int sync_file(int fd, int (*otherwise)(int));
void sync_all();
int truncate_file(int fd, off_t size);
// After the file itself was made longer.
void grow(const Descriptor& file);
// Puts the size that the program must see into what a stat gave.
void correct_size(struct stat* info);
// A private copy of a file with something pending; good for what is only read.
void* map_copy(const Pending& pending, void* address, size_t size, int protection, int flags,
               off_t offset);

}  // namespace lossy
