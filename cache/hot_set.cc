#include "cache/hot_set.h"

#include <algorithm>
#include <memory>

#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "core/model/schema.h"

namespace millrace::cache {
namespace {

// Persisted.
constexpr std::string_view kMagic = "MLRHOT01";
constexpr size_t kChecksumBytes = 8;

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
    keys_bytes_ -= by_heat_[coldest].size();
    std::string().swap(by_heat_[coldest]);
  }
  by_heat_[heat] += prefixed;
  keys_bytes_ += prefixed.size();
}

std::string HotSetBuilder::finish() const {
  std::string file(kMagic);
  file.reserve(kMagic.size() + keys_bytes_ + kChecksumBytes);
  for (auto keys = by_heat_.rbegin(); keys != by_heat_.rend(); ++keys) file += *keys;
  put_fixed64(file, xxh3_64(file));
  return file;
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

Status save_hot_set(Disk& disk, const std::string& path, std::string_view file) {
  const std::string unfinished = path + ".tmp";
  if (disk.exists(unfinished)) RETURN_IF_ERROR(disk.remove(unfinished));
  Status written;
  {
    ASSIGN_OR_RETURN(std::unique_ptr<File> opened, disk.open(unfinished, /*create=*/true));
    written = opened->write(0, file);
  }
  if (!written) {
    // Half a file would only take room.
    static_cast<void>(disk.remove(unfinished));
    return written;
  }
  return disk.rename(unfinished, path);
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
