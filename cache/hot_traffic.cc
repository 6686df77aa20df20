#include "cache/hot_traffic.h"

#include <algorithm>
#include <mutex>

#include "cache/request_sampler.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace millrace::cache {
namespace {

/// A key is counted in one of them by its hash, under a lock that is another's for most others. Few
/// enough to stay in a core's cache: with one for each of the item cache's shards a hit took 2%
/// longer.
constexpr size_t kSlices = 16;
/// Of a slice, and as many partitions. Each costs a hash to look at for each sampled request, and
/// some 90 bytes with a usual key, 4 KB with the longest.
constexpr size_t kHotKeys = 64;

thread_local RequestSampler sampler;

}  // namespace

struct alignas(64) HotTraffic::Sketch {
  std::mutex mutex;
  HotKeys hot{kHotKeys};
};

HotTraffic::HotTraffic(uint32_t start_s)
    : start_s_(start_s), keys_(new Sketch[kSlices]), partitions_(new Sketch[kSlices]) {}

HotTraffic::~HotTraffic() = default;

void HotTraffic::note(std::string_view key, uint64_t hash, RequestKind kind, uint32_t now_s) {
  if (!sampler.chooses()) return;
  count(keys_, key, hash, kind, now_s);
  count_partition(key, kind, now_s);
}

void HotTraffic::note_query(std::string_view key, uint32_t now_s) {
  if (sampler.chooses()) count_partition(key, RequestKind::kRead, now_s);
}

void HotTraffic::count_partition(std::string_view key, RequestKind kind, uint32_t now_s) {
  const std::string_view partition = partition_prefix(key);
  count(partitions_, partition, xxh3_64(partition), kind, now_s);
}

void HotTraffic::count(const Sketches& sketches, std::string_view key, uint64_t hash,
                       RequestKind kind, uint32_t now_s) {
  Sketch& sketch = sketches[(hash >> 32) % kSlices];
  std::lock_guard lock(sketch.mutex);
  sketch.hot.count(key, hash, kind, now_s);
}

HotKeysReport HotTraffic::keys(size_t limit, const IsAsked& is_asked, uint32_t now_s) const {
  return hottest(keys_, limit, is_asked, now_s);
}

HotKeysReport HotTraffic::partitions(size_t limit, const IsAsked& is_asked, uint32_t now_s) const {
  return hottest(partitions_, limit, is_asked, now_s);
}

HotKeysReport HotTraffic::hottest(const Sketches& sketches, size_t limit, const IsAsked& is_asked,
                                  uint32_t now_s) const {
  HotKeysReport report;
  for (size_t i = 0; i < kSlices; ++i) {
    std::lock_guard lock(sketches[i].mutex);
    report.requests += sketches[i].hot.collect(now_s, report.keys) * RequestSampler::kOneIn;
  }
  std::erase_if(report.keys,
                [&](const HotKey& hot) { return !is_asked(get_big_endian64(hot.key.data())); });
  // Each is of one slice: there is nothing to merge.
  const auto end =
      report.keys.begin() + static_cast<std::ptrdiff_t>(std::min(limit, report.keys.size()));
  std::partial_sort(report.keys.begin(), end, report.keys.end(),
                    [](const HotKey& a, const HotKey& b) {
                      if (a.requests() != b.requests()) return a.requests() > b.requests();
                      return a.key < b.key;
                    });
  report.keys.erase(end, report.keys.end());
  for (HotKey& hot : report.keys) {
    hot.reads *= RequestSampler::kOneIn;
    hot.writes *= RequestSampler::kOneIn;
    hot.excess *= RequestSampler::kOneIn;
  }
  report.window_s = std::max(1.0, HotKeys::window_s(start_s_, now_s));
  return report;
}

}  // namespace millrace::cache
