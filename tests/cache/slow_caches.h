#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/item_cache.h"
#include "cache/query_cache.h"
#include "core/base/random.h"
#include "core/ops/page_cache.h"
#include "core/ops/read_cache.h"
#include "core/store/engine.h"

namespace millrace::cache {

/// What is done wrong on purpose, to show that the checker would see it.
enum class Fault : uint8_t {
  kNone,
  kLateItems,            // the item cache is told of a frame after its publication
  kLatePages,            // the query cache is
  kUnguardedItemFill,    // fills carry the newest LSN, whatever their view's was
  kUnguardedPageFill,    //
  kUnpublishedItemHit,   // readers accept entries above the published LSN
  kUnpublishedPageHit,   //
  kIndexChangesNotTold,  // the query cache is told of items alone
  kFetchedNotCovered,    // a page does not cover the items that complete it
};

/// Stands between a node and its caches: holds fills back as slow readers do, lets others run
/// where a thread may be interrupted, and has the planted fault. Thread-safe.
class SlowCaches final : public ReadCache, public PageCache, public CommitObserver {
 public:
  struct Gaps {
    std::function<void()> in_read;         // within a read, where it holds nothing
    std::function<void()> before_publish;  // the caches know of a frame that no view shows yet
  };
  SlowCaches(ItemCache& items, QueryCache& pages, uint64_t seed, Fault fault)
      : items_(items), pages_(pages), fault_(fault), random_(seed) {}
  void set_gaps(Gaps gaps) { gaps_ = std::move(gaps); }

  ReadCache::Outcome find(std::string_view key, Lsn published, ItemForm form, const Use& use,
                          std::function<void()> resume) override {
    run(gaps_.in_read);
    const Lsn bound = fault_ == Fault::kUnpublishedItemHit ? ~Lsn{0} : published;
    const auto outcome = items_.find(key, bound, form, use, waiting(std::move(resume)));
    if (ReadCache::is_miss(outcome)) run(gaps_.in_read);
    return outcome;
  }
  bool find_expired(std::string_view key, Lsn published, ItemForm form, const Use& use) override {
    return items_.find_expired(key, published, form, use);
  }
  bool fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) override {
    std::optional<std::string> image;
    if (item) image = item->encoded();
    hold([this, key = std::string(key), image = std::move(image), view_lsn] {
      items_.fill(key, image ? std::optional(ItemView(*image)) : std::nullopt,
                  fault_ == Fault::kUnguardedItemFill ? newest_() : view_lsn);
    });
    return true;
  }
  void abandon(std::string_view key) override { items_.abandon(key); }
  void note_query(std::string_view key) override { items_.note_query(key); }

  ReadCache::Outcome find(const PageQuestion& question, Lsn published,
                          const std::function<void(const CachedPage&)>& use,
                          std::function<void()> resume) override {
    run(gaps_.in_read);
    const Lsn bound = fault_ == Fault::kUnpublishedPageHit ? ~Lsn{0} : published;
    const auto outcome = pages_.find(question, bound, use, waiting(std::move(resume)));
    if (ReadCache::is_miss(outcome)) run(gaps_.in_read);
    return outcome;
  }
  bool fill(const PageQuestion& question, std::string_view body, PageSize size,
            Lsn view_lsn) override {
    PageQuestion asked = question;
    if (fault_ == Fault::kFetchedNotCovered) asked.fetched.reset();
    hold([this, asked = std::move(asked), body = std::string(body), size, view_lsn] {
      pages_.fill(asked, body, size, fault_ == Fault::kUnguardedPageFill ? newest_() : view_lsn);
    });
    return true;
  }
  void abandon(const PageQuestion& question) override { pages_.abandon(question); }

  void on_commit(const FramePtr& frame) override {
    tell_late();
    if (fault_ == Fault::kLateItems || fault_ == Fault::kLatePages) late_ = frame;
    if (fault_ != Fault::kLateItems) items_.on_commit(frame);
    if (fault_ == Fault::kIndexChangesNotTold) {
      pages_.on_commit(without_index_changes(frame));
    } else if (fault_ != Fault::kLatePages) {
      pages_.on_commit(frame);
    }
    run(gaps_.before_publish);
  }
  /// Of a planted late frame; not beside a commit.
  void tell_late() {
    if (!late_) return;
    fault_ == Fault::kLateItems ? items_.on_commit(late_) : pages_.on_commit(late_);
    late_ = nullptr;
  }
  /// For faults: the newest published LSN.
  void set_newest(std::function<Lsn()> newest) { newest_ = std::move(newest); }

  /// Lets one fill that was held back happen.
  void release_one() {
    std::function<void()> fill;
    {
      std::lock_guard lock(mutex_);
      if (held_.empty()) return;
      std::swap(held_[random_.below(held_.size())], held_.back());
      fill = std::move(held_.back());
      held_.pop_back();
    }
    fill();
  }

 private:
  static constexpr size_t kHeldMax = 32;

  /// What runs within a read does not wait: it would be for the read around it.
  std::function<void()> waiting(std::function<void()> resume) const {
    return nested_ ? std::function<void()>() : std::move(resume);
  }
  static void run(const std::function<void()>& gap) {
    if (nested_ || !gap) return;
    nested_ = true;
    gap();
    nested_ = false;
  }
  void hold(std::function<void()> fill) {
    {
      std::lock_guard lock(mutex_);
      if (!random_.one_in(3) && held_.size() < kHeldMax) return held_.push_back(std::move(fill));
    }
    fill();
  }
  static FramePtr without_index_changes(const FramePtr& frame) {
    FrameBuilder builder(frame->first_lsn());
    for (const EntryView& entry : *frame) {
      builder.begin_entry(1);
      for (const ChangeView& change : entry)
        builder.add_change(ChangeKind::kModify, change.key, "", std::nullopt);
      builder.end_entry();
    }
    return std::move(builder).finish(frame->first_lsn() - 1, 0, {});
  }

  static inline thread_local bool nested_ = false;
  ItemCache& items_;
  QueryCache& pages_;
  const Fault fault_;
  Gaps gaps_;
  std::function<Lsn()> newest_;
  FramePtr late_;
  std::mutex mutex_;
  Random random_;
  std::vector<std::function<void()>> held_;
};

}  // namespace millrace::cache
