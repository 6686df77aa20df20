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

   private:
    const MemoryTable& table_;
    Lsn lsn_;
    const void* node_ = nullptr;
  };

  /// Memory that the entries take.
  size_t bytes() const;
  bool empty() const;

 private:
  struct Node;
  // (the implementer's)
};

}  // namespace millrace
