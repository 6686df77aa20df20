#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/store/lsn.h"

namespace millrace::cache {

/// What an entry's payload is.
enum class EntryForm : uint8_t {
  kAbsent,   // nothing: the store holds no item under the key
  kEncoded,  // the encoded item, as the log and the tables hold it
  kWire,     // the wire-ready body of GetItem (see core/ops/wire_item.h)
};

/// One cached key: this header, the key and the payload in one allocation. Links and counters are
/// the eviction policy's, `uses` changed by readers too; the rest does not change once it is
/// shared.
class Entry {
 public:
  struct Free {
    void operator()(Entry* entry) const;
  };
  using Ptr = std::unique_ptr<Entry, Free>;

  struct Content {
    std::string_view key;
    std::string_view payload;
    EntryForm form = EntryForm::kAbsent;
    /// Put here by a write; false: by a read. See ItemShard's watermark.
    bool written = false;
    Lsn lsn = 0;
    uint32_t expires_s = 0;
    // Of a wire-ready payload:
    uint32_t crc32 = 0;
    uint32_t item_bytes = 0;  // charged_size() of the item
  };
  static Ptr make(const Content& content);

  /// What an entry takes in memory, the allocator's share included.
  static size_t bytes_for(std::string_view key, std::string_view payload);

  std::string_view key() const { return {data(), key_bytes_}; }
  std::string_view payload() const { return {data() + key_bytes_, payload_bytes_}; }
  EntryForm form() const { return form_; }
  bool written() const { return written_; }
  /// The entry is what the store holds from this LSN up to the key's next change.
  Lsn lsn() const { return lsn_; }
  uint32_t expires_s() const { return expires_s_; }
  /// Before it is shared.
  void expire_at(uint32_t seconds) { expires_s_ = seconds; }
  uint32_t crc32() const { return crc32_; }
  uint32_t item_bytes() const { return item_bytes_; }

  size_t bytes() const { return allocation_bytes(key_bytes_ + size_t{payload_bytes_}); }
  uint64_t hash() const { return hash_of(key()); }
  static uint64_t hash_of(std::string_view key);

  // The eviction policy's.
  Entry* newer = nullptr;
  Entry* older = nullptr;
  uint8_t uses = 0;
  uint8_t queue = 0;

 private:
  Entry() = default;
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  static size_t allocation_bytes(size_t content_bytes) {
    // glibc's malloc: eight bytes before each block, sixteen-byte steps.
    return (sizeof(Entry) + content_bytes + 8 + 15) & ~size_t{15};
  }

  uint16_t key_bytes_ = 0;
  uint32_t payload_bytes_ = 0;
  Lsn lsn_ = 0;
  uint32_t expires_s_ = 0;
  uint32_t crc32_ = 0;
  uint32_t item_bytes_ = 0;
  EntryForm form_ = EntryForm::kAbsent;
  bool written_ = false;
};
static_assert(sizeof(Entry) == 48, "an entry's header is part of the promised overhead");

/// Entries that have left the cache, freed when the chain dies: after the lock is given back.
class EntryChain {
 public:
  EntryChain() = default;
  EntryChain(const EntryChain&) = delete;
  EntryChain& operator=(const EntryChain&) = delete;
  ~EntryChain();
  /// Takes an entry that is linked nowhere any more.
  void push(Entry& entry) {
    entry.older = first_;
    first_ = &entry;
  }

 private:
  Entry* first_ = nullptr;
};

}  // namespace millrace::cache
