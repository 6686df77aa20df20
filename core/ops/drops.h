#pragma once

#include <string_view>

#include "core/model/schema.h"
#include "core/store/engine.h"

namespace millrace {

/// Says, within the entry that takes a table's or index's definition away, that its keys are to be
/// removed and their space given back: an item of the system table of drops, which the engine works
/// off and takes out (persisted). `whose` is a name for whoever reads that table.
void stage_drop(Commit& commit, Generation generation, std::string_view whose);

}  // namespace millrace
