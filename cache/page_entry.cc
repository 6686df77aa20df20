#include "cache/page_entry.h"

#include <cstring>
#include <new>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace::cache {

PageEntry::Ptr PageEntry::make(const Content& content) {
  CHECK(content.key.size() <= UINT32_MAX && content.body.size() <= UINT32_MAX);
  void* memory = ::operator new(sizeof(PageEntry) + content.key.size() + content.body.size());
  Ptr entry(new (memory) PageEntry);
  entry->key_bytes_ = static_cast<uint32_t>(content.key.size());
  entry->body_bytes_ = static_cast<uint32_t>(content.body.size());
  entry->crc32_ = content.crc32;
  entry->size_ = content.size;
  entry->places_ = content.places;
  entry->table_ = content.table;
  entry->lsn_ = content.lsn;
  entry->hash_ = hash_of(content.key);
  char* data = reinterpret_cast<char*>(entry.get() + 1);
  std::memcpy(data, content.key.data(), content.key.size());
  std::memcpy(data + content.key.size(), content.body.data(), content.body.size());
  return entry;
}

void PageEntry::free(PageEntry* entry) {
  entry->~PageEntry();
  ::operator delete(static_cast<void*>(entry));
}

size_t PageEntry::bytes_for(std::string_view key, std::string_view body) {
  // glibc's malloc: eight bytes before each block, sixteen-byte steps.
  return (sizeof(PageEntry) + key.size() + body.size() + 8 + 15) & ~size_t{15};
}

uint64_t PageEntry::hash_of(std::string_view key) { return xxh3_64(key); }

}  // namespace millrace::cache
