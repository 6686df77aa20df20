#pragma once

#include <cstdint>
#include <memory>

#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/ops/work_ticket.h"
#include "core/store/engine.h"

namespace millrace {

/// Who deletes what has expired, as its records in a stream say. Persisted.
inline constexpr std::string_view kExpiryIdentity = "dynamodb.amazonaws.com";

struct ExpiryStep {
  std::unique_ptr<Command> command;  // null: nothing has expired
  std::string next;                  // where the next step begins; empty: no more has expired
};

/// The command that deletes some of a table's items that have expired by `now_second`, each if it
/// still has when the command runs. They are walked in order of expiry, from `begin` on (empty:
/// from the first). `catalog` outlives it.
Result<ExpiryStep> expiry_step(const Table& table, const std::string& begin, int64_t now_second,
                               const View& view, const Catalog& catalog, WorkBounds bounds,
                               const std::shared_ptr<WorkTicket>& ticket);

}  // namespace millrace
