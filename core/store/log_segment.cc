#include "core/store/log_segment.h"

#include <algorithm>
#include <cstdio>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

// Persisted.
constexpr std::string_view kMagic = "MRLOGSEG";
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumAt = 56;
constexpr std::string_view kSuffix = ".log";
constexpr size_t kDigits = 20;

}  // namespace

std::string SegmentHeader::encode() const {
  std::string out(kMagic);
  put_fixed32(out, kVersion);
  put_fixed32(out, 0);
  put_fixed64(out, first_lsn);
  put_fixed64(out, previous_segment);
  put_fixed64(out, previous_checksum);
  put_fixed64(out, previous_lsn);
  put_fixed64(out, static_cast<uint64_t>(previous_time_ms));
  CHECK(out.size() == kChecksumAt);
  put_fixed64(out, xxh3_64(out));
  return out;
}

Result<SegmentHeader> SegmentHeader::decode(std::string_view bytes) {
  if (bytes.size() < kBytes || !bytes.starts_with(kMagic)) {
    return make_error(ErrorCode::kCorruption, "no segment header");
  }
  const char* p = bytes.data();
  if (get_fixed64(p + kChecksumAt) != xxh3_64(bytes.substr(0, kChecksumAt))) {
    return make_error(ErrorCode::kCorruption, "wrong checksum of a segment header");
  }
  const uint32_t version = get_fixed32(p + 8);
  if (version != kVersion) {
    return make_error(ErrorCode::kConfig, "is of log format " + std::to_string(version) +
                                              ", this release reads up to " +
                                              std::to_string(kVersion) + "; use a newer release");
  }
  SegmentHeader header;
  header.first_lsn = get_fixed64(p + 16);
  header.previous_segment = get_fixed64(p + 24);
  header.previous_checksum = get_fixed64(p + 32);
  header.previous_lsn = get_fixed64(p + 40);
  header.previous_time_ms = static_cast<int64_t>(get_fixed64(p + 48));
  return header;
}

std::string segment_file_name(Lsn first_lsn) {
  char name[kDigits + 5];
  std::snprintf(name, sizeof name, "%020llu.log", static_cast<unsigned long long>(first_lsn));
  return name;
}

std::optional<Lsn> segment_of_file_name(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  Lsn lsn = 0;
  for (char c : name.substr(0, kDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    lsn = lsn * 10 + static_cast<Lsn>(c - '0');
  }
  return lsn;
}

void LogSegment::extend(const Frame& frame) {
  const uint64_t offset = frame.position().offset;
  if (marks.empty() || offset >= marks.back().offset + kMarkBytes) {
    marks.push_back({frame.first_lsn(), offset});
  }
  last_lsn = frame.last_lsn();
  last_time_ms = frame.last_time_ms();
  end = offset + frame.size();
  file_bytes = std::max(file_bytes, end);
}

uint64_t LogSegment::offset_below(Lsn lsn) const {
  auto above = std::upper_bound(marks.begin(), marks.end(), lsn,
                                [](Lsn l, const SegmentMark& mark) { return l < mark.first_lsn; });
  return above == marks.begin() ? SegmentHeader::kBytes : std::prev(above)->offset;
}

}  // namespace millrace
