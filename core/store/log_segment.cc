#include "core/store/log_segment.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

// Persisted.
constexpr std::string_view kMagic = "MRLOGSEG";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kRewrittenVersion = 2;
constexpr size_t kRewrittenAt = 56;
constexpr size_t kChecksumBytes = 8;
constexpr std::string_view kSuffix = ".log";
constexpr size_t kDigits = 20;
constexpr size_t kLeftOutBytes = 16;

Error damaged(const char* what) { return make_error(ErrorCode::kCorruption, what); }

}  // namespace

std::string SegmentHeader::encode() const {
  std::string out(kMagic);
  put_fixed32(out, rewritten ? kRewrittenVersion : kVersion);
  put_fixed32(out, 0);
  put_fixed64(out, first_lsn);
  put_fixed64(out, previous_segment);
  put_fixed64(out, previous_checksum);
  put_fixed64(out, previous_lsn);
  put_fixed64(out, static_cast<uint64_t>(previous_time_ms));
  CHECK(out.size() == kRewrittenAt);
  if (rewritten) {
    put_fixed64(out, rewritten->times);
    put_fixed64(out, rewritten->last_lsn);
    put_fixed64(out, rewritten->last_checksum);
    put_fixed64(out, static_cast<uint64_t>(rewritten->last_time_ms));
    put_fixed64(out, rewritten->end);
    put_fixed64(out, rewritten->end_checksum);
    put_fixed64(out, rewritten->left_out_count);
    put_fixed64(out, rewritten->left_out_checksum);
  }
  put_fixed64(out, xxh3_64(out));
  return out;
}

Result<SegmentHeader> SegmentHeader::decode(std::string_view bytes) {
  if (bytes.size() < kBytes || !bytes.starts_with(kMagic)) {
    return damaged("no segment header");
  }
  const char* p = bytes.data();
  const uint32_t version = get_fixed32(p + 8);
  const size_t size = version == kRewrittenVersion ? kRewrittenBytes : kBytes;
  if (bytes.size() < size) return damaged("no segment header");
  const size_t checked = size - kChecksumBytes;
  if (get_fixed64(p + checked) != xxh3_64(bytes.substr(0, checked))) {
    return damaged("wrong checksum of a segment header");
  }
  if (version != kVersion && version != kRewrittenVersion) {
    return make_error(ErrorCode::kConfig, "is of log format " + std::to_string(version) +
                                              ", this release reads up to " +
                                              std::to_string(kRewrittenVersion) +
                                              "; use a newer release");
  }
  SegmentHeader header;
  header.first_lsn = get_fixed64(p + 16);
  header.previous_segment = get_fixed64(p + 24);
  header.previous_checksum = get_fixed64(p + 32);
  header.previous_lsn = get_fixed64(p + 40);
  header.previous_time_ms = static_cast<int64_t>(get_fixed64(p + 48));
  if (version == kVersion) return header;
  p += kRewrittenAt;
  header.rewritten =
      SegmentRewritten{get_fixed64(p),      get_fixed64(p + 8),
                       get_fixed64(p + 16), static_cast<int64_t>(get_fixed64(p + 24)),
                       get_fixed64(p + 32), get_fixed64(p + 40),
                       get_fixed64(p + 48), get_fixed64(p + 56)};
  if (header.rewritten->times == 0 || header.rewritten->end < kRewrittenFirstFrame) {
    return damaged("a segment header that cannot be");
  }
  return header;
}

std::string segment_file_name(Lsn first_lsn, uint64_t rewrites) {
  char name[kDigits + 1];
  std::snprintf(name, sizeof name, "%020llu", static_cast<unsigned long long>(first_lsn));
  std::string result(name);
  if (rewrites != 0) result.append("-").append(std::to_string(rewrites));
  return result.append(kSuffix);
}

std::optional<SegmentName> segment_of_file_name(std::string_view name) {
  if (!name.ends_with(kSuffix) || name.size() < kDigits + kSuffix.size()) return std::nullopt;
  SegmentName segment;
  for (char c : name.substr(0, kDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    segment.first_lsn = segment.first_lsn * 10 + static_cast<Lsn>(c - '0');
  }
  std::string_view rest = name.substr(kDigits, name.size() - kDigits - kSuffix.size());
  if (rest.starts_with('-')) {
    std::from_chars(rest.data() + 1, rest.data() + rest.size(), segment.rewrites);
  }
  if (segment_file_name(segment.first_lsn, segment.rewrites) != name) return std::nullopt;
  return segment;
}

std::string encode_left_out(const std::vector<LeftOut>& list) {
  std::string bytes;
  for (const LeftOut& left_out : list) {
    put_fixed64(bytes, left_out.generation);
    put_fixed64(bytes, left_out.last_lsn);
  }
  return bytes;
}

Result<std::vector<LeftOut>> read_left_out(const File& file, const SegmentRewritten& rewritten) {
  ASSIGN_OR_RETURN(const uint64_t size, file.size());
  if (rewritten.end > size || rewritten.left_out_count > (size - rewritten.end) / kLeftOutBytes) {
    return damaged("the file ends within what was left out of it");
  }
  std::string bytes;
  RETURN_IF_ERROR(file.read(rewritten.end, rewritten.left_out_count * kLeftOutBytes, bytes));
  if (bytes.size() != rewritten.left_out_count * kLeftOutBytes ||
      xxh3_64(bytes) != rewritten.left_out_checksum) {
    return damaged("wrong checksum of what was left out of it");
  }
  std::vector<LeftOut> list(rewritten.left_out_count);
  for (size_t i = 0; i < list.size(); ++i) {
    const char* p = bytes.data() + i * kLeftOutBytes;
    list[i] = {get_fixed64(p), get_fixed64(p + 8)};
  }
  return list;
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
  return above == marks.begin() ? header.first_frame().offset : std::prev(above)->offset;
}

}  // namespace millrace
