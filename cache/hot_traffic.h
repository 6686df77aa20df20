#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cache/hot_keys.h"
#include "core/model/schema.h"

namespace millrace::cache {

/// The most requested keys, or partitions by their prefixes, by falling number of requests. Counts
/// weigh a request by half for each minute that has begun since.
struct HotKeysReport {
  std::vector<HotKey> keys;
  uint64_t requests = 0;  // of all
  double window_s = 0;    // counts divided by it are rates
};

/// Which keys and which partitions are asked for most, of a sample of requests: one in
/// RequestSampler::kOneIn stands for so many. Thread-safe.
class HotTraffic {
 public:
  /// `start_s`: of the counting.
  explicit HotTraffic(uint32_t start_s);
  ~HotTraffic();

  /// A request for a key, and so for its partition.
  void note(std::string_view key, uint64_t hash, RequestKind kind, uint32_t now_s);
  /// A Query's for the partition, of a table or an index, that `key` is of or is the prefix of.
  void note_query(std::string_view key, uint32_t now_s);

  using IsAsked = std::function<bool(Generation)>;
  /// At most `limit`, of the tables and indexes that `is_asked` takes.
  HotKeysReport keys(size_t limit, const IsAsked& is_asked, uint32_t now_s) const;
  HotKeysReport partitions(size_t limit, const IsAsked& is_asked, uint32_t now_s) const;

 private:
  struct Sketch;

  using Sketches = std::unique_ptr<Sketch[]>;
  void count(const Sketches& sketches, std::string_view key, uint64_t hash, RequestKind kind,
             uint32_t now_s);
  void count_partition(std::string_view key, RequestKind kind, uint32_t now_s);
  HotKeysReport hottest(const Sketches& sketches, size_t limit, const IsAsked& is_asked,
                        uint32_t now_s) const;

  const uint32_t start_s_;
  const Sketches keys_, partitions_;
};

}  // namespace millrace::cache
