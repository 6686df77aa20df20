#include "cache/item_cache.h"

#include <libdeflate.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/model/item_json.h"
#include "core/model/schema.h"

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

bool is_user_key(std::string_view key) {
  return key.size() >= sizeof(Generation) && get_big_endian64(key.data()) >= kFirstUserGeneration;
}

struct Scratch {
  std::string encoded;
  std::string body;
  void trim() {
    if (encoded.capacity() > kScratchBytesKept) std::string().swap(encoded);
    if (body.capacity() > kScratchBytesKept) std::string().swap(body);
  }
};
thread_local Scratch scratch;

}  // namespace

struct alignas(64) ItemCache::Shard {
  std::mutex mutex;
  std::optional<ItemShard> items;  // emplaced once, by the constructor
};

ItemCache::ItemCache(ItemCacheOptions options, Clock& clock)
    : options_(options),
      clock_(clock),
      shard_mask_(shard_count(options) - 1),
      absent_crc32_(crc32_of(kAbsentBody)),
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

uint32_t ItemCache::expiry_s(uint64_t hash, uint32_t now_s) const {
  if (options_.ttl_s == 0) return std::numeric_limits<uint32_t>::max();
  // Up to an eighth early, by the hash: what was loaded together shall not expire together.
  return now_s + options_.ttl_s - static_cast<uint32_t>((hash >> 40) % (options_.ttl_s / 8 + 1));
}

ReadCache::Outcome ItemCache::find(std::string_view key, Lsn published,
                                   const std::function<void(const CachedAnswer&)>& use,
                                   std::function<void()> resume) {
  if (!is_user_key(key)) return Outcome::kBypass;
  const uint64_t hash = Entry::hash_of(key);
  const uint32_t now = now_s();
  Shard& shard = shard_of(hash);
  EntryChain left;
  std::unique_lock lock(shard.mutex);
  ItemShard& items = *shard.items;
  Entry* entry = items.find(key, hash, now, left);
  if (!entry) {
    switch (items.reads().begin(hash, resume)) {
      case ReadsInFlight::Role::kReader:
        ++items.counters().misses;
        return Outcome::kMiss;
      case ReadsInFlight::Role::kWaiter:
        ++items.counters().waits;
        return Outcome::kWaiting;
      case ReadsInFlight::Role::kIndependent:
        break;
    }
    ++items.counters().bypasses;
    return Outcome::kBypass;
  }
  if (entry->lsn() > published) {
    ++items.counters().bypasses;
    return Outcome::kBypass;
  }
  items.use(*entry);
  switch (entry->form()) {
    case EntryForm::kAbsent:
      use({kAbsentBody, absent_crc32_, true});
      break;
    case EntryForm::kWire:
      use({entry->payload(), entry->crc32(), false});
      break;
    case EntryForm::kEncoded: {
      scratch.encoded = entry->payload();
      Entry::Content seen;
      seen.key = key;
      seen.form = EntryForm::kWire;
      seen.written = entry->written();
      seen.lsn = entry->lsn();
      seen.expires_s = entry->expires_s();
      lock.unlock();
      serve_encoded(shard, entry, seen, hash, use);
      break;
    }
  }
  return Outcome::kHit;
}

// Rendering 400 KB takes a while, and the committer may want the shard's lock: so it is done
// outside of it, from a copy, which is right for the reader whatever happens to the entry
// meanwhile.
void ItemCache::serve_encoded(Shard& shard, const Entry* seen, Entry::Content wire_content,
                              uint64_t hash, const std::function<void(const CachedAnswer&)>& use) {
  std::string& body = scratch.body;
  body = R"({"Item":)";
  render_item(ItemView(scratch.encoded), body);
  body += '}';
  wire_content.payload = body;
  wire_content.crc32 = crc32_of(body);
  Entry::Ptr wire;
  if (Entry::bytes_for(wire_content.key, body) <= shard.items->entry_bytes_max()) {
    wire = Entry::make(wire_content);
  }
  {
    EntryChain left;
    std::lock_guard lock(shard.mutex);
    shard.items->render(wire_content.key, hash, seen, wire_content.lsn, std::move(wire), left);
  }
  use({body, wire_content.crc32, false});
  scratch.trim();
}

void ItemCache::fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) {
  if (!is_user_key(key)) return;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  const std::string_view payload = item ? item->encoded() : std::string_view();
  Entry::Ptr fresh;
  if (Entry::bytes_for(key, payload) <= shard.items->entry_bytes_max()) {
    fresh = Entry::make({.key = key,
                         .payload = payload,
                         .form = item ? EntryForm::kEncoded : EntryForm::kAbsent,
                         .written = false,
                         .lsn = view_lsn,
                         .expires_s = expiry_s(hash, now_s()),
                         .crc32 = 0});
  }
  ReadsInFlight::Waiters waiters;
  {
    EntryChain left;
    std::lock_guard lock(shard.mutex);
    const bool filled = shard.items->fill(key, hash, view_lsn, std::move(fresh), left);
    waiters = shard.items->reads().finish(hash, filled);
  }
  for (const auto& resume : waiters) resume();
}

void ItemCache::abandon(std::string_view key) {
  if (!is_user_key(key)) return;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  ReadsInFlight::Waiters waiters;
  {
    std::lock_guard lock(shard.mutex);
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
  const std::string_view payload = change.new_image.value_or(std::string_view());
  Entry::Ptr fresh;
  if (Entry::bytes_for(change.key, payload) <= shard.items->entry_bytes_max()) {
    fresh = Entry::make({.key = change.key,
                         .payload = payload,
                         .form = change.new_image ? EntryForm::kEncoded : EntryForm::kAbsent,
                         .written = true,
                         .lsn = change.lsn,
                         .expires_s = expiry_s(hash, now_s),
                         .crc32 = 0});
  }
  EntryChain left;
  std::lock_guard lock(shard.mutex);
  shard.items->write(change.key, hash, change.lsn, std::move(fresh), left);
}

std::optional<bool> ItemCache::known(std::string_view key, std::string& image) {
  if (!is_user_key(key)) return std::nullopt;
  const uint64_t hash = Entry::hash_of(key);
  Shard& shard = shard_of(hash);
  EntryChain left;
  std::lock_guard lock(shard.mutex);
  const Entry* entry = shard.items->find(key, hash, now_s(), left);
  if (!entry || entry->form() == EntryForm::kWire) return std::nullopt;
  image = entry->payload();
  return entry->form() == EntryForm::kEncoded;
}

void ItemCache::clear() {
  for (size_t i = 0; i <= shard_mask_; ++i) {
    EntryChain left;
    std::lock_guard lock(shards_[i].mutex);
    shards_[i].items->clear(left);
  }
}

ItemCacheStatistics ItemCache::statistics() const {
  ItemCacheStatistics sum;
  for (size_t i = 0; i <= shard_mask_; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    const ItemCacheStatistics one = shards_[i].items->statistics();
    sum.hits += one.hits;
    sum.misses += one.misses;
    sum.waits += one.waits;
    sum.bypasses += one.bypasses;
    sum.fills += one.fills;
    sum.fills_refused += one.fills_refused;
    sum.writes += one.writes;
    sum.evictions += one.evictions;
    sum.expirations += one.expirations;
    sum.entries += one.entries;
    sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace millrace::cache
