#pragma once

#include <functional>
#include <memory>

#include "core/ops/catalog.h"
#include "core/ops/operation.h"
#include "core/store/engine.h"

namespace millrace {

/// Stages all that takes a table away: its definition, which is kept under another name while the
/// log has its changes, and the drops of its space and of its indexes'.
void stage_table_removal(Commit& commit, const Table& table);

/// The command that removes all tables, whatever protects them, and all idempotency tokens, so that
/// the next test finds nothing of the last one. `done` is called once, with the number of tables.
std::unique_ptr<Command> reset_command(const Node& node,
                                       std::function<void(Result<size_t> tables)> done);

}  // namespace millrace
