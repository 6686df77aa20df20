#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "tests/sim/begun_write.h"

namespace millrace::sim {
namespace {

Error io_error(const std::string& what, const std::string& path, const std::string& why) {
  return make_error(ErrorCode::kIo, "cannot " + what + " " + path + ": " + why);
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

class SimFile final : public BeginningFile {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<SimDisk::Inode> inode, std::string path, uint64_t epoch)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), epoch_(epoch) {}

  Status read(uint64_t offset, size_t size, std::string& out) const override {
    std::lock_guard lock(disk_.mutex_);
    return disk_.read(*inode_, path_, epoch_, offset, size, out);
  }
  Status write(uint64_t offset, std::string_view bytes) override {
    std::lock_guard lock(disk_.mutex_);
    return disk_.write(*inode_, path_, epoch_, offset, bytes);
  }
  Status sync() override {
    std::lock_guard lock(disk_.mutex_);
    return disk_.sync(*inode_, path_, epoch_);
  }
  Result<uint64_t> size() const override {
    std::lock_guard lock(disk_.mutex_);
    return uint64_t{inode_->current.size()};
  }

 private:
  SimDisk& disk_;
  const std::shared_ptr<SimDisk::Inode> inode_;
  const std::string path_;
  const uint64_t epoch_;
};

Status SimDisk::begin_operation(const char* what, const std::string& path) {
  history_.add(what);
  history_.add(path);
  if (power_lost_) return io_error(what, path, "the power has failed");
  if (operations_left_ && (*operations_left_)-- == 0) {
    operations_left_.reset();
    power_lost_ = true;
  }
  return {};
}

Status SimDisk::read(const Inode& inode, const std::string& path, uint64_t epoch, uint64_t offset,
                     size_t size, std::string& out) {
  history_.add(path);
  history_.add(offset);
  if (epoch != epoch_ || power_lost_) return io_error("read", path, "the power has failed");
  if (std::exchange(fail_read_, false)) return io_error("read", path, "input/output error");
  out.clear();
  if (offset < inode.current.size()) out = inode.current.substr(offset, size);
  return {};
}

Status SimDisk::write(Inode& inode, const std::string& path, uint64_t epoch, uint64_t offset,
                      std::string_view bytes) {
  if (epoch != epoch_) return io_error("write", path, "the power has failed");
  RETURN_IF_ERROR(begin_operation("write", path));
  history_.add(offset);
  history_.add(bytes);
  if (std::exchange(fail_write_, false)) return io_error("write", path, "input/output error");
  uint64_t end = offset + bytes.size();
  bool full = false;
  if (end > inode.current.size()) {
    const uint64_t more = end - inode.current.size();
    const uint64_t room = capacity_ ? *capacity_ - std::min(*capacity_, bytes_) : more;
    if (more > room) {
      full = true;
      end = inode.current.size() + room;
      bytes = bytes.substr(0, end - std::min(end, offset));
    }
    if (end > inode.current.size()) {
      bytes_ += end - inode.current.size();
      inode.current.resize(end);
    }
  }
  if (!bytes.empty()) {
    inode.current.replace(offset, bytes.size(), bytes);
    for (uint64_t page = offset / kPageBytes; page <= (end - 1) / kPageBytes; ++page) {
      inode.dirty_pages.insert(page);
    }
  }
  if (power_lost_) return io_error("write", path, "the power has failed");
  if (full) return make_error(ErrorCode::kDiskFull, "cannot write " + path + ": the disk is full");
  return {};
}

uint64_t SimDisk::used_by(const std::string& path) const {
  uint64_t bytes = 0;
  for (auto it = names_.lower_bound(path); it != names_.end() && it->first.starts_with(path);
       ++it) {
    const bool inside =
        path.empty() || it->first.size() == path.size() || it->first[path.size()] == '/';
    if (inside && it->second != nullptr) bytes += it->second->current.size();
  }
  return bytes;
}

Result<uint64_t> SimDisk::free_bytes(const std::string&) {
  std::lock_guard lock(mutex_);
  if (!capacity_) return uint64_t{1} << 40;
  return *capacity_ - std::min(*capacity_, bytes_);
}

Result<uint64_t> SimDisk::used_bytes(const std::string& path) {
  std::lock_guard lock(mutex_);
  return used_by(path);
}

Status SimDisk::sync(Inode& inode, const std::string& path, uint64_t epoch) {
  if (epoch != epoch_) return io_error("sync", path, "the power has failed");
  RETURN_IF_ERROR(begin_operation("sync", path));
  if (power_lost_) return io_error("sync", path, "the power has failed");
  ++syncs_;
  if (std::exchange(fail_sync_, false)) {
    inode.dirty_pages.clear();
    return io_error("sync", path, "input/output error");
  }
  // Files do not shrink, and every byte beyond the durable end is in a dirty page or was lost by a
  // failed sync.
  if (inode.durable.size() < inode.current.size()) inode.durable.resize(inode.current.size());
  for (uint64_t page : inode.dirty_pages) {
    const uint64_t begin = page * kPageBytes;
    const size_t size = std::min<uint64_t>(kPageBytes, inode.current.size() - begin);
    inode.durable.replace(begin, size, inode.current, begin, size);
  }
  inode.dirty_pages.clear();
  return {};
}

void SimDisk::apply(const Change& change, Names& names) {
  switch (change.kind) {
    case Change::Kind::kCreate:
      names[change.path] = change.inode;
      return;
    case Change::Kind::kRename: {
      auto node = names.extract(change.path);
      CHECK(!node.empty());
      names[change.target] = std::move(node.mapped());
      return;
    }
    case Change::Kind::kRemove:
      names.erase(change.path);
      return;
  }
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path, bool create) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (!create) return io_error("open", path, "no such file");
    if (!names_.contains(folder_of(path))) return io_error("open", path, "no such folder");
    RETURN_IF_ERROR(begin_operation("create", path));
    journal_.push_back({Change::Kind::kCreate, path, {}, std::make_shared<Inode>()});
    apply(journal_.back(), names_);
    found = names_.find(path);
  }
  if (power_lost_) return io_error("open", path, "the power has failed");
  if (!found->second) return io_error("open", path, "it is a folder");
  return std::unique_ptr<File>(std::make_unique<SimFile>(*this, found->second, path, epoch_));
}

