#include "core/base/direct_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/base/async_write.h"

namespace millrace {
namespace {

// Written at once at most: the size of the buffer that the bytes are aligned in.
constexpr size_t kPieceBytes = 1u << 20;

uint64_t block_of(uint64_t offset) { return offset / kDirectBlockBytes * kDirectBlockBytes; }

// Whether RWF_DSYNC of an asynchronous write is to be relied on: elsewhere it may be taken and not
// heeded once the write has been queued, as by FUSE, or by kernels that only look like Linux.
bool syncs_async(int fd) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return false;
  return system.f_type == EXT4_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC;
}

class DirectFile final : public File {
 public:
  DirectFile(int fd, std::unique_ptr<File> buffered, std::string path)
      : fd_(fd), buffered_(std::move(buffered)), path_(std::move(path)), async_(syncs_async(fd)) {}
  ~DirectFile() override { ::close(fd_); }
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  // The kernel drops the pages that a direct write replaces, so what is read through them is what
  // was written.
  Status read(uint64_t offset, size_t size, std::string& out) const override {
    return buffered_->read(offset, size, out);
  }

  Status write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      ASSIGN_OR_RETURN(const Piece piece, fill(offset, bytes));
      RETURN_IF_ERROR(write_blocks(piece, 0));
      keep_last_block(piece);
      offset += piece.bytes;
      bytes.remove_prefix(piece.bytes);
    }
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_) != 0) return disk_error("cannot sync", path_);
    return {};
  }

  bool begin_durable_write(AsyncWrite& write, uint64_t offset, std::string_view bytes) override {
    if (!async_) return false;
    Result<Piece> piece = fill(offset, bytes);
    if (!piece || piece->bytes < bytes.size()) return false;
    under_way_ = *piece;
    last_block_offset_ = kNoBlock;
    return write.begin(fd_, buffer_.get(), piece->blocks_bytes, piece->block);
  }

  Status end_durable_write(AsyncWrite& write) override {
    int64_t written = write.end();
    // A signal, or the disk is full. The latter may be said of the write or of the sync: whoever
    // goes on after an error must know that it was the write's, so that is made again.
    if (written == -EINTR || written == -ENOSPC || written == -EDQUOT) written = 0;
    if (written < 0) {
      errno = static_cast<int>(-written);
      return disk_error("cannot write and sync", path_);
    }
    if (static_cast<size_t>(written) < under_way_.blocks_bytes) {
      RETURN_IF_ERROR(write_blocks(under_way_, static_cast<size_t>(written)));
      if (Status synced = sync(); !synced) {
        return make_error(ErrorCode::kIo, synced.error().message);
      }
    }
    keep_last_block(under_way_);
    return {};
  }

  Result<uint64_t> size() const override { return buffered_->size(); }

 private:
  /// What is written at once: whole blocks from `block` on, in the buffer.
  struct Piece {
    uint64_t block;
    size_t blocks_bytes;
    size_t bytes;  // of those that it was filled with
    size_t end;    // where these end in it
  };
  static constexpr uint64_t kNoBlock = std::numeric_limits<uint64_t>::max();
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  Status reserve(size_t bytes) {
    if (bytes <= buffer_bytes_) return {};
    const size_t grown = std::min(kPieceBytes, std::max(bytes, 2 * buffer_bytes_));
    buffer_.reset(static_cast<char*>(std::aligned_alloc(kDirectBlockBytes, grown)));
    if (!buffer_) {
      buffer_bytes_ = 0;
      return make_error(ErrorCode::kIo, "no memory to write " + path_);
    }
    buffer_bytes_ = grown;
    return {};
  }

  // Puts the first `size` bytes of a block into the buffer.
  Status take_block(uint64_t offset, size_t size) {
    if (offset == last_block_offset_) {
      std::memcpy(buffer_.get(), last_block_, size);
      return {};
    }
    std::string block;
    RETURN_IF_ERROR(buffered_->read(offset, size, block));
    block.resize(size, '\0');  // a hole behind the end of the file
    std::memcpy(buffer_.get(), block.data(), size);
    return {};
  }

  // Puts as many of the bytes into the buffer as it takes.
  Result<Piece> fill(uint64_t offset, std::string_view bytes) {
    const uint64_t block = block_of(offset);
    const size_t before = offset - block;
    const size_t size = std::min(bytes.size(), kPieceBytes - before);
    const size_t blocks_bytes = block_of(before + size + kDirectBlockBytes - 1);
    RETURN_IF_ERROR(reserve(blocks_bytes));
    if (before > 0) RETURN_IF_ERROR(take_block(block, before));
    std::memcpy(buffer_.get() + before, bytes.data(), size);
    std::memset(buffer_.get() + before + size, 0, blocks_bytes - before - size);
    return Piece{block, blocks_bytes, size, before + size};
  }

  // The block that the next bytes begin in stays in memory.
  void keep_last_block(const Piece& piece) {
    const size_t last = block_of(piece.end);
    if (last == piece.blocks_bytes) return;
    std::memcpy(last_block_, buffer_.get() + last, kDirectBlockBytes);
    last_block_offset_ = piece.block + last;
  }

  // What of the piece follows its first `done` bytes.
  Status write_blocks(const Piece& piece, size_t done) {
    last_block_offset_ = kNoBlock;
    while (done < piece.blocks_bytes) {
      ssize_t n = ::pwrite(fd_, buffer_.get() + done, piece.blocks_bytes - done,
                           static_cast<off_t>(piece.block + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_error("cannot write", path_);
      // What a full disk or a signal left short ends at a block, or the next piece is refused.
      done += static_cast<size_t>(n);
    }
    return {};
  }

  const int fd_;
  const std::unique_ptr<File> buffered_;
  const std::string path_;
  const bool async_;
  std::unique_ptr<char, Free> buffer_;
  size_t buffer_bytes_ = 0;
  Piece under_way_{};
  uint64_t last_block_offset_ = kNoBlock;
  char last_block_[kDirectBlockBytes];
};

}  // namespace

Result<std::unique_ptr<File>> open_direct_file(const std::string& path, bool create) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> buffered, PosixDisk().open(path, create));
  int fd = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  if (fd < 0 && errno == EINVAL) return buffered;
  if (fd < 0) return disk_error("cannot open", path);
  return std::unique_ptr<File>(std::make_unique<DirectFile>(fd, std::move(buffered), path));
}

}  // namespace millrace
