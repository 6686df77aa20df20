#pragma once

#include <array>
#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cache/last_changes.h"
#include "core/store/lsn.h"

namespace millrace::cache {

/// One cached page: this header, the canonical request and the wire-ready body in one allocation.
/// Shared: a reader goes on with one that has left the cache. Links and counters are the eviction
/// policy's; the rest does not change after make().
class PageEntry {
 public:
  using Ptr = boost::intrusive_ptr<PageEntry>;
  /// Of what the page covers; one place twice if that is all.
  using Places = std::array<LastChanges::Place, 2>;

  struct Content {
    std::string_view key;
    std::string_view body;
    PageSize size;
    Places places = {};
    Generation table = 0;
    Lsn lsn = 0;
    uint32_t crc32 = 0;
  };
  static Ptr make(const Content& content);

  /// What an entry takes in memory, the allocator's share included.
  static size_t bytes_for(std::string_view key, std::string_view body);

  std::string_view key() const { return {data(), key_bytes_}; }
  std::string_view body() const { return {data() + key_bytes_, body_bytes_}; }
  const Places& places() const { return places_; }
  Generation table() const { return table_; }
  /// The body is the store's answer from this LSN up to the next change of what the page covers.
  Lsn lsn() const { return lsn_; }
  uint32_t expires_s() const { return expires_s_; }
  /// Before it is shared.
  void expire_at(uint32_t expires_s) { expires_s_ = expires_s; }
  uint32_t crc32() const { return crc32_; }
  PageSize size() const { return size_; }

  size_t bytes() const { return bytes_for(key(), body()); }
  uint64_t hash() const { return hash_; }
  static uint64_t hash_of(std::string_view key);

  // The eviction policy's.
  PageEntry* newer = nullptr;
  PageEntry* older = nullptr;
  uint8_t uses = 0;
  uint8_t queue = 0;

 private:
  PageEntry() = default;
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  friend void intrusive_ptr_add_ref(PageEntry* entry) {
    entry->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(PageEntry* entry) {
    if (entry->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) free(entry);
  }
  static void free(PageEntry* entry);

  std::atomic<uint32_t> references_{0};
  uint32_t key_bytes_ = 0;
  uint32_t body_bytes_ = 0;
  uint32_t expires_s_ = 0;
  uint32_t crc32_ = 0;
  PageSize size_;
  Places places_ = {};
  Generation table_ = 0;
  Lsn lsn_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace millrace::cache
