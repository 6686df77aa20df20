#include "cache/item_cache.h"

#include <libdeflate.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <string>
#include <utility>

#include "cache/read_mostly_lock.h"
#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/model/schema.h"
#include "core/ops/wire_item.h"

namespace millrace::cache {
namespace {

constexpr std::string_view kAbsentBody = "{}";
/// So that a shard's table is small enough to grow under its lock without being noticed (4 MB of
/// small items: about 30,000 places), and the largest item fits beside others.
constexpr size_t kShardBytes = 4u << 20;
constexpr size_t kShardsMax = 1024;
/// A thread's buffers keep at most this much between two requests.
constexpr size_t kScratchBytesKept = 64u << 10;

uint32_t crc32_of(std::string_view bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

size_t shard_count(const ItemCacheOptions& options) {
  if (options.shards != 0) return std::bit_floor(options.shards);
  return std::bit_floor(std::clamp<size_t>(options.bytes_max / kShardBytes, 1, kShardsMax));
}

uint32_t ttl_s(const TablePolicy& policy, bool absent) {
  return absent ? policy.negative_ttl_s : policy.item_ttl_s;
}

bool is_user_key(std::string_view key) {
  return key.size() >= sizeof(Generation) && get_big_endian64(key.data()) >= kFirstUserGeneration;
}

// What is copied out of an entry, and made of it outside of its shard's lock.
struct Scratch {
  std::string stored;
  std::string made;
  void trim() {
    if (stored.capacity() > kScratchBytesKept) std::string().swap(stored);
    if (made.capacity() > kScratchBytesKept) std::string().swap(made);
  }
};
thread_local Scratch scratch;

}  // namespace

struct ItemCache::Question {
  std::string_view key;
  uint64_t hash;
  Lsn published;
  ItemForm form;
  const Use& use;
  uint32_t now_s;
  bool after_error = false;
};

struct alignas(64) ItemCache::Hits {
  std::atomic<uint64_t> count{0};
};

struct alignas(64) ItemCache::Shard {
  ReadMostlyLock lock;
  std::optional<ItemShard> items;                 // emplaced once, by the constructor
  std::shared_ptr<const TablePolicies> policies;  // none: all have the same

