#include "core/store/manifest_end.h"

#include <algorithm>
#include <boost/crc.hpp>
#include <cstdint>
#include <optional>

#include "core/base/bytes.h"

namespace millrace {
namespace {

constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;  // masked CRC-32C:u32, length:u16, type:u8
constexpr uint8_t kFull = 1, kLast = 4;

// Of the type and what follows it, masked as LevelDB does.
uint32_t masked_crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8U;
}

struct Fragment {
  uint8_t type;
  size_t end;
};

// The whole and right fragment at `offset`, if there is one.
std::optional<Fragment> fragment_at(std::string_view bytes, size_t offset) {
  if (offset + kHeaderBytes > bytes.size()) return std::nullopt;
  const char* header = bytes.data() + offset;
  const size_t length = static_cast<uint8_t>(header[4]) | static_cast<uint8_t>(header[5]) << 8;
  const auto type = static_cast<uint8_t>(header[6]);
  const size_t end = offset + kHeaderBytes + length;
  const size_t block_end = offset / kBlockBytes * kBlockBytes + kBlockBytes;
  if (type < kFull || type > kLast || end > std::min(block_end, bytes.size())) return std::nullopt;
  if (masked_crc32c(bytes.substr(offset + 6, 1 + length)) != get_fixed32(header)) {
    return std::nullopt;
  }
  return Fragment{type, end};
}

}  // namespace

size_t manifest_end(std::string_view bytes) {
  size_t offset = 0;
  size_t end = 0;  // of the last whole record
  while (offset < bytes.size()) {
    if (kBlockBytes - offset % kBlockBytes < kHeaderBytes) {
      offset = (offset / kBlockBytes + 1) * kBlockBytes;  // a block's trailer
      continue;
    }
    const auto fragment = fragment_at(bytes, offset);
    if (!fragment) break;
    offset = fragment->end;
    if (fragment->type == kFull || fragment->type == kLast) end = offset;
  }
  if (offset >= bytes.size()) return offset == end ? bytes.size() : end;
  for (size_t later = offset + 1; later + kHeaderBytes <= bytes.size(); ++later) {
    const auto fragment = fragment_at(bytes, later);
    // A fragment that ends a record may be of the very record that is torn.
    if (fragment && fragment->type < 3) return bytes.size();
  }
  return end;
}

}  // namespace millrace
