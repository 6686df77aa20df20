#include "core/base/overlay_disk.h"

#include <algorithm>
#include <set>
#include <utility>

namespace millrace {
namespace {

constexpr size_t kPageBytes = 16u << 10;

Error no_such(const std::string& path) { return make_error(ErrorCode::kIo, "there is no " + path); }

}  // namespace

/// A file below, if there is one, under the pages that were written.
class OverlayDisk::Content {
 public:
  Content(std::unique_ptr<File> below, uint64_t size)
      : below_(std::move(below)), below_size_(size), size_(size) {}

  Status read(uint64_t offset, size_t size, std::string& out) const {
    std::lock_guard lock(mutex_);
    out.clear();
    if (offset >= size_) return {};
    size = std::min<uint64_t>(size, size_ - offset);
    if (below_ != nullptr && offset < below_size_) RETURN_IF_ERROR(below_->read(offset, size, out));
    out.resize(size, '\0');
    const uint64_t end = offset + size;
    for (auto it = pages_.lower_bound(offset / kPageBytes);
         it != pages_.end() && it->first * kPageBytes < end; ++it) {
      const uint64_t begin = it->first * kPageBytes;
      const uint64_t from = std::max(offset, begin), to = std::min(end, begin + kPageBytes);
      out.replace(from - offset, to - from, it->second, from - begin, to - from);
    }
    return {};
  }

  Status write(uint64_t offset, std::string_view bytes) {
    std::lock_guard lock(mutex_);
    while (!bytes.empty()) {
      const uint64_t page = offset / kPageBytes;
      const size_t at = offset % kPageBytes;
      const std::string_view part = bytes.substr(0, kPageBytes - at);
      auto found = pages_.find(page);
      if (found == pages_.end()) {
        std::string content;
        if (below_ != nullptr && page * kPageBytes < below_size_) {
          RETURN_IF_ERROR(below_->read(page * kPageBytes, kPageBytes, content));
        }
        content.resize(kPageBytes, '\0');
        found = pages_.emplace(page, std::move(content)).first;
      }
      found->second.replace(at, part.size(), part);
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

 private:
  const std::unique_ptr<File> below_;
  const uint64_t below_size_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<uint64_t, std::string> pages_;
  uint64_t size_;
};

class OverlayDisk::OpenFile final : public File {
 public:
  explicit OpenFile(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  Status read(uint64_t offset, size_t size, std::string& out) const override {
    return content_->read(offset, size, out);
  }
  Status write(uint64_t offset, std::string_view bytes) override {
    return content_->write(offset, bytes);
  }
  Status sync() override { return {}; }
  Result<uint64_t> size() const override { return content_->size(); }

 private:
  const std::shared_ptr<Content> content_;
};

Result<std::shared_ptr<OverlayDisk::Content>> OverlayDisk::content_locked(const std::string& path) {
  if (auto found = changed_.find(path); found != changed_.end()) {
    if (found->second == nullptr) return no_such(path);
    return found->second;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, below_.open(path, false));
  ASSIGN_OR_RETURN(const uint64_t size, file->size());
  return std::make_shared<Content>(std::move(file), size);
}

bool OverlayDisk::exists_locked(const std::string& path) {
  auto found = changed_.find(path);
  return found != changed_.end() ? found->second != nullptr : below_.exists(path);
}

Result<std::unique_ptr<File>> OverlayDisk::open(const std::string& path, bool create) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Content> content;
  if (create && !exists_locked(path)) {
    content = std::make_shared<Content>(nullptr, 0);
  } else {
    ASSIGN_OR_RETURN(content, content_locked(path));
  }
  // Kept, so that what is written through one opening is seen through the next.
  changed_[path] = content;
  return std::unique_ptr<File>(std::make_unique<OpenFile>(std::move(content)));
}

Result<std::vector<std::string>> OverlayDisk::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  std::set<std::string> names;
  if (below_.exists(folder)) {
    ASSIGN_OR_RETURN(const auto below, below_.list(folder));
    names.insert(below.begin(), below.end());
  }
  const std::string prefix = folder + "/";
  for (auto it = changed_.lower_bound(prefix);
       it != changed_.end() && it->first.starts_with(prefix); ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') != std::string::npos) continue;
    if (it->second != nullptr) {
      names.insert(name);
    } else {
      names.erase(name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Status OverlayDisk::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(std::shared_ptr<Content> content, content_locked(from));
  changed_[to] = std::move(content);
  changed_[from] = nullptr;
  return {};
}

Status OverlayDisk::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!exists_locked(path)) return no_such(path);
  changed_[path] = nullptr;
  return {};
}

// A folder is there once something is in it.
Status OverlayDisk::create_folder(const std::string&) { return {}; }

bool OverlayDisk::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return exists_locked(path);
}

Status OverlayDisk::sync_folder(const std::string&) { return {}; }

}  // namespace millrace
