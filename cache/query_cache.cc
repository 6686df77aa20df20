#include "cache/query_cache.h"

#include <libdeflate.h>

#include <algorithm>
#include <bit>
#include <mutex>
#include <optional>
#include <utility>

#include "cache/page_shard.h"
#include "core/store/frame.h"

namespace millrace::cache {
namespace {

/// A quarter of a shard holds a page of 1 MB as JSON.
constexpr size_t kShardBytes = 8u << 20;
constexpr size_t kShardsMax = 1024;
/// Eight bytes of last changes keep apart what a hundred bytes of pages cover, so they are many
/// times as many as the pages: few are voided by a stranger's change.
constexpr size_t kLastChangesShare = 16;

size_t shard_count(const QueryCacheOptions& options) {
  if (options.shards != 0) return std::bit_floor(options.shards);
  return std::bit_floor(std::clamp<size_t>(options.bytes_max / kShardBytes, 1, kShardsMax));
}

}  // namespace

struct alignas(64) QueryCache::Shard {
  std::mutex mutex;
  std::optional<PageShard> pages;                 // emplaced once, by the constructor
  std::shared_ptr<const TablePolicies> policies;  // none: all have the same
  QueryCacheStatistics counters;

  QueryCacheStatistics::Reads& reads_of(const PageQuestion& question) {
    return question.kind == PageQuestion::Kind::kQuery ? counters.queries : counters.scans;
  }
};

QueryCache::QueryCache(QueryCacheOptions options, Clock& clock)
    : options_(options),
      clock_(clock),
      last_changes_(options_.bytes_max / kLastChangesShare),
      shard_mask_(shard_count(options) - 1),
      shards_(new Shard[shard_mask_ + 1]) {
  const size_t pages_bytes =
      options_.bytes_max - std::min(options_.bytes_max, last_changes_.bytes());
  for (size_t i = 0; i <= shard_mask_; ++i) {
    shards_[i].pages.emplace(pages_bytes / (shard_mask_ + 1));
  }
}

QueryCache::~QueryCache() { clear(); }

// By other bits than those by which a shard's own tables place.
QueryCache::Shard& QueryCache::shard_of(uint64_t hash) const {
  return shards_[(hash >> 32) & shard_mask_];
}

uint32_t QueryCache::now_s() const {
  return static_cast<uint32_t>(clock_.monotonic_ns() / 1'000'000'000);
}

PageEntry::Places QueryCache::places_of(const PageQuestion& question) const {
  return {last_changes_.place_of(question.read),
          last_changes_.place_of(question.fetched.value_or(question.read))};
}

bool QueryCache::is_current(const PageEntry& page) const {
  return std::all_of(page.places().begin(), page.places().end(), [&](LastChanges::Place place) {
    return last_changes_.at(place) <= page.lsn();
  });
}

PageCache::Outcome QueryCache::find(const PageQuestion& question, Lsn published,
                                    const std::function<void(const CachedPage&)>& use,
                                    std::function<void()> resume) {
  const uint64_t hash = PageEntry::hash_of(question.key);
  const uint32_t now = now_s();
  Shard& shard = shard_of(hash);
  PageEntry::Ptr found;
  PageShard::Left left;
  {
    std::lock_guard lock(shard.mutex);
    if (!policy_of(shard.policies.get(), question.table, options_.policy).enabled)
      return Outcome::kOff;
    QueryCacheStatistics::Reads& reads = shard.reads_of(question);
    PageEntry* entry = shard.pages->find(question.key, hash);
    Outcome miss = Outcome::kMiss;
    if (entry != nullptr && !is_current(*entry)) {
      miss = Outcome::kMissChanged;
      ++shard.counters.voids;
      shard.pages->remove(*std::exchange(entry, nullptr), left);
    } else if (entry != nullptr && entry->expires_s() <= now) {
      miss = Outcome::kMissExpired;
      ++shard.counters.expirations;
      shard.pages->remove(*std::exchange(entry, nullptr), left);
    }
    if (entry == nullptr) {
      switch (shard.pages->reads().begin(hash, resume)) {
        case ReadsInFlight::Role::kReader:
          ++reads.misses;
          return miss;
        case ReadsInFlight::Role::kWaiter:
          ++reads.waits;
          return Outcome::kWaiting;
        case ReadsInFlight::Role::kIndependent:
          ++reads.bypasses;
          return Outcome::kBusy;
      }
    }
    if (entry->lsn() > published) {
      ++reads.bypasses;
      return Outcome::kNewer;
    }
    ++reads.hits;
    shard.pages->use(*entry);
    found = entry;
  }
  use({found->body(), found->crc32(), found->size()});
  return Outcome::kHit;
}

bool QueryCache::fill(const PageQuestion& question, std::string_view body, PageSize size,
                      Lsn view_lsn) {
  const uint64_t hash = PageEntry::hash_of(question.key);
  const uint32_t now = now_s();
  Shard& shard = shard_of(hash);
  PageEntry::Ptr fresh;
  if (PageEntry::bytes_for(question.key, body) <= shard.pages->entry_bytes_max()) {
    fresh = PageEntry::make({.key = question.key,
                             .body = body,
                             .size = size,
                             .places = places_of(question),
                             .table = question.table,
                             .lsn = view_lsn,
                             .crc32 = libdeflate_crc32(0, body.data(), body.size())});
  }
  const bool fits = fresh != nullptr;
  ReadsInFlight::Waiters waiters;
  {
    PageShard::Left left;
    std::lock_guard lock(shard.mutex);
    const TablePolicy& policy = policy_of(shard.policies.get(), question.table, options_.policy);
    if (fresh) fresh->expire_at(expiry_s(policy.query_ttl_s, hash, now));
    const PageEntry* there = shard.pages->find(question.key, hash);
    bool filled = there != nullptr && there->lsn() >= view_lsn;
    if (!filled && fresh && policy.enabled && is_current(*fresh)) {
      filled = true;
      ++shard.counters.fills;
      const PageShard::Evicted evicted = shard.pages->put(std::move(fresh), left);
      shard.counters.evictions += evicted.pages;
      shard.counters.evicted_bytes += evicted.bytes;
    } else if (!filled) {
      ++shard.counters.fills_refused;
    }
    waiters = shard.pages->reads().finish(hash, filled);
  }
  for (const auto& resume : waiters) resume();
  return fits;
}

void QueryCache::abandon(const PageQuestion& question) {
  const uint64_t hash = PageEntry::hash_of(question.key);
  Shard& shard = shard_of(hash);
  ReadsInFlight::Waiters waiters;
  {
    std::lock_guard lock(shard.mutex);
    waiters = shard.pages->reads().finish(hash, /*filled=*/false);
  }
  for (const auto& resume : waiters) resume();
}

void QueryCache::on_commit(const FramePtr& frame) {
  for (const EntryView& entry : *frame) {
    for (const ChangeView& change : entry) {
      last_changes_.note(change.key, change.lsn);
      for (const IndexChange& index_change : change.index_changes) {
        last_changes_.note(index_change.key, change.lsn);
      }
    }
  }
}

void QueryCache::set_policies(TablePolicies policies) {
  const auto shared = std::make_shared<const TablePolicies>(std::move(policies));
  for (size_t i = 0; i <= shard_mask_; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    shards_[i].policies = shared;
  }
}

size_t QueryCache::clear() {
  size_t count = 0;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    PageShard::Left left;
    std::lock_guard lock(shards_[i].mutex);
    count += shards_[i].pages->clear(left);
  }
  return count;
}

size_t QueryCache::clear(Generation table) {
  size_t count = 0;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    PageShard::Left left;
    std::lock_guard lock(shards_[i].mutex);
    count += shards_[i].pages->clear(table, left);
  }
  return count;
}

TableShares QueryCache::table_shares() const {
  TableShares shares;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    shards_[i].pages->add_shares(shares);
  }
  return shares;
}

QueryCacheStatistics QueryCache::statistics() const {
  QueryCacheStatistics sum;
  sum.bytes = last_changes_.bytes();
  for (size_t i = 0; i <= shard_mask_; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    const QueryCacheStatistics& one = shards_[i].counters;
    for (auto [to, from] :
         {std::pair(&sum.queries, &one.queries), std::pair(&sum.scans, &one.scans)}) {
      to->hits += from->hits;
      to->misses += from->misses;
      to->waits += from->waits;
      to->bypasses += from->bypasses;
    }
    sum.fills += one.fills;
    sum.fills_refused += one.fills_refused;
    sum.voids += one.voids;
    sum.evictions += one.evictions;
    sum.evicted_bytes += one.evicted_bytes;
    sum.expirations += one.expirations;
    sum.entries += shards_[i].pages->count();
    sum.bytes += shards_[i].pages->bytes();
  }
  return sum;
}

}  // namespace millrace::cache
