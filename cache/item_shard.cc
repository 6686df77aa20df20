#include "cache/item_shard.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/bytes.h"

namespace millrace::cache {
namespace {

Generation table_of(const Entry& entry) { return get_big_endian64(entry.key().data()); }

}  // namespace

ItemShard::ItemShard(size_t bytes_max) : bytes_max_(bytes_max), policy_(bytes_max) {}

ItemShard::~ItemShard() {
  EntryChain left;
  drop_all({}, left);
}

Entry* ItemShard::find(std::string_view key, uint64_t hash, uint32_t now_s) const {
  auto it = table_.find(Lookup{key, hash, std::min(mean_entry_bytes(), kPrefetchBytesMax)});
  return it != table_.end() && it->entry->expires_s() > now_s ? it->entry : nullptr;
}

void ItemShard::expire(std::string_view key, uint64_t hash, uint32_t now_s, EntryChain& left) {
  auto it = table_.find(Lookup{key, hash, 0});
  if (it == table_.end() || it->entry->expires_s() > now_s) return;
  ++statistics_.expirations;
  leave(it, left);
}

void ItemShard::write(std::string_view key, uint64_t hash, Lsn lsn, Entry::Ptr fresh, bool admit,
                      EntryChain& left) {
  ++statistics_.writes;
  auto it = table_.find(Lookup{key, hash, 0});
  if (!fresh || (it == table_.end() && !admit)) {
    watermark_ = std::max(watermark_, lsn);
    if (it != table_.end()) leave(it, left);
    return;
  }
  if (it == table_.end()) {
    insert(std::move(fresh), /*by_read=*/false, left);
    return;
  }
  if (it->entry->lsn() >= lsn) {
    // Told late, of what a fill had seen already.
    watermark_ = std::max(watermark_, lsn);
    return;
  }
  // The successor stands for the key from now on, so the predecessor need not raise the watermark.
  replace(it, std::move(fresh), left);
}

bool ItemShard::fill(std::string_view key, uint64_t hash, Lsn lsn, Entry::Ptr fresh, uint32_t now_s,
                     EntryChain& left) {
  expire(key, hash, now_s, left);
  auto it = table_.find(Lookup{key, hash, 0});
  if (it != table_.end()) {
    // No change came between the entry and the view, or it would have replaced the entry: they are
    // equal, or the view is the older one.
    if (it->entry->lsn() > lsn) ++statistics_.fills_refused;
    return true;
  }
  if (lsn < watermark_ || !fresh) {
    ++statistics_.fills_refused;
    return false;
  }
  ++statistics_.fills;
  const Entry* entry = fresh.get();
  insert(std::move(fresh), /*by_read=*/true, left);
  it = table_.find(Lookup{key, hash, 0});
  return it != table_.end() && it->entry == entry;
}

void ItemShard::render(std::string_view key, uint64_t hash, const Entry* seen, Lsn seen_lsn,
                       Entry::Ptr wire, EntryChain& left) {
  auto it = table_.find(Lookup{key, hash, 0});
  // An entry of the same key and LSN in the same place is the same item, even if it is another
  // entry.
  if (it == table_.end() || it->entry != seen || it->entry->lsn() != seen_lsn ||
      it->entry->form() != EntryForm::kEncoded) {
    return;
  }
  if (wire) replace(it, std::move(wire), left);
}

size_t ItemShard::drop(std::string_view key, uint64_t hash, EntryChain& left) {
  auto it = table_.find(Lookup{key, hash, 0});
  if (it == table_.end()) return 0;
  leave(it, left);
  return 1;
}

size_t ItemShard::drop_all(std::string_view prefix, EntryChain& left) {
  const size_t before = table_.size();
  for (auto it = table_.cbegin(); it != table_.cend();) {
    auto next = std::next(it);
    if (it->entry->key().substr(0, prefix.size()) == prefix) leave(it, left);
    it = next;
  }
  return before - table_.size();
}

bool ItemShard::walk(size_t count,
                     const std::function<void(const Entry& entry, uint8_t heat)>& visit) {
  for (size_t i = 0; i < count; ++i) {
    const Entry* entry = policy_.walk();
    if (!entry) return false;
    // What is in the main queue was used before, too.
    visit(*entry, static_cast<uint8_t>(entry->uses + S3Fifo<Entry>::is_in_main(*entry)));
  }
  return true;
}

ItemCacheStatistics ItemShard::statistics() const {
  ItemCacheStatistics statistics = statistics_;
  statistics.entries = table_.size();
  statistics.bytes = bytes();
  return statistics;
}

size_t ItemShard::table_bytes() const {
  // Boost's groups: fifteen slots and sixteen bytes of metadata.
  return table_.bucket_count() * sizeof(Slot) + table_.bucket_count() / 15 * 16 + shares_.bytes();
}

void ItemShard::leave(Table::const_iterator it, EntryChain& left) {
  Entry& entry = *it->entry;
  policy_.remove(entry);
  table_.erase(it);
  retire(entry, left);
}

void ItemShard::retire(Entry& entry, EntryChain& left) {
  shares_.remove(table_of(entry), entry.bytes());
  if (entry.written()) watermark_ = std::max(watermark_, entry.lsn());
  left.push(entry);
}

void ItemShard::insert(Entry::Ptr fresh, bool by_read, EntryChain& left) {
  Entry* entry = fresh.release();
  table_.insert(Slot{entry});
  policy_.insert(*entry, by_read);
  shares_.add(table_of(*entry), entry->bytes());
  evict_to_limit(left);
}

void ItemShard::replace(Table::const_iterator it, Entry::Ptr fresh, EntryChain& left) {
  Entry* old = std::exchange(it->entry, fresh.release());
  policy_.replace(*old, *it->entry);
  shares_.replace(table_of(*old), old->bytes(), it->entry->bytes());
  left.push(*old);
  evict_to_limit(left);
}

void ItemShard::evict_to_limit(EntryChain& left) {
  while (bytes() > bytes_max_) {
    Entry* entry = policy_.evict();
    if (!entry) return;
    ++statistics_.evictions;
    statistics_.evicted_bytes += entry->bytes();
    table_.erase(Lookup{entry->key(), entry->hash(), 0});
    retire(*entry, left);
  }
}

}  // namespace millrace::cache
