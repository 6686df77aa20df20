#include "streams/shard_file.h"

#include <cinttypes>
#include <cstdio>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace millrace::streams {
namespace {

constexpr std::string_view kMagic = "MRSHARDS";  // persisted
constexpr size_t kDirectoryEntryBytes = 24;
constexpr size_t kChecksumBytes = 8;

}  // namespace

std::string ShardFile::encode(Lsn segment, Lsn last_lsn, const SegmentPostings& postings) {
  std::string lists, directory;
  for (const auto& [generation, list] : postings) {
    put_fixed64(directory, generation);
    put_fixed64(directory, lists.size());
    put_fixed64(directory, list.bytes().size());
    lists.append(list.bytes());
  }
  std::string bytes;
  bytes.reserve(kHeaderBytes + directory.size() + lists.size() + kChecksumBytes);
  bytes.append(kMagic);
  put_fixed32(bytes, kVersion);
  put_fixed32(bytes, static_cast<uint32_t>(postings.size()));
  put_fixed64(bytes, segment);
  put_fixed64(bytes, last_lsn);
  put_fixed64(bytes, lists.size());
  bytes.append(directory).append(lists);
  put_fixed64(bytes, xxh3_64(bytes));
  return bytes;
}

Result<std::shared_ptr<const ShardFile>> ShardFile::parse(std::string bytes, Lsn segment,
                                                          Lsn last_lsn) {
  const auto damaged = [&](const char* what) {
    return make_error(ErrorCode::kCorruption, "shard index " + name_of({segment}) + ": " + what);
  };
  if (bytes.size() < kHeaderBytes + kChecksumBytes || !bytes.starts_with(kMagic)) {
    return damaged("not an index file");
  }
  size_t checked = bytes.size() - kChecksumBytes;
  if (get_fixed64(bytes.data() + checked) != xxh3_64(std::string_view(bytes).substr(0, checked))) {
    return damaged("its checksum does not match");
  }
  if (get_fixed32(bytes.data() + 8) != kVersion) return damaged("its version is not known");
  if (get_fixed64(bytes.data() + 16) != segment) return damaged("it belongs to another segment");
  if (get_fixed64(bytes.data() + 24) != last_lsn) return damaged("its segment ends elsewhere");
  uint64_t generations = get_fixed32(bytes.data() + 12);
  uint64_t lists = get_fixed64(bytes.data() + 32);
  if (kHeaderBytes + generations * kDirectoryEntryBytes + lists != checked) {
    return damaged("its parts do not fit its size");
  }
  for (uint64_t i = 0; i < generations; ++i) {
    const char* entry = bytes.data() + kHeaderBytes + i * kDirectoryEntryBytes;
    uint64_t offset = get_fixed64(entry + 8), size = get_fixed64(entry + 16);
    if (offset > lists || size > lists - offset) return damaged("a list lies outside of it");
  }
  std::shared_ptr<ShardFile> file(new ShardFile);
  file->bytes_ = std::move(bytes);
  file->generations_ = static_cast<uint32_t>(generations);
  return std::shared_ptr<const ShardFile>(std::move(file));
}

std::string ShardFile::name_of(SegmentName segment) {
  std::string name = segment_file_name(segment.first_lsn, segment.rewrites);
  return name.replace(name.rfind('.'), std::string::npos, ".idx");
}

std::string_view ShardFile::list(Generation generation) const {
  const char* directory = bytes_.data() + kHeaderBytes;
  size_t low = 0, high = generations_;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (get_fixed64(directory + middle * kDirectoryEntryBytes) < generation) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const char* entry = directory + low * kDirectoryEntryBytes;
  if (low == generations_ || get_fixed64(entry) != generation) return {};
  const char* lists = directory + generations_ * kDirectoryEntryBytes;
  return {lists + get_fixed64(entry + 8), get_fixed64(entry + 16)};
}

}  // namespace millrace::streams
