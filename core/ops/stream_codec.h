#pragma once

#include "core/base/result.h"
#include "core/model/value.h"
#include "core/ops/stream_definition.h"

namespace millrace {

/// A stream's part of a table's definition, and back. Persisted.
Value stream_value(const StreamDefinition& stream);
Result<StreamDefinition> stream_of(ValueView value);

/// Whether its shards are other than those that it began with. What is then kept of them an older
/// release would not know.
bool has_lineage(const StreamDefinition& stream);

}  // namespace millrace
