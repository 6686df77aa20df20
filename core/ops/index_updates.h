#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ops/catalog.h"
#include "core/ops/index_request.h"
#include "core/ops/settings_request.h"

namespace millrace {

// GlobalSecondaryIndexUpdates of UpdateTable.

/// As the request brings one; exactly one of the three, once it has been checked.
struct IndexUpdateMembers {
  std::optional<IndexMembers> create, update, remove;
  bool empty_warm = false;  // WarmThroughput without a member
};
Status read_index_updates(JsonValue value, std::vector<IndexUpdateMembers>& updates);
void check_index_update_constraints(const std::vector<IndexUpdateMembers>& updates,
                                    Violations& violations);

/// Of an Update's WarmThroughput, before it is looked at what goes together in a request.
Status check_warm_given(const std::vector<IndexUpdateMembers>& updates);
/// What needs no table. `attributes`: the request's definitions of attributes.
Status check_index_updates(const std::vector<IndexUpdateMembers>& updates,
                           const std::optional<KeyElements>& attributes);

/// One of them without a view into the request.
struct IndexUpdate {
  enum class Kind : uint8_t { kCreate, kUpdate, kDelete };
  Kind kind = Kind::kUpdate;
  Index index;  // kCreate: all but generation and throughput; else its name
  std::optional<CapacityUnits> units;
  UnitsMembers on_demand, warm;
};
bool creates_or_deletes(const std::vector<IndexUpdate>& updates);

/// `table` as the request found it: attributes that its keys have need no definition again.
Result<std::vector<IndexUpdate>> index_updates_of(const std::vector<IndexUpdateMembers>& updates,
                                                  const std::optional<KeyElements>& attributes,
                                                  const Table& table);

/// What applying them has done.
struct IndexUpdateOutcome {
  std::vector<Generation> dropped;
  /// The indexes as the service answers at once: in transition, and with their units from before.
  std::vector<Index> answered;
};

/// Makes them in the indexes of `table`, whose billing mode is as it is to be, as part of the
/// change with this LSN. `mode_before`: what it was. Its errors are the client's.
Result<IndexUpdateOutcome> apply_index_updates(const std::vector<IndexUpdate>& updates,
                                               const Catalog& catalog, std::string_view mode_before,
                                               Lsn lsn, int64_t now_ms, Table& table);

}  // namespace millrace
