#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "core/model/value.h"
#include "core/store/lsn.h"

namespace millrace {

/// How a reader wants an item.
enum class ItemForm : uint8_t {
  kWire,     // the wire-ready body of GetItem (see wire_item.h)
  kEncoded,  // the encoded item, to project from
};

/// What the item cache holds for a key: an item, or the knowledge that there is none.
struct CachedAnswer {
  /// In the form that was asked for; of an absent item `{}` or empty.
  std::string_view bytes;
  uint32_t crc32 = 0;       // of a wire-ready body
  uint32_t item_bytes = 0;  // charged_size() of the item
  bool absent = false;
};

/// The seam between the operations and the item cache above core. Thread-safe; coherence (LSN
/// guards, write-through by CommitObserver) is the implementation's.
class ReadCache {
 public:
  virtual ~ReadCache() = default;

  enum class Outcome : uint8_t {
    kHit,   // `use` was called with the answer
    kMiss,  // the caller reads the store at a view taken from now on, or at one of `published`,
            // then calls fill() or abandon()
    kMissExpired,  // the same: what there was has outlived its time to live
    kMissChanged,  // the same: of a page that there was, something has changed
    kWaiting,  // another read of the key is under way: `resume` will be called once, on that read's
               // thread
    kNewer,    // read the store, do not fill: the entry is above `published`
    kBusy,  // the same: another read is under way and this one does not wait (it has no `resume`,
            // or too many read or wait), it has ended just now, or what this one waited for has
            // left nothing behind
    kOff,   // the same: the key's table is not cached
  };
  static bool is_miss(Outcome outcome) {
    return outcome == Outcome::kMiss || outcome == Outcome::kMissExpired ||
           outcome == Outcome::kMissChanged;
  }
  using Use = std::function<void(const CachedAnswer&)>;
  /// `published`: the LSN that the answer is to be as of, such as the engine's published one, read
  /// before this call, or that of a view taken before. `use` runs before find returns, under the
  /// cache's lock: copy and get out. `resume` may be empty: this reader does not wait.
  virtual Outcome find(std::string_view key, Lsn published, ItemForm form, const Use& use,
                       std::function<void()> resume) = 0;
  /// For who read the store and failed: as find(), but also of an entry that has outlived its time
  /// to live, by no more than its table's stale-if-error bound. False: there is none.
  virtual bool find_expired(std::string_view key, Lsn published, ItemForm form, const Use& use) = 0;
  /// Ends a miss: `item` (none: absent) as a view at `view_lsn` had it. Loses to anything newer.
  /// False: it is too large for the cache, whenever it comes.
  virtual bool fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) = 0;
  /// Ends a miss whose read failed; waiting readers read for themselves.
  virtual void abandon(std::string_view key) = 0;
  /// A Query reads the partition, of a table or a global index, that `key` is of or is the prefix
  /// of: for the naming of hot ones.
  virtual void note_query(std::string_view key) = 0;
};

}  // namespace millrace
