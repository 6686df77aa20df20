#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/value.h"
#include "core/store/lsn.h"

namespace millrace {

/// What the item cache holds for a key: an item as the wire-ready body of GetItem
/// (`{"Item":{...}}`) with its CRC-32, or the knowledge that there is none (body `{}`).
struct CachedAnswer {
  std::string_view body;
  uint32_t crc32 = 0;
  bool absent = false;
};

/// The seam between the operations and the item cache above core. Thread-safe; coherence (LSN
/// guards, write-through by CommitObserver) is the implementation's.
class ReadCache {
 public:
  virtual ~ReadCache() = default;

  enum class Outcome : uint8_t {
    kHit,      // `use` was called with the answer
    kMiss,     // the caller reads the store at a view taken from now on, then calls fill() or
               // abandon()
    kWaiting,  // another read of the key is under way: `resume` will be called once, on that read's
               // thread
    kBypass,   // read the store, do not fill (the entry is above the published LSN, or caching is
               // off)
  };
  /// `published`: the engine's published LSN, read before this call. `use` runs before find
  /// returns, under the cache's lock: copy and get out.
  virtual Outcome find(std::string_view key, Lsn published,
                       const std::function<void(const CachedAnswer&)>& use,
                       std::function<void()> resume) = 0;
  /// Ends a miss: `item` (none: absent) as a view at `view_lsn` had it. Loses to anything newer.
  virtual void fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) = 0;
  /// Ends a miss whose read failed; waiting readers read for themselves.
  virtual void abandon(std::string_view key) = 0;
};

}  // namespace millrace
