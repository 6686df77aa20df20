#include "core/ops/stream_definition.h"

#include "core/base/check.h"

namespace millrace {

HashRange equal_range(uint32_t index, uint32_t count) {
  CHECK(index < count);
  // 2^64 / count and the remainder, without 128 bits; for one range, whose only boundary is 0, not
  // needed.
  uint64_t quotient = UINT64_MAX / count, remainder = UINT64_MAX % count + 1;
  if (remainder == count) ++quotient, remainder = 0;
  auto boundary = [=](uint64_t i) { return i * quotient + i * remainder / count; };
  return {boundary(index), index + 1 == count ? UINT64_MAX : boundary(index + 1) - 1};
}

void StreamDefinition::open_shards(uint32_t count) {
  CHECK(shards.empty() && count > 0);
  initial_shards = count;
  for (uint32_t i = 0; i < count; ++i) {
    ShardDefinition shard;
    shard.name = {i, created_ms};
    shard.range = equal_range(i, count);
    shard.opened_at = enabled_at;
    shards.push_back(shard);
  }
}

void StreamDefinition::disable(Lsn lsn, int64_t now_ms) {
  disabled_at = lsn;
  disabled_time_ms = now_ms;
  for (ShardDefinition& shard : shards) {
    if (shard.closed_at) continue;
    shard.closed_at = lsn;
    shard.closed_ms = now_ms;
  }
}

}  // namespace millrace
