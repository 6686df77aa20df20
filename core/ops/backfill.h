#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/ops/work_ticket.h"
#include "core/store/engine.h"

namespace millrace {

// Filling an index that was added to a table with items. From its definition on every write keeps
// it, so what is left are the items from before: they are walked in bounded steps, each a command
// that reads its items again and so adds what they are now. How far it got is an item of a hidden
// system table, changed by the very command, so a crash loses and repeats nothing that matters. An
// item with a value that can be no key of the index is left out.

/// The store key of what is noted of an index's backfill. Persisted.
std::string backfill_key(Generation index);

/// stage_drop for an index whose backfill may be under way: what was noted of it goes too.
void stage_index_drop(Commit& commit, Generation index, std::string_view whose);

/// An index, or a table's TTL index, that is yet to be filled.
struct BackfillTarget {
  std::string table_name;
  Generation table = 0;
  Generation index = 0;
  bool begun = false;  // and its definition says so
};
std::vector<BackfillTarget> backfill_targets(const Catalog& catalog);

/// The commands of the next step, in their order; the last ones make the index ready. `catalog`
/// outlives them.
Result<std::vector<std::unique_ptr<Command>>> backfill_commands(
    const BackfillTarget& target, const View& view, const Catalog& catalog, WorkBounds bounds,
    const std::shared_ptr<WorkTicket>& ticket);

}  // namespace millrace
