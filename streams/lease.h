#pragma once

#include <cstdint>

namespace millrace::streams {

/// A member's right to a shard of a subscription. Epochs of a subscription rise from grant to grant
/// within one run of the node.
struct Lease {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  bool operator==(const Lease&) const = default;
};

}  // namespace millrace::streams
