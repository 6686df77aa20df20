// CPU of the item cache in process: items of 1.2 KB in ten string attributes. The argument is the
// number of entries. BM_hit with threads shows what the shards' locks cost.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "../cache_fixture.h"
#include "cache/item_cache.h"
#include "core/base/random.h"

namespace millrace::cache {
namespace {

constexpr size_t kPlentyBytes = 1u << 30;

std::string item_1200() {
  ItemTree item;
  for (int i = 0; i < 10; ++i) {
    item["attribute" + std::to_string(i)] = Value::string(std::string(109, 'a'));
  }
  return encode_item(item);
}

std::vector<std::string> keys_of(size_t count) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(key_named("user#" + std::to_string(i)));
  return keys;
}

/// Frames of 16 changes over all keys, in random order, as if each had LSNs from `first_lsn` on.
std::vector<FramePtr> frames_of(const std::vector<std::string>& keys, Lsn& lsn) {
  std::vector<std::string> shuffled = keys;
  Random random(7);
  for (size_t i = shuffled.size() - 1; i > 0; --i) {
    std::swap(shuffled[i], shuffled[random.below(i + 1)]);
  }
  const std::string item = item_1200();
  std::vector<FramePtr> frames;
  for (size_t i = 0; i < shuffled.size(); i += 16) {
    std::vector<TestChange> changes;
    for (size_t j = i; j < std::min(i + 16, shuffled.size()); ++j) {
      changes.push_back({shuffled[j], item});
    }
    frames.push_back(frame_of(lsn, changes));
    lsn += changes.size();
  }
  return frames;
}

struct Warm {
  explicit Warm(size_t entries, size_t bytes_max = kPlentyBytes)
      : keys(keys_of(entries)), cache({.bytes_max = bytes_max, .policy = {}, .shards = 0}, clock) {
    for (const FramePtr& frame : frames_of(keys, next_lsn)) cache.on_commit(frame);
  }
  bool get(const std::string& key, std::string& out) {
    return cache.find(
               key, next_lsn, ItemForm::kWire,
               [&](const CachedAnswer& answer) { out.assign(answer.bytes); },
               nullptr) == ReadCache::Outcome::kHit;
  }

