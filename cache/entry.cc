#include "cache/entry.h"

#include <cstring>
#include <new>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace millrace::cache {

Entry::Ptr Entry::make(const Content& content) {
  CHECK(content.key.size() <= UINT16_MAX && content.payload.size() <= UINT32_MAX);
  void* memory = ::operator new(sizeof(Entry) + content.key.size() + content.payload.size());
  Ptr entry(new (memory) Entry);
  entry->written_ = content.written;
  entry->form_ = content.form;
  entry->key_bytes_ = static_cast<uint16_t>(content.key.size());
  entry->payload_bytes_ = static_cast<uint32_t>(content.payload.size());
  entry->lsn_ = content.lsn;
  entry->expires_s_ = content.expires_s;
  entry->crc32_ = content.crc32;
  entry->item_bytes_ = content.item_bytes;
  char* data = reinterpret_cast<char*>(entry.get() + 1);
  std::memcpy(data, content.key.data(), content.key.size());
  if (!content.payload.empty()) {
    std::memcpy(data + content.key.size(), content.payload.data(), content.payload.size());
  }
  return entry;
}

void Entry::Free::operator()(Entry* entry) const {
  entry->~Entry();
  ::operator delete(static_cast<void*>(entry));
}

size_t Entry::bytes_for(std::string_view key, std::string_view payload) {
  return allocation_bytes(key.size() + payload.size());
}

uint64_t Entry::hash_of(std::string_view key) { return xxh3_64(key); }

EntryChain::~EntryChain() {
  while (first_) {
    Entry* next = first_->older;
    Entry::Free{}(first_);
    first_ = next;
  }
}

}  // namespace millrace::cache
