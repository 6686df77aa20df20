#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/result.h"
#include "core/ops/stream_definition.h"

namespace millrace::streams {

// How the shards of a stream come and go (README.md). Each function is one change of a definition,
// as part of the entry with this LSN and time; its errors (kValidation) say why it cannot be, and
// then nothing has changed.

struct Moment {
  Lsn lsn = 0;
  int64_t time_ms = 0;
};

/// Shards that a definition holds, closed ones included: it is one item, written anew at each
/// change.
inline constexpr size_t kShardsRemembered = 2048;

/// Closes a shard and opens two: its range below `at`, and from there on. `at` none: its middle.
Status split_shard(StreamDefinition& stream, uint32_t ordinal, std::optional<uint64_t> at,
                   Moment moment);

/// Closes two neighbours and opens one for both ranges. It names `named` as its parent, so a
/// consumer that reads parents first reads it without having read `other`: see unguarded_from().
Status merge_shards(StreamDefinition& stream, uint32_t named, uint32_t other, Moment moment);

/// Of two open neighbours: the first LSN from which a change in the range of `other` lies in no
/// ancestor of `named`. The two may be merged once no change of that range from there on is shown.
/// Errors as merge_shards().
Result<Lsn> unguarded_from(const StreamDefinition& stream, uint32_t named, uint32_t other);

/// Closes each of these shards and opens one for the same range.
Status roll_over(StreamDefinition& stream, std::span<const uint32_t> ordinals, Moment moment);

/// Nothing up to `lsn` is shown any more.
Status trim_stream(StreamDefinition& stream, Lsn lsn, Moment moment);

/// Forgets the shards that were closed at or before `closed_ms`, but for the newest: its ordinal is
/// the last that was used.
void forget_shards(StreamDefinition& stream, int64_t closed_ms);

std::vector<uint32_t> open_ordinals(const StreamDefinition& stream);

}  // namespace millrace::streams
