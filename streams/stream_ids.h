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

/// The 64ths of the hash space that a range touches, as a mask: bit i for the hashes whose top six
/// bits are i.
uint64_t slices_of(HashRange range);
inline uint32_t slice_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 58); }

/// `shardId-` + 20 digits + `-` + 8 hex digits. A stream's ids sort as its shards' ordinals do.
std::string shard_id(Generation generation, const StreamDefinition& stream, ShardName name);
/// The stream's shard with this id; null if it has none such (any more).
const ShardDefinition* find_shard(Generation generation, const StreamDefinition& stream,
                                  std::string_view id);

/// 21 digits; ordered alike as text and as number.
void append_sequence_number(Lsn lsn, std::string& out);
std::string sequence_number(Lsn lsn);
/// Nothing if `text` is not one of ours.
std::optional<Lsn> parse_sequence_number(std::string_view text);

/// 32 hex digits, different for every LSN.
void append_event_id(Lsn lsn, std::string& out);

}  // namespace millrace::streams
