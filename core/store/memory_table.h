#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/store/lsn.h"

namespace millrace {

/// Versions of items by (key, LSN): one writer inserts with rising LSNs, any number of threads read
/// without a lock, each at an LSN. Nothing is ever removed; the table is dropped as a whole.
class MemoryTable {
 public:
  MemoryTable();
  ~MemoryTable();
  MemoryTable(const MemoryTable&) = delete;
  MemoryTable& operator=(const MemoryTable&) = delete;

  /// Writer only. No image: a removal.
  void insert(std::string_view key, Lsn lsn, std::optional<std::string_view> image);

  struct Version {
    Lsn lsn;
    std::optional<std::string_view> image;  // none: removed
  };
  /// The newest version of `key` at or below `lsn`. Views live as long as the table.
  std::optional<Version> get(std::string_view key, Lsn lsn) const;

  /// A walk over the newest version at or below `lsn` of each key, removals included.
  class Walk {
   public:
    Walk(const MemoryTable& table, Lsn lsn);
    void seek(std::string_view key);         // first key >= `key`
    void seek_before(std::string_view key);  // last key < `key`; empty: the last of all
    bool valid() const { return node_ != nullptr; }
    void next();
    void previous();
    std::string_view key() const;
    Version version() const;
    /// Whether there is a version of this key before that.
    bool has_older() const;

   private:
    void settle();
    const MemoryTable& table_;
    Lsn lsn_;
    const void* node_ = nullptr;
  };

  /// Memory that the entries take.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  bool empty() const { return bytes() == 0; }
  /// Versions that are removals. Writer only.
  size_t removals() const { return removals_; }

 private:
  // A skip list ordered by key, then by falling LSN, for walks; a hash table from each key to its
  // newest version, which leads to the older ones, for single reads.
  struct Node;
  /// Memory in blocks that are freed as a whole.
  struct Arena {
    char* allocate(size_t size, size_t alignment);
    std::vector<std::unique_ptr<char[]>> blocks;
    char* free = nullptr;
    size_t free_bytes = 0;
  };
  static constexpr int kHeightMax = 12;
  static constexpr size_t kBuckets = 1u << 16;

  /// Puts the node in its bucket, in place of the version before it if there is one.
  void link_newest(Node* node);

  Node* new_node(std::string_view key, Lsn lsn, std::optional<std::string_view> image, int height);
  int random_height();
  /// The first node at or after (key, lsn); fills `previous` with its predecessors if given.
  const Node* seek(std::string_view key, Lsn lsn, Node** previous) const;
  /// The last node before (key, lsn); null if none.
  const Node* seek_before(std::string_view key, Lsn lsn) const;
  const Node* last() const;

  // Zeroed memory of the system: only what is touched becomes resident.
  std::unique_ptr<std::atomic<Node*>[], void (*)(void*)> buckets_;
  // Apart, so that what a search walks over stays together in the processor's cache.
  Arena nodes_;
  Arena contents_;
  std::atomic<size_t> bytes_{0};
  size_t removals_ = 0;
  std::atomic<int> height_{1};
  uint64_t random_ = 0x9e3779b97f4a7c15;
  Node* head_;
};

}  // namespace millrace