  SystemClock clock;
  std::vector<std::string> keys;
  Lsn next_lsn = 1;
  ItemCache cache;
};

std::unique_ptr<Warm> shared_warm;

void set_up_warm(const benchmark::State& state) {
  shared_warm = std::make_unique<Warm>(static_cast<size_t>(state.range(0)));
  std::string out;
  for (const std::string& key : shared_warm->keys) shared_warm->get(key, out);
}
void tear_down_warm(const benchmark::State&) { shared_warm.reset(); }

/// Reads of random keys, each built as a request's handler would have just built it, so that it is
/// in the processor's cache when the item is not. `base` measures what is not the cache's.
void read_random(benchmark::State& state, bool base) {
  Warm& warm = *shared_warm;
  Random random(static_cast<uint64_t>(state.thread_index()) + 1);
  std::vector<uint32_t> order(1 << 16);
  for (uint32_t& number : order) number = static_cast<uint32_t>(random.below(warm.keys.size()));
  std::string out, name, key;
  size_t i = 0;
  for (auto _ : state) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, order[i++ & 0xffff]).ptr;
    name.assign("user#").append(digits, end);
    key.clear();
    append_partition_prefix(kTestGeneration, name, key);
    if (!base && !warm.get(key, out)) state.SkipWithError("not a hit");
    benchmark::DoNotOptimize(key.data());
    benchmark::DoNotOptimize(out.data());
  }
}
void BM_build_key(benchmark::State& state) { read_random(state, true); }
BENCHMARK(BM_build_key)->Setup(set_up_warm)->Teardown(tear_down_warm)->Arg(1000)->Arg(100'000);
void BM_hit(benchmark::State& state) { read_random(state, false); }
BENCHMARK(BM_hit)
    ->Setup(set_up_warm)
    ->Teardown(tear_down_warm)
    ->Arg(1000)
    ->Arg(100'000)
    ->ThreadRange(1, 2);

/// What the machine asks for the copy alone: blocks of 1.3 KB at random, found by their number.
void BM_copy_alone(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<std::unique_ptr<std::string>> blocks;
  for (size_t i = 0; i < count; ++i) {
    blocks.push_back(std::make_unique<std::string>(wire_of(item_1200())));
  }
  Random random(1);
  std::vector<uint32_t> order(1 << 16);
  for (uint32_t& number : order) number = static_cast<uint32_t>(random.below(count));
  std::string out;
  size_t i = 0;
  for (auto _ : state) {
    out = *blocks[order[i++ & 0xffff]];
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_copy_alone)->Arg(1000)->Arg(100'000);

/// A hit on what was just written: rendering is paid here.
void BM_write_and_first_hit(benchmark::State& state) {
  Warm warm(static_cast<size_t>(state.range(0)));
  std::vector<std::string> key(1);
  std::string out;
  const std::string item = item_1200();
  size_t i = 0;
  for (auto _ : state) {
    const std::string& k = warm.keys[i++ % warm.keys.size()];
    warm.cache.on_commit(frame_of(warm.next_lsn++, {{k, item}}));
    if (!warm.get(k, out)) state.SkipWithError("not a hit");
  }
}
BENCHMARK(BM_write_and_first_hit)->Arg(1000)->Arg(100'000);

/// What the committer pays for a change: time an item, frames of 16 changes.
void write_through(benchmark::State& state, size_t bytes_max) {
  Warm warm(static_cast<size_t>(state.range(0)), bytes_max);
  std::vector<FramePtr> frames;
  size_t i = 0;
  int64_t changes = 0;
  for (auto _ : state) {
    if (i == frames.size()) {
      state.PauseTiming();
      frames = frames_of(warm.keys, warm.next_lsn);
      i = 0;
      state.ResumeTiming();
    }
    warm.cache.on_commit(frames[i]);
    changes += static_cast<int64_t>(frames[i]->last_lsn() - frames[i]->first_lsn() + 1);
    ++i;
  }
  state.SetItemsProcessed(changes);
}
void BM_write_through(benchmark::State& state) { write_through(state, kPlentyBytes); }
BENCHMARK(BM_write_through)->Arg(1000)->Arg(100'000);
/// The same with room for half: each insertion evicts.
void BM_write_through_evicting(benchmark::State& state) {
  write_through(state, static_cast<size_t>(state.range(0)) * 1300 / 2);
}
BENCHMARK(BM_write_through_evicting)->Arg(1000)->Arg(100'000);

void BM_miss_and_fill(benchmark::State& state) {
  Warm warm(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(0)) * 1300 / 2);
  const std::vector<std::string> absent = keys_of(200'000);
  const std::string item = item_1200();
  std::string out;
  size_t i = 0;
  for (auto _ : state) {
    const std::string& key = absent[i++ % absent.size()];
    if (!warm.get(key, out)) warm.cache.fill(key, ItemView(item), warm.next_lsn);
  }
}
BENCHMARK(BM_miss_and_fill)->Arg(1000)->Arg(100'000);

/// Bytes in the allocator for each entry beside key and payload, and beside what the cache counts.
void memory(benchmark::State& state, size_t entries, size_t bytes_max) {
  for (auto _ : state) {
    std::vector<std::string> keys = keys_of(entries);
    const std::string item = item_1200();
    SystemClock clock;
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    ItemCache cache({.bytes_max = bytes_max, .policy = {}, .shards = 0}, clock);
    for (const std::string& key : keys) cache.fill(key, ItemView(item), 1);
    const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    const ItemCacheStatistics statistics = cache.statistics();
    const double n = static_cast<double>(statistics.entries);
    const double content = static_cast<double>(item.size() + keys.back().size());
    state.counters["entries"] = n;
    state.counters["overhead_real"] = static_cast<double>(after - before) / n - content;
    state.counters["overhead_counted"] = static_cast<double>(statistics.bytes) / n - content;
  }
}
void BM_memory(benchmark::State& state) {
  memory(state, static_cast<size_t>(state.range(0)), kPlentyBytes);
}
BENCHMARK(BM_memory)->Arg(1000)->Arg(100'000)->Iterations(1);
/// The same of a full cache that remembers what has left.
void BM_memory_evicting(benchmark::State& state) {
  const auto entries = static_cast<size_t>(state.range(0));
  memory(state, 3 * entries, entries * 1300);
}
BENCHMARK(BM_memory_evicting)->Arg(1000)->Arg(100'000)->Iterations(1);

}  // namespace
}  // namespace millrace::cache
