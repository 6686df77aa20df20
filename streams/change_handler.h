#pragma once

#include <cstdint>
#include <optional>

#include "core/model/value.h"
#include "core/ops/catalog.h"
#include "core/store/frame.h"
#include "core/store/lsn.h"

namespace millrace::streams {

/// One change of an item as a handler gets it. The views live as long as the call.
struct ItemChange {
  ChangeKind kind = ChangeKind::kInsert;  // inserted, modified or removed
  const Table& table;
  ItemView key;                    // the key attributes alone
  std::optional<ItemView> before;  // of what was modified or removed; none from before old images
                                   // were kept
  std::optional<ItemView> after;   // of what was inserted or modified
  Lsn lsn = 0;                     // of two changes of one item the later has the greater
  int64_t time_ms = 0;
};

/// A program's own reader of a subscription. May see a change again, when the node stopped or the
/// shard moved before it was acknowledged, so what it does should be the same done twice; `lsn`
/// tells one change from another.
class ChangeHandler {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kRetry,   // again after a pause; until then nothing more of its shard is handed over
    kFailed,  // not to be tried again: counted, and passed over
  };
  virtual ~ChangeHandler() = default;
  virtual Outcome handle(const ItemChange& change) = 0;
};

}  // namespace millrace::streams
