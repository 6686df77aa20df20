#include "core/ops/table_sizes.h"

#include <algorithm>

#include "core/model/value.h"

namespace millrace {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kRecountNs = 60 * kSecondNs;

struct Budget {
  size_t entries, bytes;
};

std::string first_key(Generation generation) {
  std::string key;
  append_generation_prefix(generation, key);
  return key;
}

// Walks from `key` to the generation's end or the budget's. `key` is then where to go on, empty at
// the end.
Status walk(const View& view, Generation generation, std::string& key, Budget& budget,
            TableSizes::Size& size) {
  auto range = view.range(key, prefix_successor(first_key(generation)), false);
  for (; range->valid(); range->next()) {
    if (budget.entries == 0 || budget.bytes == 0) {
      key = range->key();
      return {};
    }
    const size_t bytes = charged_size(ItemView(range->image()));
    ++size.entries;
    size.bytes += bytes;
    --budget.entries;
    budget.bytes -= std::min(budget.bytes, bytes);
  }
  key.clear();
  return range->status();
}

}  // namespace

Status TableSizes::refresh(const View& view, const std::vector<Generation>& generations,
                           int64_t now_ns) {
  Budget budget{kQuickEntries, kQuickBytes};
  for (Generation generation : generations) {
    Size size;
    std::string key = first_key(generation);
    RETURN_IF_ERROR(walk(view, generation, key, budget, size));
    std::lock_guard lock(mutex_);
    Count& count = counts_[generation];
    if (counts_.size() > kKeptMax && counts_.begin()->first != generation)
      counts_.erase(counts_.begin());
    if (key.empty()) {
      count = {size, true, now_ns, {}, {}};
      continue;
    }
    const bool due = !count.counted || now_ns - count.counted_ns >= kRecountNs;
    if (count.running_key.empty() && due) {
      count.running = {};
      count.running_key = first_key(generation);
    }
    // Better than nothing until the first count has ended.
    if (!count.counted && count.known.entries < size.entries) count.known = size;
  }
  return {};
}

TableSizes::Size TableSizes::size(Generation generation) const {
  std::lock_guard lock(mutex_);
  const auto found = counts_.find(generation);
  return found == counts_.end() ? Size{} : found->second.known;
}

Status TableSizes::count_some(const View& view, int64_t now_ns) {
  Generation generation = 0;
  Count count;
  {
    std::lock_guard lock(mutex_);
    if (now_ns < slice_due_ns_) return {};
    const auto waiting = std::find_if(counts_.begin(), counts_.end(), [](const auto& entry) {
      return !entry.second.running_key.empty();
    });
    if (waiting == counts_.end()) return {};
    slice_due_ns_ = now_ns + kSecondNs;
    generation = waiting->first;
    count = waiting->second;
  }
  Budget budget{kSliceEntries, kSliceBytes};
  RETURN_IF_ERROR(walk(view, generation, count.running_key, budget, count.running));
  std::lock_guard lock(mutex_);
  Count& kept = counts_[generation];
  if (kept.running_key.empty()) return {};  // counted at once meanwhile
  if (!count.running_key.empty()) {
    if (!count.counted) count.known = count.running;
    kept = count;
  } else if (count.running.entries == 0) {
    counts_.erase(generation);  // dropped, or empty
  } else {
    kept = {count.running, true, now_ns, {}, {}};
  }
  return {};
}

}  // namespace millrace
