#include "core/store/log_spares.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace millrace {
namespace {

constexpr const char* kSpare = "spare-";
constexpr const char* kUnfinished = "unfinished-";

/// Zeros written at once while a spare is made: a flush of the log waits about that long on the
/// disk.
constexpr uint64_t kFillBytes = 1u << 20;

/// No spare is made on a disk with less room than this many segments.
constexpr uint64_t kRoomFactor = 4;

std::optional<uint64_t> number_after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  uint64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

/// Never written, so they are the system's page of zeros and no memory of the process's.
char zeros[kFillBytes];

Status write_zeros(File& file, uint64_t from, uint64_t to) {
  while (from < to) {
    const uint64_t size = std::min(kFillBytes, to - from);
    RETURN_IF_ERROR(file.write(from, std::string_view(zeros, size)));
    from += size;
  }
  return {};
}

}  // namespace

SparePool::SparePool(Disk& disk, std::string folder, uint64_t segment_bytes, size_t wanted)
    : disk_(disk), folder_(std::move(folder)), segment_bytes_(segment_bytes), wanted_(wanted) {}

std::string SparePool::path_of(const char* kind, uint64_t number) const {
  return folder_ + "/" + kind + std::to_string(number);
}

std::string SparePool::unfinished_path() { return path_of(kUnfinished, take_number()); }

uint64_t SparePool::take_number() {
  std::lock_guard lock(mutex_);
  return next_number_++;
}

Status SparePool::adopt(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string path = folder_ + "/" + name;
    if (auto number = number_after(kUnfinished, name)) {
      next_number_ = std::max(next_number_, *number + 1);
      RETURN_IF_ERROR(disk_.remove(path));
    } else if (auto number = number_after(kSpare, name)) {
      next_number_ = std::max(next_number_, *number + 1);
      ASSIGN_OR_RETURN(auto file, disk_.open(path, false));
      ASSIGN_OR_RETURN(const uint64_t size, file->size());
      if (size == segment_bytes_ && ready_.size() <= wanted_) {
        ready_.push_back(path);
      } else {
        RETURN_IF_ERROR(disk_.remove(path));
      }
    }
  }
  return {};
}

std::optional<std::string> SparePool::take() {
  std::lock_guard lock(mutex_);
  if (ready_.empty()) return std::nullopt;
  std::string path = std::move(ready_.back());
  ready_.pop_back();
  return path;
}

Result<std::string> SparePool::create(uint64_t bytes, bool sync) {
  const std::string path = unfinished_path();
  ASSIGN_OR_RETURN(auto file, disk_.open_direct(path, true));
  Status filled = write_zeros(*file, 0, bytes);
  if (filled && sync) filled = file->sync();
  if (!filled) {
    // What a full disk did not take must not keep what little room there is.
    file.reset();
    RETURN_IF_ERROR(disk_.remove(path));
    return filled.error();
  }
  return path;
}

Result<bool> SparePool::prepare() {
  std::lock_guard filling_lock(filling_mutex_);
  if (!filling_) {
    {
      std::lock_guard lock(mutex_);
      if (ready_.size() >= wanted_) return false;
    }
    // A spare is for speed: the last room is for what is needed.
    ASSIGN_OR_RETURN(const uint64_t room, disk_.free_bytes(folder_));
    if (room < kRoomFactor * segment_bytes_) return false;
    filling_path_ = unfinished_path();
    filled_bytes_ = 0;
    ASSIGN_OR_RETURN(filling_, disk_.open_direct(filling_path_, true));
  }
  const uint64_t to = std::min(filled_bytes_ + kFillBytes, segment_bytes_);
  if (Status filled = write_zeros(*filling_, filled_bytes_, to); !filled) {
    filling_.reset();
    RETURN_IF_ERROR(disk_.remove(filling_path_));
    return filled.error();
  }
  filled_bytes_ = to;
  if (filled_bytes_ < segment_bytes_) return true;

  const Status synced = filling_->sync();
  filling_.reset();
  if (!synced) {
    // Trying again would prove nothing: this file is not to be used.
    RETURN_IF_ERROR(disk_.remove(filling_path_));
    return synced.error();
  }
  const std::string path = path_of(kSpare, take_number());
  RETURN_IF_ERROR(disk_.rename(filling_path_, path));
  std::lock_guard lock(mutex_);
  ready_.push_back(path);
  return ready_.size() < wanted_;
}

Status SparePool::give_back(const std::string& path, uint64_t file_bytes) {
  bool keep = false;
  {
    // One more than wanted: then, once trimming keeps pace with writing, no spare is zero-filled
    // any more.
    std::lock_guard lock(mutex_);
    keep = wanted_ > 0 && file_bytes == segment_bytes_ && ready_.size() <= wanted_;
  }
  if (!keep) return disk_.remove(path);
  const std::string spare = path_of(kSpare, take_number());
  RETURN_IF_ERROR(disk_.rename(path, spare));
  std::lock_guard lock(mutex_);
  ready_.push_back(spare);
  return {};
}

}  // namespace millrace