  /// Under the lock.
  const TablePolicy& policy_of(std::string_view key, const TablePolicy& otherwise) const {
    return cache::policy_of(policies.get(), get_big_endian64(key.data()), otherwise);
  }
};

ItemCache::ItemCache(ItemCacheOptions options, Clock& clock)
    : options_(options),
      clock_(clock),
      shard_mask_(shard_count(options) - 1),
      absent_crc32_(crc32_of(kAbsentBody)),
      hits_(new Hits[ReadMostlyLock::kReadersMax + 1]),
      traffic_(now_s()),
      shards_(new Shard[shard_mask_ + 1]) {
  for (size_t i = 0; i <= shard_mask_; ++i) {
    shards_[i].items.emplace(options_.bytes_max / (shard_mask_ + 1));
  }
}

ItemCache::~ItemCache() = default;

// The table places by the hash's highest bits and tells by its lowest, the ghost table by the low
// half: the shard is chosen by others, so that both stay even within it.
ItemCache::Shard& ItemCache::shard_of(uint64_t hash) const {
  return shards_[(hash >> 32) & shard_mask_];
}

uint32_t ItemCache::now_s() const {
  return static_cast<uint32_t>(clock_.monotonic_ns() / 1'000'000'000);
}

ReadCache::Outcome ItemCache::find(std::string_view key, Lsn published, ItemForm form,
                                   const Use& use, std::function<void()> resume) {
  if (!is_user_key(key)) return Outcome::kOff;
  const Question question{key, Entry::hash_of(key), published, form, use, now_s()};
  Shard& shard = shard_of(question.hash);
  Outcome outcome = serve(shard, question);
  if (outcome == Outcome::kMiss) outcome = begin_read(shard, question, resume);
  // Who waits comes again.
  if (outcome != Outcome::kWaiting) {
    traffic_.note(key, question.hash, RequestKind::kRead, question.now_s);
  }
  return outcome;
}

bool ItemCache::find_expired(std::string_view key, Lsn published, ItemForm form, const Use& use) {
  if (!is_user_key(key)) return false;
  const Question question{key, Entry::hash_of(key), published, form, use, now_s(), true};
  if (serve(shard_of(question.hash), question) != Outcome::kHit) return false;
  stale_answers_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

// kMiss: there is no entry that may serve.
ReadCache::Outcome ItemCache::serve(Shard& shard, const Question& question) {
  bool used = false;
  const Entry* entry;
  Entry::Content seen;
  {
    ReadMostlyLock::Reading reading(shard.lock);
    const TablePolicy& policy = shard.policy_of(question.key, options_.policy);
    if (!policy.enabled) return Outcome::kOff;
    const uint32_t expired_s =
        question.after_error ? last_useless_s(policy, question.now_s) : question.now_s;
    Entry* found = shard.items->find(question.key, question.hash, expired_s);
    entry = found && found->lsn() <= question.published ? found : nullptr;
    if (entry) {
      if (!question.after_error) count_hit(reading.place());
      ItemShard::use(*found);
      used = use_in_place(*entry, question);
      if (!used) seen = copied(*entry, question.key);
    }
  }
  if (!entry) return Outcome::kMiss;
  if (!used) use_copy(shard, question, entry, seen);
  return Outcome::kHit;
}

ReadCache::Outcome ItemCache::begin_read(Shard& shard, const Question& question,
                                         std::function<void()>& resume) {
  EntryChain left;
  std::lock_guard lock(shard.lock);
  ItemShard& items = *shard.items;
  const TablePolicy& policy = shard.policy_of(question.key, options_.policy);
  constexpr uint32_t kEver = 0;
  const Entry* entry = items.find(question.key, question.hash, kEver);
  const bool expired = entry != nullptr && entry->expires_s() <= question.now_s;
  // One that has come only now, or is above what was published.
  const bool there = entry != nullptr && !expired;
  if (expired)
    items.expire(question.key, question.hash, last_useless_s(policy, question.now_s), left);
  if (there) {
    ++items.counters().bypasses;
    return entry->lsn() > question.published ? Outcome::kNewer : Outcome::kBusy;
  }
  switch (items.reads().begin(question.hash, resume)) {
    case ReadsInFlight::Role::kReader:
      ++items.counters().misses;
      return expired ? Outcome::kMissExpired : Outcome::kMiss;
    case ReadsInFlight::Role::kWaiter:
      ++items.counters().waits;
      return Outcome::kWaiting;
    case ReadsInFlight::Role::kIndependent:
      break;
  }
  ++items.counters().bypasses;
  return Outcome::kBusy;
}

// If the entry has the form that is asked for.
bool ItemCache::use_in_place(const Entry& entry, const Question& question) const {
  const bool wire = question.form == ItemForm::kWire;
  if (entry.form() == EntryForm::kAbsent) {
    question.use({wire ? kAbsentBody : std::string_view(), absent_crc32_, 0, true});
    return true;
  }
  if (entry.form() != EntryForm::kWire || !wire) return false;
  question.use({entry.payload(), entry.crc32(), entry.item_bytes(), false});
  return true;
}

// Rendering and parsing 400 KB take a while, and the committer may want the shard's lock: so they
// are done outside of it, from a copy, which is right for the reader whatever happens to the entry
// meanwhile.
Entry::Content ItemCache::copied(const Entry& entry, std::string_view key) {
  scratch.stored = entry.payload();
  Entry::Content seen;
  seen.key = key;
  seen.form = entry.form();
  seen.written = entry.written();
  seen.lsn = entry.lsn();
  seen.expires_s = entry.expires_s();
  seen.item_bytes = entry.item_bytes();
  return seen;
}

void ItemCache::use_copy(Shard& shard, const Question& question, const Entry* entry,
                         const Entry::Content& seen) {
  if (question.form == ItemForm::kWire) {
    render(shard, entry, seen, question.hash, question.use);
  } else if (seen.form == EntryForm::kEncoded) {
    const size_t item_bytes = charged_size(ItemView(scratch.stored));
    question.use({scratch.stored, 0, static_cast<uint32_t>(item_bytes), false});
  } else {
    parse_wire_item(scratch.stored, scratch.made);
    question.use({scratch.made, 0, seen.item_bytes, false});
  }
  scratch.trim();
}

// A place is its thread's, but for the last one.
void ItemCache::count_hit(size_t place) {
  std::atomic<uint64_t>& hits = hits_[place].count;
  if (place == ReadMostlyLock::kReadersMax) {
    hits.fetch_add(1, std::memory_order_relaxed);
  } else {
    hits.store(hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

// Of the encoded item in `scratch`; the wire-ready one stays in its place.
void ItemCache::render(Shard& shard, const Entry* seen, Entry::Content wire_content, uint64_t hash,
                       const Use& use) {
  const ItemView item(scratch.stored);
  std::string& body = scratch.made;
  render_wire_item(item, body);
  wire_content.payload = body;
  wire_content.form = EntryForm::kWire;
  wire_content.crc32 = crc32_of(body);
  wire_content.item_bytes = static_cast<uint32_t>(charged_size(item));
  Entry::Ptr wire;
  if (Entry::bytes_for(wire_content.key, body) <= shard.items->entry_bytes_max()) {
    wire = Entry::make(wire_content);
  }
  {
    EntryChain left;
    std::lock_guard lock(shard.lock);
    shard.items->render(wire_content.key, hash, seen, wire_content.lsn, std::move(wire), left);
  }
  use({body, wire_content.crc32, wire_content.item_bytes, false});
}

bool ItemCache::fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) {
  if (!is_user_key(key)) return true;
  const uint64_t hash = Entry::hash_of(key);
  const uint32_t now = now_s();
  Shard& shard = shard_of(hash);
  const std::string_view payload = item ? item->encoded() : std::string_view();
  Entry::Ptr fresh;
  if (Entry::bytes_for(key, payload) <= shard.items->entry_bytes_max()) {
    fresh = Entry::make({.key = key,
                         .payload = payload,
                         .form = item ? EntryForm::kEncoded : EntryForm::kAbsent,
                         .written = false,
                         .lsn = view_lsn});
  }
  const bool fits = fresh != nullptr;
  ReadsInFlight::Waiters waiters;
  {
    EntryChain left;
    std::lock_guard lock(shard.lock);
    const TablePolicy& policy = shard.policy_of(key, options_.policy);
    if (fresh) fresh->expire_at(expiry_s(ttl_s(policy, !item), hash, now));
    const bool filled =
        policy.enabled && shard.items->fill(key, hash, view_lsn, std::move(fresh), now, left);
    waiters = shard.items->reads().finish(hash, filled);
  }
  for (const auto& resume : waiters) resume();
  return fits;
}

void ItemCache::abandon(std::string_view key) {
  if (!is_user_key(key)) return;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  ReadsInFlight::Waiters waiters;
  {
    std::lock_guard lock(shard.lock);
    waiters = shard.items->reads().finish(hash, /*filled=*/false);
  }
  for (const auto& resume : waiters) resume();
}

void ItemCache::on_commit(const FramePtr& frame) {
  const uint32_t now = now_s();
  for (const EntryView& entry : *frame) {
    for (const ChangeView& change : entry) {
      if (is_user_key(change.key)) write(change, now);
    }
  }
}

void ItemCache::write(const ChangeView& change, uint32_t now_s) {
  const uint64_t hash = Entry::hash_of(change.key);
  Shard& shard = shard_of(hash);
  traffic_.note(change.key, hash, RequestKind::kWrite, now_s);
  const std::string_view payload = change.new_image.value_or(std::string_view());
  Entry::Ptr fresh;
  if (Entry::bytes_for(change.key, payload) <= shard.items->entry_bytes_max()) {
    fresh = Entry::make({.key = change.key,
                         .payload = payload,
                         .form = change.new_image ? EntryForm::kEncoded : EntryForm::kAbsent,
                         .written = true,
                         .lsn = change.lsn});
  }
  EntryChain left;
  std::lock_guard lock(shard.lock);
  const TablePolicy& policy = shard.policy_of(change.key, options_.policy);
  if (!policy.enabled) return;
  if (fresh) fresh->expire_at(expiry_s(ttl_s(policy, !change.new_image), hash, now_s));
  shard.items->write(change.key, hash, change.lsn, std::move(fresh),
                     policy.admission == Admission::kAll, left);
}

std::optional<bool> ItemCache::known(std::string_view key, std::string& image) {
  if (!is_user_key(key)) return std::nullopt;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  EntryForm form;
  {
    ReadMostlyLock::Reading reading(shard.lock);
    const Entry* entry = shard.items->find(key, hash, now_s());
    if (!entry) return std::nullopt;
    form = entry->form();
    (form == EntryForm::kWire ? scratch.stored : image) = entry->payload();
  }
  if (form == EntryForm::kWire) {
    // Half of what LevelDB would take.
    parse_wire_item(scratch.stored, image);
    scratch.trim();
  }
  return form != EntryForm::kAbsent;
}

void ItemCache::set_policies(TablePolicies policies) {
  const auto shared = std::make_shared<const TablePolicies>(std::move(policies));
  for (size_t i = 0; i <= shard_mask_; ++i) {
    std::lock_guard lock(shards_[i].lock);
    shards_[i].policies = shared;
  }
}

size_t ItemCache::clear() { return drop_all({}); }

size_t ItemCache::clear(Generation generation) {
  std::string prefix;
  append_generation_prefix(generation, prefix);
  return drop_all(prefix);
}

size_t ItemCache::drop_all(std::string_view prefix) {
  size_t count = 0;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    EntryChain left;
    std::lock_guard lock(shards_[i].lock);
    count += shards_[i].items->drop_all(prefix, left);
  }
  return count;
}

size_t ItemCache::clear(std::string_view key) {
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  EntryChain left;
  std::lock_guard lock(shard.lock);
  return shard.items->drop(key, hash, left);
}

TableShares ItemCache::table_shares() const {
  TableShares shares;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    ReadMostlyLock::Reading reading(shards_[i].lock);
    shards_[i].items->add_shares(shares);
  }
  return shares;
}

bool ItemCache::begin_warming(std::string_view key) {
  if (!is_user_key(key)) return false;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.lock);
  ItemShard& items = *shard.items;
  if (!shard.policy_of(key, options_.policy).enabled || !items.has_room()) return false;
  if (items.find(key, hash, now_s()) != nullptr) return false;
  std::function<void()> never;
  return items.reads().begin(hash, never) == ReadsInFlight::Role::kReader;
}

bool ItemCache::collect(Walk& walk, size_t count, HotSetBuilder& keys) {
  static_assert(ItemShard::kHeatMax < HotSetBuilder::kHeatMax);
  if (!std::exchange(walk.begun, true)) {
    const auto all = [](Generation) { return true; };
    for (const HotKey& hot : hot_keys(std::numeric_limits<size_t>::max(), all).keys) {
      keys.add(hot.key, HotSetBuilder::kHeatMax);
    }
    for (size_t i = 0; i <= shard_mask_; ++i) {
      std::lock_guard lock(shards_[i].lock);
      shards_[i].items->begin_walk();
    }
  }
  if (walk.shard > shard_mask_) return false;
  bool more;
  {
    std::lock_guard lock(shards_[walk.shard].lock);
    more = shards_[walk.shard].items->walk(
        count, [&](const Entry& entry, uint8_t heat) { keys.add(entry.key(), heat); });
  }
  if (!more) ++walk.shard;
  return walk.shard <= shard_mask_;
}

ItemCacheStatistics ItemCache::statistics() const {
  ItemCacheStatistics sum;
  for (size_t i = 0; i <= ReadMostlyLock::kReadersMax; ++i) {
    sum.hits += hits_[i].count.load(std::memory_order_relaxed);
  }
  sum.stale_answers = stale_answers_.load(std::memory_order_relaxed);
  for (size_t i = 0; i <= shard_mask_; ++i) {
    ReadMostlyLock::Reading reading(shards_[i].lock);
    const ItemCacheStatistics one = shards_[i].items->statistics();
    sum.misses += one.misses;
    sum.waits += one.waits;
    sum.bypasses += one.bypasses;
    sum.fills += one.fills;
    sum.fills_refused += one.fills_refused;
    sum.writes += one.writes;
    sum.evictions += one.evictions;
    sum.evicted_bytes += one.evicted_bytes;
    sum.expirations += one.expirations;
    sum.entries += one.entries;
    sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace millrace::cache
