#pragma once

#include <string_view>

#include "core/base/result.h"
#include "core/ops/operation.h"
#include "core/store/view.h"

namespace millrace {

/// A hit that was held against the store.
struct CheckedHit {
  std::string_view operation;
  const Table& table;
  std::string_view index;  // empty: a page of the table itself, or an item
  std::string_view key;    // an item's store key; empty: a page
  Lsn lsn = 0;             // of both answers
};

/// Chooses reads whose hits are held against the store as of the same LSN, and is told what came
/// out. Thread-safe.
class HitChecks {
 public:
  virtual ~HitChecks() = default;
  /// Whether the read that begins now on this thread is one. Cheap.
  virtual bool chooses() = 0;
  /// Whether the two are equal; an error: the store could not be read.
  virtual void checked(const Result<bool>& equal, const CheckedHit& hit) = 0;
};

/// If the read that begins now is to be checked: the view that its hit is held against. The cache
/// is asked for the answer as of that view's LSN, so that both are of one moment and differ only if
/// the cache is wrong. Else null.
inline ViewPtr view_to_check(const Node& node) {
  return node.hit_checks != nullptr && node.hit_checks->chooses() ? node.engine.view() : nullptr;
}

}  // namespace millrace
