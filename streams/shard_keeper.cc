#include "streams/shard_keeper.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "streams/lineage.h"

namespace millrace::streams {
namespace {

using SliceCounts = ShardIndex::SliceCounts;

constexpr int64_t kNsPerMs = 1'000'000;
// A split after which one part had less than this part of the load would not help: most of it is
// one 64th of the hash space, or one item.
constexpr uint64_t kPartMin = 8;

uint64_t load_of(HashRange range, const SliceCounts& load) {
  return std::accumulate(load.begin() + slice_of(range.first),
                         load.begin() + slice_of(range.last) + 1, uint64_t{0});
}

std::vector<const ShardDefinition*> open_shards(const StreamDefinition& stream) {
  std::vector<const ShardDefinition*> open;
  for (const ShardDefinition& shard : stream.shards) {
    if (!shard.closed_at) open.push_back(&shard);
  }
  return open;
}

// The first hash of the upper part, where the load halves best; none if no split would help.
std::optional<uint64_t> halving(HashRange range, const SliceCounts& load) {
  const uint64_t all = load_of(range, load);
  uint64_t below = 0, best_least = 0;
  std::optional<uint64_t> best;
  for (uint64_t slice = slice_of(range.first); slice < slice_of(range.last); ++slice) {
    below += load[slice];
    const uint64_t least = std::min(below, all - below);
    if (least <= best_least) continue;
    best_least = least;
    best = (slice + 1) << 58;
  }
  return best_least * kPartMin >= all ? best : std::nullopt;
}

}  // namespace

ShardKeeper::ShardKeeper(const Catalog& catalog, const Streams& streams, ShardIndex& index,
                         LineageControl& control, const Clock& clock, ShardKeeperOptions options)
    : catalog_(catalog),
      streams_(streams),
      index_(index),
      control_(control),
      clock_(clock),
      options_(options),
      under_way_(std::make_shared<UnderWay>()),
      window_from_ns_(clock.monotonic_ns()) {
  index_.take_load(clock.wall_ms());
}

void ShardKeeper::step() {
  const int64_t now_ns = clock_.monotonic_ns();
  const double seconds = static_cast<double>(now_ns - window_from_ns_) / 1e9;
  if (now_ns - window_from_ns_ < kWindowMs * kNsPerMs) return;
  window_from_ns_ = now_ns;
  const ShardIndex::Load load = index_.take_load(clock_.wall_ms());
  const SliceCounts none{};
  std::erase_if(merges_asked_ns_, [this](const auto& asked) {
    return catalog_.find(asked.first.generation) == nullptr;
  });
  for (const TablePtr& table : catalog_.tables()) {
    if (table->enabled_stream() == nullptr) continue;
    auto found = load.find(table->generation);
    keep(*table, found == load.end() ? none : found->second, seconds);
  }
}

void ShardKeeper::keep(const Table& table, const SliceCounts& load, double seconds) {
  const StreamDefinition& stream = *table.enabled_stream();
  const StreamKey key{table.generation, stream.enabled_at};
  if (under_way_->has(key)) return;
  if (split_hottest(key, stream, load, seconds) || roll_over_due(key, stream, load)) return;
  merge_cold(key, stream, load, seconds);
}

bool ShardKeeper::split_hottest(StreamKey key, const StreamDefinition& stream,
                                const SliceCounts& load, double seconds) {
  const std::vector<const ShardDefinition*> open = open_shards(stream);
  if (open.size() >= StreamDefinition::kOpenShardsMax) return false;
  const auto hottest = std::max_element(open.begin(), open.end(), [&](auto* one, auto* other) {
    return load_of(one->range, load) < load_of(other->range, load);
  });
  const double limit = static_cast<double>(options_.split_writes_per_second) * seconds;
  if (static_cast<double>(load_of((*hottest)->range, load)) <= limit) return false;
  const std::optional<uint64_t> at = halving((*hottest)->range, load);
  if (!at) return false;
  submit(key, SplitShard{(*hottest)->name.ordinal, at});
  return true;
}

bool ShardKeeper::roll_over_due(StreamKey key, const StreamDefinition& stream,
                                const SliceCounts& load) {
  const int64_t created_ms = streams_.now_ms() - options_.shard_age_ms;
  RollOver due;
  for (const ShardDefinition* shard : open_shards(stream)) {
    if (shard->name.created_ms <= created_ms && load_of(shard->range, load) > 0)
      due.ordinals.push_back(shard->name.ordinal);
  }
  if (due.ordinals.empty()) return false;
  submit(key, std::move(due));
  return true;
}

void ShardKeeper::merge_cold(StreamKey key, const StreamDefinition& stream, const SliceCounts& load,
                             double seconds) {
  std::vector<const ShardDefinition*> open = open_shards(stream);
  if (open.size() <= stream.initial_shards) {
    merges_asked_ns_.erase(key);
    return;
  }
  auto [asked, first] = merges_asked_ns_.try_emplace(key, window_from_ns_);
  if (first || window_from_ns_ - asked->second < kMergeIntervalMs * kNsPerMs) return;
  asked->second = window_from_ns_;
  std::sort(open.begin(), open.end(),
            [](auto* one, auto* other) { return one->range.first < other->range.first; });
  const double limit = static_cast<double>(options_.split_writes_per_second) * seconds / 2;
  for (size_t i = 0; i + 1 < open.size() && !under_way_->has(key); ++i) {
    const HashRange both{open[i]->range.first, open[i + 1]->range.last};
    if (static_cast<double>(load_of(both, load)) > limit) continue;
    // One that would break the order is refused at once; then the next pair is asked for.
    submit(key, MergeShards{open[i]->name.ordinal, open[i + 1]->name.ordinal});
  }
}

void ShardKeeper::submit(StreamKey key, LineageChange change) {
  {
    std::lock_guard lock(under_way_->mutex);
    under_way_->streams.insert(key);
  }
  // What was refused is looked at again in the next window.
  control_.submit(key, std::move(change), [under_way = under_way_, key](const auto&) {
    std::lock_guard lock(under_way->mutex);
    under_way->streams.erase(key);
  });
}

}  // namespace millrace::streams
