#include "streams/stream_ids.h"

#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace millrace::streams {
namespace {

constexpr size_t kLsnDigits = 20;
constexpr Lsn kLsnMax = (Lsn{1} << 53) - 1;

// A bijection of 64-bit numbers (SplitMix64's finalizer), so that ids differ whenever LSNs do.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void append_hex(uint64_t value, std::string& out) {
  char digits[16];
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  out.append(digits, sizeof digits);
}

}  // namespace

uint64_t slices_of(HashRange range) {
  uint32_t first = slice_of(range.first), last = slice_of(range.last);
  uint64_t up_to_last = last == 63 ? UINT64_MAX : (uint64_t{1} << (last + 1)) - 1;
  return up_to_last & ~((uint64_t{1} << first) - 1);
}

std::string shard_id(Generation generation, const StreamDefinition& stream, ShardName name) {
  std::string identity;
  put_fixed64(identity, generation);
  put_fixed64(identity, stream.enabled_at);
  // The ordinal's own digits keep shards of one moment apart and in order, which only those that
  // the stream began with are; the hash makes streams differ.
  uint32_t tail =
      (static_cast<uint32_t>(xxh3_64(identity)) & 0xfffff000u) | (name.ordinal & 0xfffu);
  char id[48];
  std::snprintf(id, sizeof id, "shardId-%020" PRId64 "-%08" PRIx32, name.created_ms, tail);
  return id;
}

const ShardDefinition* find_shard(Generation generation, const StreamDefinition& stream,
                                  std::string_view id) {
  constexpr size_t kPrefix = std::string_view("shardId-").size(), kDigits = 20;
  int64_t created_ms = 0;
  if (id.size() < kPrefix + kDigits) return nullptr;
  const char* end = id.data() + kPrefix + kDigits;
  if (std::from_chars(id.data() + kPrefix, end, created_ms).ptr != end) return nullptr;
  for (const ShardDefinition& shard : stream.shards) {
    if (shard.name.created_ms == created_ms && shard_id(generation, stream, shard.name) == id)
      return &shard;
  }
  return nullptr;
}

void append_sequence_number(Lsn lsn, std::string& out) {
  char digits[1 + kLsnDigits];
  for (size_t i = kLsnDigits; i > 0; --i, lsn /= 10) digits[i] = static_cast<char>('0' + lsn % 10);
  digits[0] = '1';
  out.append(digits, sizeof digits);
}

std::string sequence_number(Lsn lsn) {
  std::string out;
  append_sequence_number(lsn, out);
  return out;
}

std::optional<Lsn> parse_sequence_number(std::string_view text) {
  if (text.size() != 1 + kLsnDigits || text[0] != '1') return std::nullopt;
  Lsn lsn = 0;
  for (char c : text.substr(1)) {
    if (c < '0' || c > '9') return std::nullopt;
    lsn = lsn * 10 + static_cast<Lsn>(c - '0');
    if (lsn > kLsnMax) return std::nullopt;
  }
  return lsn;
}

void append_event_id(Lsn lsn, std::string& out) {
  append_hex(mix(lsn), out);
  append_hex(mix(~lsn), out);
}

}  // namespace millrace::streams
