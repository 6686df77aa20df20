#pragma once

#include <functional>
#include <vector>

#include "core/base/random.h"
#include "core/ops/page_cache.h"
#include "core/ops/read_cache.h"

namespace millrace::sim {

/// Stands before both caches and holds fills back, as a slow reader would: commits happen between a
/// read's view and its fill.
class SlowFills final : public ReadCache, public PageCache {
 public:
  SlowFills(ReadCache& items, PageCache& pages, Random& random)
      : items_(items), pages_(pages), random_(random) {}

  ReadCache::Outcome find(std::string_view key, Lsn published, ItemForm form, const Use& use,
                          std::function<void()> resume) override;
  bool find_expired(std::string_view key, Lsn published, ItemForm form, const Use& use) override {
    return items_.find_expired(key, published, form, use);
  }
  bool fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) override;
  void abandon(std::string_view key) override { items_.abandon(key); }
  void note_query(std::string_view key) override { items_.note_query(key); }

  ReadCache::Outcome find(const PageQuestion& question, Lsn published,
                          const std::function<void(const CachedPage&)>& use,
                          std::function<void()> resume) override;
  bool fill(const PageQuestion& question, std::string_view body, PageSize size,
            Lsn view_lsn) override;
  void abandon(const PageQuestion& question) override { pages_.abandon(question); }

  /// Lets one fill that was held back happen.
  void release_one();
  bool holds_any() const { return !held_.empty(); }

 private:
  ReadCache& items_;
  PageCache& pages_;
  Random& random_;
  std::vector<std::function<void()>> held_;
};

}  // namespace millrace::sim
