#include "streams/lineage.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace millrace::streams {
namespace {

Error refused(std::string message) { return validation_error(std::move(message)); }

Result<const ShardDefinition*> open_shard(const StreamDefinition& stream, uint32_t ordinal) {
  const ShardDefinition* shard = stream.find_shard(ordinal);
  if (shard == nullptr) return refused("the stream has no such shard");
  if (shard->closed_at) return refused("the shard is closed already");
  return shard;
}

Status check_room(const StreamDefinition& stream, size_t opened) {
  if (stream.shards.size() + opened <= kShardsRemembered) return {};
  return refused("the stream has " + std::to_string(stream.shards.size()) +
                 " shards, most of them closed, and may have " + std::to_string(kShardsRemembered) +
                 "; wait until those that were closed are not shown any more");
}

void close_shard(StreamDefinition& stream, uint32_t ordinal, Moment moment) {
  ShardDefinition* shard = stream.find_shard(ordinal);
  shard->closed_at = moment.lsn;
  shard->closed_ms = moment.time_ms;
}

// Each has a time of its own, so that ids sort by it and no two shards share one.
ShardName open_child(StreamDefinition& stream, ShardName parent, HashRange range, Moment moment) {
  const ShardName newest = stream.shards.back().name;
  ShardDefinition shard;
  shard.name = {newest.ordinal + 1, std::max(moment.time_ms, newest.created_ms + 1)};
  shard.range = range;
  shard.parent = parent;
  shard.opened_at = moment.lsn;
  stream.shards.push_back(shard);
  return shard.name;
}

bool neighbours(HashRange one, HashRange other) {
  if (other.first < one.first) std::swap(one, other);
  return one.last != UINT64_MAX && one.last + 1 == other.first;
}

Status check_merge(const StreamDefinition& stream, uint32_t named, uint32_t other) {
  ASSIGN_OR_RETURN(const ShardDefinition* one, open_shard(stream, named));
  ASSIGN_OR_RETURN(const ShardDefinition* two, open_shard(stream, other));
  if (named == other) return refused("a shard cannot be merged with itself; name its neighbour");
  if (!neighbours(one->range, two->range))
    return refused("the shards are not neighbours: their hash ranges do not meet");
  return check_room(stream, 1);
}

}  // namespace

Status split_shard(StreamDefinition& stream, uint32_t ordinal, std::optional<uint64_t> at,
                   Moment moment) {
  ASSIGN_OR_RETURN(const ShardDefinition* shard, open_shard(stream, ordinal));
  const ShardDefinition parent = *shard;
  const uint64_t boundary =
      at.value_or(parent.range.first + (parent.range.last - parent.range.first) / 2 + 1);
  if (boundary <= parent.range.first || boundary > parent.range.last) {
    return refused("a shard of the hashes " + std::to_string(parent.range.first) + " to " +
                   std::to_string(parent.range.last) + " cannot be split at " +
                   std::to_string(boundary) + ", which leaves one part empty");
  }
  if (open_ordinals(stream).size() >= StreamDefinition::kOpenShardsMax) {
    return refused("the stream has " + std::to_string(StreamDefinition::kOpenShardsMax) +
                   " open shards, which is the most that it can have");
  }
  RETURN_IF_ERROR(check_room(stream, 2));
  close_shard(stream, ordinal, moment);
  open_child(stream, parent.name, {parent.range.first, boundary - 1}, moment);
  open_child(stream, parent.name, {boundary, parent.range.last}, moment);
  return {};
}

Status merge_shards(StreamDefinition& stream, uint32_t named, uint32_t other, Moment moment) {
  RETURN_IF_ERROR(check_merge(stream, named, other));
  const ShardDefinition parent = *stream.find_shard(named);
  const HashRange range = stream.find_shard(other)->range;
  close_shard(stream, named, moment);
  close_shard(stream, other, moment);
  const ShardName child = open_child(
      stream, parent.name,
      {std::min(parent.range.first, range.first), std::max(parent.range.last, range.last)}, moment);
  stream.find_shard(other)->merged_into = child.ordinal;
  return {};
}

Result<Lsn> unguarded_from(const StreamDefinition& stream, uint32_t named, uint32_t other) {
  RETURN_IF_ERROR(check_merge(stream, named, other));
  std::set<uint32_t> ancestors;
  for (auto it = stream.find_shard(named); it != nullptr && it->parent;) {
    ancestors.insert(it->parent->ordinal);
    it = stream.find_shard(it->parent->ordinal);
  }
  // Down from the nearest ancestor that both have, the two go separate ways. What that ancestor and
  // those before it hold of the range is read before `named` is.
  for (auto it = stream.find_shard(other); it != nullptr && it->parent;) {
    if (ancestors.contains(it->parent->ordinal)) return it->opened_at + 1;
    it = stream.find_shard(it->parent->ordinal);
  }
  return stream.enabled_at + 1;
}

Status roll_over(StreamDefinition& stream, std::span<const uint32_t> ordinals, Moment moment) {
  for (uint32_t ordinal : ordinals) RETURN_IF_ERROR(open_shard(stream, ordinal));
  RETURN_IF_ERROR(check_room(stream, ordinals.size()));
  for (uint32_t ordinal : ordinals) {
    const ShardDefinition parent = *stream.find_shard(ordinal);
    // Named twice.
    if (parent.closed_at) continue;
    close_shard(stream, ordinal, moment);
    open_child(stream, parent.name, parent.range, moment);
  }
  return {};
}

Status trim_stream(StreamDefinition& stream, Lsn lsn, Moment moment) {
  if (lsn >= moment.lsn) return refused("the stream cannot be trimmed beyond its newest change");
  stream.trimmed_through = std::max(stream.trimmed_through, lsn);
  return {};
}

void forget_shards(StreamDefinition& stream, int64_t closed_ms) {
  const uint32_t newest = stream.shards.back().name.ordinal;
  std::erase_if(stream.shards, [&](const ShardDefinition& shard) {
    return shard.closed_at && shard.closed_ms <= closed_ms && shard.name.ordinal != newest;
  });
}

std::vector<uint32_t> open_ordinals(const StreamDefinition& stream) {
  std::vector<uint32_t> open;
  for (const ShardDefinition& shard : stream.shards) {
    if (!shard.closed_at) open.push_back(shard.name.ordinal);
  }
  return open;
}

}  // namespace millrace::streams
