#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ops/catalog.h"
#include "core/store/lsn.h"

namespace millrace::streams {

// Identifiers in DynamoDB's shapes, because consumers parse them. All are pure functions of the log
// and are seen, kept and given back by clients: none may ever change for a change or shard that
// exists.

/// A range of partition-key hashes, both ends included.
struct HashRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;
  bool contains(uint64_t hash) const { return first <= hash && hash <= last; }
};

/// The range of shard `ordinal` of `count` equal ones.
HashRange shard_range(uint32_t ordinal, uint32_t count);

/// The 64ths of the hash space that a range touches, as a mask: bit i for the hashes whose top six
/// bits are i.
uint64_t slices_of(HashRange range);
inline uint32_t slice_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 58); }

/// `shardId-` + 20 digits + `-` + 8 hex digits.
std::string shard_id(Generation generation, const StreamDefinition& stream, uint32_t ordinal);
/// The ordinal of the stream's shard with this id.
std::optional<uint32_t> find_shard(Generation generation, const StreamDefinition& stream,
                                   std::string_view id);

/// 21 digits; ordered alike as text and as number.
void append_sequence_number(Lsn lsn, std::string& out);
std::string sequence_number(Lsn lsn);
/// Nothing if `text` is not one of ours.
std::optional<Lsn> parse_sequence_number(std::string_view text);

/// 32 hex digits, different for every LSN.
void append_event_id(Lsn lsn, std::string& out);

}  // namespace millrace::streams
