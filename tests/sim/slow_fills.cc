#include "tests/sim/slow_fills.h"

#include <string>
#include <utility>

namespace millrace::sim {

ReadCache::Outcome SlowFills::find(std::string_view key, Lsn published, ItemForm form,
                                   const Use& use, std::function<void()> resume) {
  return items_.find(key, published, form, use, std::move(resume));
}

bool SlowFills::fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) {
  if (random_.one_in(2)) return items_.fill(key, item, view_lsn);
  std::optional<std::string> image;
  if (item) image = item->encoded();
  held_.push_back([this, key = std::string(key), image = std::move(image), view_lsn] {
    items_.fill(key, image ? std::optional(ItemView(*image)) : std::nullopt, view_lsn);
  });
  return true;
}

ReadCache::Outcome SlowFills::find(const PageQuestion& question, Lsn published,
                                   const std::function<void(const CachedPage&)>& use,
                                   std::function<void()> resume) {
  return pages_.find(question, published, use, std::move(resume));
}

bool SlowFills::fill(const PageQuestion& question, std::string_view body, PageSize size,
                     Lsn view_lsn) {
  if (random_.one_in(2)) return pages_.fill(question, body, size, view_lsn);
  held_.push_back([this, question, body = std::string(body), size, view_lsn] {
    pages_.fill(question, body, size, view_lsn);
  });
  return true;
}

void SlowFills::release_one() {
  if (held_.empty()) return;
  const size_t chosen = random_.below(held_.size());
  const std::function<void()> fill = std::move(held_[chosen]);
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(chosen));
  fill();
}

}  // namespace millrace::sim
