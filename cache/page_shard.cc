#include "cache/page_shard.h"

#include <utility>

namespace millrace::cache {

PageEntry* PageShard::find(std::string_view key, uint64_t hash) {
  auto it = table_.find(Lookup{key, hash});
  return it == table_.end() ? nullptr : it->get();
}

PageShard::Evicted PageShard::put(PageEntry::Ptr fresh, Left& left) {
  PageEntry& entry = *fresh;
  if (PageEntry* old = find(entry.key(), entry.hash())) {
    policy_.replace(*old, entry);
    shares_.replace(entry.table(), old->bytes(), entry.bytes());
    auto it = table_.find(Lookup{entry.key(), entry.hash()});
    left.push_back(*it);
    table_.erase(it);
    table_.insert(std::move(fresh));
  } else {
    table_.insert(std::move(fresh));
    policy_.insert(entry, /*by_read=*/true);
    shares_.add(entry.table(), entry.bytes());
  }
  Evicted evicted;
  while (bytes() > bytes_max_) {
    PageEntry* victim = policy_.evict();
    if (victim == nullptr) break;
    ++evicted.pages;
    evicted.bytes += victim->bytes();
    shares_.remove(victim->table(), victim->bytes());
    left.emplace_back(victim);
    table_.erase(Lookup{victim->key(), victim->hash()});
  }
  return evicted;
}

void PageShard::remove(PageEntry& entry, Left& left) {
  policy_.remove(entry);
  shares_.remove(entry.table(), entry.bytes());
  left.emplace_back(&entry);
  table_.erase(Lookup{entry.key(), entry.hash()});
}

size_t PageShard::clear(Left& left) {
  const size_t before = table_.size();
  while (!table_.empty()) remove(**table_.begin(), left);
  return before;
}

size_t PageShard::clear(Generation table, Left& left) {
  const size_t before = table_.size();
  for (auto it = table_.begin(); it != table_.end();) {
    PageEntry& entry = **it++;
    if (entry.table() == table) remove(entry, left);
  }
  return before - table_.size();
}

size_t PageShard::table_bytes() const {
  // Boost's groups: fifteen slots and sixteen bytes of metadata.
  return table_.bucket_count() * sizeof(PageEntry::Ptr) + table_.bucket_count() / 15 * 16 +
         shares_.bytes();
}

}  // namespace millrace::cache
