#pragma once

#include "core/ops/catalog.h"
#include "core/store/frame.h"

namespace millrace::streams {

/// One change of a user table, with what it took effect with. The views live as long as the frame.
struct Change {
  TablePtr table;
  EntryView entry;  // its time, fields and LSNs
  ChangeView change;
};

}  // namespace millrace::streams