Result<std::vector<std::string>> SimDisk::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  if (power_lost_ || !names_.contains(folder)) return io_error("list", folder, "no such folder");
  std::vector<std::string> result;
  const std::string prefix = folder + "/";
  for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix);
       ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) result.push_back(name);
  }
  return result;
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(from);
  if (found == names_.end()) return io_error("rename", from, "no such file");
  CHECK(found->second != nullptr);
  RETURN_IF_ERROR(begin_operation("rename", from));
  history_.add(to);
  if (auto target = names_.find(to); target != names_.end() && target->second) {
    bytes_ -= target->second->current.size();
  }
  journal_.push_back({Change::Kind::kRename, from, to, {}});
  apply(journal_.back(), names_);
  if (power_lost_) return io_error("rename", from, "the power has failed");
  return {};
}

Status SimDisk::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  if (found == names_.end()) return io_error("remove", path, "no such file");
  if (!found->second) {
    auto next = names_.lower_bound(path + "/");
    if (next != names_.end() && next->first.starts_with(path + "/")) {
      return io_error("remove", path, "the folder is not empty");
    }
  }
  RETURN_IF_ERROR(begin_operation("remove", path));
  if (found->second) bytes_ -= found->second->current.size();
  journal_.push_back({Change::Kind::kRemove, path, {}, {}});
  apply(journal_.back(), names_);
  if (power_lost_) return io_error("remove", path, "the power has failed");
  return {};
}

Status SimDisk::create_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (names_.contains(path)) return {};
  RETURN_IF_ERROR(begin_operation("create", path));
  journal_.push_back({Change::Kind::kCreate, path, {}, {}});
  apply(journal_.back(), names_);
  if (power_lost_) return io_error("create", path, "the power has failed");
  return {};
}

bool SimDisk::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return names_.contains(path);
}

void SimDisk::make_durable(size_t changes) {
  for (size_t i = 0; i < changes; ++i) apply(journal_[i], durable_names_);
  journal_.erase(journal_.begin(), journal_.begin() + static_cast<ptrdiff_t>(changes));
}

Status SimDisk::sync_folder(const std::string& folder) {
  std::lock_guard lock(mutex_);
  if (!names_.contains(folder)) return io_error("sync", folder, "no such folder");
  RETURN_IF_ERROR(begin_operation("sync", folder));
  if (power_lost_) return io_error("sync", folder, "the power has failed");
  ++syncs_;
  if (std::exchange(fail_sync_, false)) return io_error("sync", folder, "input/output error");
  size_t changes = journal_.size();
  while (changes > 0 && folder_of(journal_[changes - 1].path) != folder &&
         folder_of(journal_[changes - 1].target) != folder) {
    --changes;
  }
  make_durable(changes);
  return {};
}

// What a file holds once the power is back.
void SimDisk::settle(Inode& inode, Random& random) {
  for (uint64_t page : inode.dirty_pages) {
    const uint64_t fate = random.below(5);  // two of five kept, two lost, one torn
    const uint64_t page_begin = page * kPageBytes;
    const uint64_t page_end = std::min<uint64_t>(page_begin + kPageBytes, inode.current.size());
    for (uint64_t begin = page_begin; begin < page_end; begin += kSectorBytes) {
      const bool kept = fate < 2 || (fate == 4 && random.one_in(2));
      if (!kept) continue;
      const size_t size = std::min<uint64_t>(kSectorBytes, page_end - begin);
      if (inode.durable.size() < begin + size) inode.durable.resize(begin + size);
      inode.durable.replace(begin, size, inode.current, begin, size);
    }
  }
  inode.dirty_pages.clear();
  inode.current = inode.durable;
}

void SimDisk::crash(Random& random) {
  std::lock_guard lock(mutex_);
  make_durable(random.below(journal_.size() + 1));
  journal_.clear();
  names_ = durable_names_;
  bytes_ = 0;
  for (auto& [path, inode] : names_) {
    if (!inode) continue;
    settle(*inode, random);
    bytes_ += inode->current.size();
  }
  ++epoch_;
  power_lost_ = fail_sync_ = fail_write_ = fail_read_ = false;
  operations_left_.reset();
}

bool SimDisk::power_lost() const {
  std::lock_guard lock(mutex_);
  return power_lost_;
}

std::string SimDisk::content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  CHECK(found != names_.end() && found->second);
  return found->second->current;
}

void SimDisk::set_content(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  auto& inode = names_[path];
  if (!inode) inode = std::make_shared<Inode>();
  bytes_ += content.size();
  bytes_ -= inode->current.size();
  inode->current = inode->durable = std::move(content);
  inode->dirty_pages.clear();
  durable_names_[path] = inode;
}

uint64_t SimDisk::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

uint64_t SimDisk::history() const {
  std::lock_guard lock(mutex_);
  return history_.value();
}

}  // namespace millrace::sim
