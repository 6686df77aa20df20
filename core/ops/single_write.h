#pragma once

#include <string_view>

#include "core/ops/item_write.h"
#include "core/ops/operation.h"
#include "core/ops/write_request.h"

namespace millrace {

/// What ReturnValues asks for.
enum class ReturnValues : uint8_t { kNone, kAllOld, kAllNew, kUpdatedOld, kUpdatedNew };

/// Carries out a write of one item for a client: finds the table, submits the command, answers.
/// `members` were checked against the constraints of the model; `kind` is not kConditionCheck.
void submit_single_write(Node& node, WriteMembers&& members, WriteKind kind, Reply reply);

}  // namespace millrace
