#include "core/base/memory_disk.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace millrace {
namespace {

// The least that is taken at once: small enough that a file of a few bytes is cheap.
constexpr size_t kPageBytes = 16u << 10;

bool all_zeros(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Error no_such(const std::string& path) {
  return make_error(ErrorCode::kIo, "there is no " + path + " in memory");
}

}  // namespace

struct MemoryDisk::Space {
  explicit Space(uint64_t max) : bytes_max(max) {}
  const uint64_t bytes_max;
  std::atomic<uint64_t> used{0};

  bool take_page() {
    if (used.fetch_add(kPageBytes) + kPageBytes <= bytes_max) return true;
    used.fetch_sub(kPageBytes);
    return false;
  }
};

class MemoryDisk::Content {
 public:
  explicit Content(std::shared_ptr<Space> space) : space_(std::move(space)) {}
  ~Content() { space_->used.fetch_sub(taken_ * kPageBytes); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  void read(uint64_t offset, size_t size, std::string& out) const {
    std::lock_guard lock(mutex_);
    out.clear();
    if (offset >= size_) return;
    size = std::min<uint64_t>(size, size_ - offset);
    out.reserve(size);
    while (out.size() < size) {
      const size_t at = (offset + out.size()) % kPageBytes;
      const size_t part = std::min(kPageBytes - at, size - out.size());
      const size_t page = (offset + out.size()) / kPageBytes;
      if (page < pages_.size() && pages_[page] != nullptr) {
        out.append(pages_[page].get() + at, part);
      } else {
        out.append(part, '\0');
      }
    }
  }

  Status write(uint64_t offset, std::string_view bytes) {
    std::lock_guard lock(mutex_);
    while (!bytes.empty()) {
      const size_t at = offset % kPageBytes;
      const std::string_view part = bytes.substr(0, kPageBytes - at);
      const size_t page = offset / kPageBytes;
      if (page >= pages_.size()) pages_.resize(page + 1);
      if (pages_[page] == nullptr && !all_zeros(part)) {
        if (!space_->take_page()) {
          return make_error(ErrorCode::kDiskFull, "the memory that data may take is full");
        }
        pages_[page] = std::make_unique<char[]>(kPageBytes);
        ++taken_;
      }
      if (pages_[page] != nullptr) part.copy(pages_[page].get() + at, part.size());
      offset += part.size();
      size_ = std::max(size_, offset);
      bytes.remove_prefix(part.size());
    }
    return {};
  }

  uint64_t size() const {
    std::lock_guard lock(mutex_);
    return size_;
  }
  uint64_t used_bytes() const {
    std::lock_guard lock(mutex_);
    return taken_ * kPageBytes;
  }

 private:
  const std::shared_ptr<Space> space_;
  mutable std::mutex mutex_;                    // guards what follows
  std::vector<std::unique_ptr<char[]>> pages_;  // null: zeros
  uint64_t size_ = 0;
  uint64_t taken_ = 0;
};

class MemoryDisk::OpenFile final : public File {
 public:
  explicit OpenFile(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  Status read(uint64_t offset, size_t size, std::string& out) const override {
    content_->read(offset, size, out);
    return {};
  }
  Status write(uint64_t offset, std::string_view bytes) override {
    return content_->write(offset, bytes);
  }
  Status sync() override { return {}; }
  Result<uint64_t> size() const override { return content_->size(); }

 private:
  const std::shared_ptr<Content> content_;
};

MemoryDisk::MemoryDisk(uint64_t bytes_max) : space_(std::make_shared<Space>(bytes_max)) {}

Result<std::unique_ptr<File>> MemoryDisk::open(const std::string& path, bool create) {
  std::lock_guard lock(mutex_);
  auto found = files_.find(path);
  if (found == files_.end()) {
    if (!create) return no_such(path);
    found = files_.emplace(path, std::make_shared<Content>(space_)).first;
  }
  return std::unique_ptr<File>(std::make_unique<OpenFile>(found->second));
}

Result<std::vector<std::string>> MemoryDisk::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  const std::string prefix = folder + "/";
  std::set<std::string> names;
  auto add = [&](std::string_view path) {
    path.remove_prefix(prefix.size());
    names.emplace(path.substr(0, path.find('/')));
  };
  for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix);
       ++it) {
    add(it->first);
  }
  for (auto it = folders_.lower_bound(prefix); it != folders_.end() && it->starts_with(prefix);
       ++it) {
    add(*it);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Status MemoryDisk::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  auto found = files_.find(from);
  if (found == files_.end()) return no_such(from);
  std::shared_ptr<Content> content = std::move(found->second);
  files_.erase(found);
  files_[to] = std::move(content);
  return {};
}

Status MemoryDisk::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (files_.erase(path) == 0 && folders_.erase(path) == 0) return no_such(path);
  return {};
}

Status MemoryDisk::create_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  folders_.insert(path);
  return {};
}

bool MemoryDisk::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return files_.contains(path) || folders_.contains(path);
}

Status MemoryDisk::sync_folder(const std::string&) { return {}; }

Result<uint64_t> MemoryDisk::free_bytes(const std::string&) {
  return space_->bytes_max - std::min(space_->bytes_max, space_->used.load());
}

Result<uint64_t> MemoryDisk::used_bytes(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (auto found = files_.find(path); found != files_.end()) return found->second->used_bytes();
  uint64_t bytes = 0;
  const std::string prefix = path + "/";
  for (auto it = files_.lower_bound(prefix); it != files_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    bytes += it->second->used_bytes();
  }
  return bytes;
}

}  // namespace millrace
