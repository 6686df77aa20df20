#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>

#include "core/model/schema.h"

namespace millrace::cache {

/// Which writes make entries.
enum class Admission : uint8_t {
  kAll,     // every write puts its item in
  kOnRead,  // a write replaces the entry that is there; only reads put in what is not
};

/// How the items of a table are cached.
struct TablePolicy {
  bool enabled = true;
  /// How long an entry may serve at most: a backstop, coherence does not rest on it. DAX's default.
  /// 0: for ever.
  uint32_t item_ttl_s = 300;
  /// The same for the knowledge that there is no item.
  uint32_t negative_ttl_s = 300;
  Admission admission = Admission::kAll;
};

/// The policies of the tables that have one of their own.
using TablePolicies = boost::unordered_flat_map<Generation, TablePolicy>;

}  // namespace millrace::cache
