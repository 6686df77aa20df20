#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <limits>

#include "core/model/schema.h"

namespace millrace::cache {

/// Which writes make entries.
enum class Admission : uint8_t {
  kAll,     // every write puts its item in
  kOnRead,  // a write replaces the entry that is there; only reads put in what is not
};

/// How a table's items and pages are cached. The times to live are a backstop, coherence does not
/// rest on them; each is DAX's default; 0: for ever.
struct TablePolicy {
  bool enabled = true;
  uint32_t item_ttl_s = 300;
  uint32_t negative_ttl_s = 300;  // of the knowledge that there is no item
  uint32_t query_ttl_s = 300;     // of a page of Query or Scan
  /// For how long an expired item may still serve while the store cannot be read; 0: not at all.
  uint32_t stale_if_error_s = 0;
  Admission admission = Admission::kAll;
};

/// The policies of the tables that have one of their own.
using TablePolicies = boost::unordered_flat_map<Generation, TablePolicy>;

/// The policy of `table`; `own` may be null: all have `otherwise`.
inline const TablePolicy& policy_of(const TablePolicies* own, Generation table,
                                    const TablePolicy& otherwise) {
  if (own == nullptr) return otherwise;
  const auto found = own->find(table);
  return found == own->end() ? otherwise : found->second;
}

/// Entries that expire at this time or before are of no use any more.
inline uint32_t last_useless_s(const TablePolicy& policy, uint32_t now_s) {
  return now_s - std::min(now_s, policy.stale_if_error_s);
}

/// When an entry that comes now expires. Up to an eighth early, by the hash of its key: what was
/// loaded together shall not expire together.
inline uint32_t expiry_s(uint32_t ttl_s, uint64_t hash, uint32_t now_s) {
  if (ttl_s == 0) return std::numeric_limits<uint32_t>::max();
  return now_s + ttl_s - static_cast<uint32_t>((hash >> 40) % (ttl_s / 8 + 1));
}

}  // namespace millrace::cache
