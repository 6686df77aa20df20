#include <memory>
#include <string_view>

#include "core/ops/cache_header.h"
#include "core/ops/hit_checks.h"
#include "core/ops/page.h"
#include "core/ops/page_key.h"
#include "core/ops/page_reader.h"

namespace millrace {

namespace {

PageQuestion question_of(const PageRequest& page) {
  PageQuestion question{page.kind, page_key(page), page.read_cover, {}, page.table->generation};
  if (page.fetch) question.fetched = page.fetch_cover;
  return question;
}

// The read of one page. It owns its request and its reply, because the cache may let it wait for
// another reader of the same page.
struct PageRead {
  Node& node;
  PageRequest page;
  Reply reply;
  PageQuestion question;
  bool waited = false;

  static void run(std::unique_ptr<PageRead> read);
  void hit(const CachedPage& found, Lsn lsn, const View* checked);
  bool is_right(const CachedPage& found, const View& view) const;
  void read_store(bool fill, std::string_view why);
};

void PageRead::run(std::unique_ptr<PageRead> read) {
  const ViewPtr checked = view_to_check(read->node);
  const Lsn published = checked ? checked->lsn() : read->node.engine.published_lsn();
  PageRead* self = read.get();
  std::function<void()> resume;
  // Somebody who writes all the time would make it wait for one read after the other.
  if (!self->waited) {
    resume = [self] {
      self->waited = true;
      run(std::unique_ptr<PageRead>(self));
    };
  }
  const PageCache::Outcome outcome = self->node.pages->find(
      self->question, published,
      [&](const CachedPage& found) { self->hit(found, published, checked.get()); },
      std::move(resume));
  switch (outcome) {
    case PageCache::Outcome::kWaiting:
      // It belongs to the cache's callback, which may be running it already.
      static_cast<void>(read.release());
      return;
    case PageCache::Outcome::kHit:
      return;
    case PageCache::Outcome::kMiss:
    case PageCache::Outcome::kMissExpired:
    case PageCache::Outcome::kMissChanged:
      return read->read_store(true, why_missed(outcome));
    case PageCache::Outcome::kNewer:
    case PageCache::Outcome::kBusy:
      return read->read_store(false, why_bypassed(outcome));
    case PageCache::Outcome::kOff:
      return read->read_store(false, "off");
  }
}

// Holds a hit against the view. One that the store cannot be read for stays right.
bool PageRead::is_right(const CachedPage& found, const View& view) const {
  const Result<Page> stored = read_page(view, page);
  Result<bool> equal = stored
                           ? Result<bool>(stored->body == found.body && stored->size == found.size)
                           : Result<bool>(stored.error());
  const bool query = page.kind == PageQuestion::Kind::kQuery;
  node.hit_checks->checked(equal, {query ? "Query" : "Scan",
                                   *page.table,
                                   page.index != nullptr ? page.index->name : std::string_view(),
                                   {},
                                   view.lsn()});
  return !equal || *equal;
}

void PageRead::hit(const CachedPage& found, Lsn lsn, const View* checked) {
  if (checked != nullptr && !is_right(found, *checked)) return read_store(false, "mismatch");
  const CacheHeader header("hit", lsn);
  if (page.capacity == CapacityDetail::kNone || !node.capacity_of_hits)
    return reply.ok(found.body, header.line(), found.crc32);
  std::string body(found.body);
  add_capacity(page, found.size, body);
  reply.ok(body, header.line());
}

void PageRead::read_store(bool fill, std::string_view why) {
  const ViewPtr view = node.engine.view();
  Result<Page> found = read_page(*view, page);
  if (!found) {
    if (fill) node.pages->abandon(question);
    return reply.error(found.error());
  }
  if (fill && !node.pages->fill(question, found->body, found->size, view->lsn())) why = kTooLarge;
  if (page.capacity != CapacityDetail::kNone) add_capacity(page, found->size, found->body);
  reply.ok(found->body, CacheHeader(fill ? "miss" : "bypass", view->lsn(), why).line());
}

std::string_view why_not_cached(const Node& node, const PageRequest& page, bool no_cache) {
  if (node.pages == nullptr) return "off";
  if (page.consistent) return "consistent";
  if (no_cache) return "no-cache";
  return {};
}

}  // namespace

void send_page(Node& node, PageRequest page, bool no_cache, Reply reply) {
  const std::string_view why = why_not_cached(node, page, no_cache);
  auto read = std::make_unique<PageRead>(PageRead{node, std::move(page), std::move(reply), {}});
  if (!why.empty()) return read->read_store(false, why);
  read->question = question_of(read->page);
  PageRead::run(std::move(read));
}

}  // namespace millrace
