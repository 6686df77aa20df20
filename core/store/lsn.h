#pragma once

#include <cstdint>

namespace millrace {

/// A log sequence number: counts changes, rises in the order in which they took effect, is below
/// 2^53 (so that a JSON number holds it), and is never used twice. Persisted. 0 is before every change.
using Lsn = uint64_t;

}  // namespace millrace
