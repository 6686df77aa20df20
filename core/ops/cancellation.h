#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace millrace {

/// The TransactionCanceledException of a transaction whose actions failed as `failures` says, one
/// for each action in order; at least one is set.
Error cancellation(const std::vector<std::optional<Error>>& failures);

}  // namespace millrace
