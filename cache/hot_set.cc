#include "cache/hot_set.h"

#include <algorithm>
#include <utility>

#include "core/base/bytes.h"
#include "core/model/schema.h"

namespace millrace::cache {
namespace {

// Persisted.
constexpr std::string_view kMagic = "MLRHOT01";
constexpr size_t kChecksumBytes = 8;

constexpr size_t kPieceBytes = 64u << 10;

/// Generation, hash and length of the partition key, and the keys themselves.
constexpr size_t kStoreKeyBytesMax = 8 + 8 + 2 + kPartitionKeyBytesMax + kSortKeyBytesMax;

Error damaged(const char* what) { return make_error(ErrorCode::kCorruption, what); }

bool is_user_key(std::string_view key) {
  if (key.size() > kStoreKeyBytesMax) return false;
  const Result<StoreKeyView> parts = split_store_key(key);
  return parts && parts->generation >= kFirstUserGeneration;
}

}  // namespace

HotSetBuilder::HotSetBuilder(size_t bytes_max)
    : keys_bytes_max_(bytes_max - std::min(bytes_max, kMagic.size() + kChecksumBytes)) {}

void HotSetBuilder::add(std::string_view key, uint8_t heat) {
  std::string prefixed;
  put_length_prefixed(prefixed, key);
  if (prefixed.size() > keys_bytes_max_) return;
  for (uint8_t coldest = 0; keys_bytes_ + prefixed.size() > keys_bytes_max_; ++coldest) {
    if (coldest >= heat) return;
    keys_bytes_ -= by_heat_[coldest].bytes;
    by_heat_[coldest] = {};
  }
  Keys& keys = by_heat_[heat];
  if (keys.pieces.empty() || keys.pieces.back().size() >= kPieceBytes) keys.pieces.emplace_back();
  keys.pieces.back() += prefixed;
  keys.bytes += prefixed.size();
  keys_bytes_ += prefixed.size();
}

std::optional<std::string> HotSetBuilder::take() {
  std::string piece;
  switch (next_) {
    case Next::kNothing:
      return std::nullopt;
    case Next::kMagic:
      piece = kMagic;
      next_ = Next::kKeys;
      break;
    case Next::kKeys:
      piece = take_keys();
      if (!piece.empty()) break;
      put_fixed64(piece, checksum_.digest());
      next_ = Next::kNothing;
      return piece;
  }
  checksum_.update(piece);
  return piece;
}

std::string HotSetBuilder::take_keys() {
  for (auto keys = by_heat_.rbegin(); keys != by_heat_.rend(); ++keys) {
    if (keys->pieces.empty()) continue;
    std::string piece = std::move(keys->pieces.front());
    keys->pieces.pop_front();
    return piece;
  }
  return {};
}

Result<std::string_view> keys_of_hot_set(std::string_view file) {
  if (file.size() < kMagic.size() + kChecksumBytes) return damaged("it is too short");
  if (file.substr(0, kMagic.size()) != kMagic)
    return damaged("it is no such file, or of another version");
  const std::string_view checked = file.substr(0, file.size() - kChecksumBytes);
  if (get_fixed64(checked.data() + checked.size()) != xxh3_64(checked))
    return damaged("its checksum is wrong");
  const std::string_view keys = checked.substr(kMagic.size());
  for (ByteReader reader(keys); !reader.empty();) {
    std::string_view key;
    if (!reader.length_prefixed(key) || !is_user_key(key))
      return damaged("it holds what is no key");
  }
  return keys;
}

HotSetFile::HotSetFile(Disk& disk, std::string path)
    : disk_(disk), path_(std::move(path)), unfinished_(path_ + ".tmp") {}

Status HotSetFile::open() {
  if (disk_.exists(unfinished_)) RETURN_IF_ERROR(disk_.remove(unfinished_));
  ASSIGN_OR_RETURN(file_, disk_.open(unfinished_, /*create=*/true));
  return {};
}

Status HotSetFile::append(std::string_view piece) {
  if (file_ == nullptr) RETURN_IF_ERROR(open());
  const Status written = file_->write(bytes_, piece);
  if (!written) {
    // Half a file would only take room.
    file_.reset();
    static_cast<void>(disk_.remove(unfinished_));
    return written;
  }
  // Or the rename would hand on all at once, and commits wait behind that.
  file_->write_back(bytes_, piece.size());
  bytes_ += piece.size();
  return {};
}

Status HotSetFile::finish() {
  file_.reset();
  return disk_.rename(unfinished_, path_);
}

Result<std::string> load_hot_set(Disk& disk, const std::string& path) {
  std::string file;
  if (!disk.exists(path)) return file;
  ASSIGN_OR_RETURN(std::unique_ptr<File> opened, disk.open(path, /*create=*/false));
  ASSIGN_OR_RETURN(const uint64_t size, opened->size());
  if (size > kHotSetBytesMax) return damaged("it is too large");
  RETURN_IF_ERROR(opened->read(0, size, file));
  return file;
}

}  // namespace millrace::cache
