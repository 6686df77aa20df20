#pragma once

#include <cstdint>
#include <string>

#include "core/store/lsn.h"
#include "sidecar/log_keeper.h"
#include "streams/consumer_group.h"

namespace millrace::sidecar {

/// How far a subscription's shard is behind.
struct Lag {
  uint64_t records = 0;  // LSNs between its position and the newest durable entry
  double seconds = 0;    // between the last change done with and the newest durable entry
};
Lag lag_of(const streams::GroupStatus::Shard& shard, const NewestEntry& newest);

struct GroupTotals {
  Lag lag;  // of the shard that is furthest behind
  size_t records_unacknowledged = 0;
  uint64_t gaps = 0;
};
GroupTotals totals_of(const streams::GroupStatus& status, const NewestEntry& newest);

/// Appends a subscription as GET /v1/subscriptions shows it, an object of JSON.
void render_status(const streams::ConsumerGroup& group, const NewestEntry& newest,
                   std::string& out);

}  // namespace millrace::sidecar
