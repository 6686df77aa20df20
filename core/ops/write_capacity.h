#pragma once

#include "core/ops/capacity.h"
#include "core/ops/item_write.h"

namespace millrace {

/// What a write consumes: of its table always; of an index only if its entry comes, goes or
/// changes, and twice if it moves to another key (one goes, one comes).
/// Source: developer guide, "Provisioned throughput considerations" of global and local secondary
/// indexes.
ConsumedUnits write_capacity(const ItemWrite& write, const ItemOutcome& outcome);
/// In a transaction the table is charged twice, an index as outside of one.
ConsumedUnits transactional_write_capacity(const ItemWrite& write, const ItemOutcome& outcome);

}  // namespace millrace
