#include "sidecar/subscription_status.h"

#include <algorithm>

#include "core/ops/json_fields.h"

namespace millrace::sidecar {
namespace {

void render_shard(uint32_t number, const streams::GroupStatus::Shard& shard, Lag lag,
                  std::string& out) {
  JsonFields fields(out);
  fields.integer("shard", number);
  fields.integer("position", static_cast<int64_t>(shard.position));
  fields.integer("lag_records", static_cast<int64_t>(lag.records));
  fields.time("lag_seconds", static_cast<int64_t>(lag.seconds * 1000));
  fields.integer("unacknowledged_records", static_cast<int64_t>(shard.records_unacknowledged));
  fields.integer("unacknowledged_bytes", static_cast<int64_t>(shard.bytes_unacknowledged));
  fields.integer("gaps", static_cast<int64_t>(shard.gaps));
  if (shard.leased) {
    fields.integer("epoch", static_cast<int64_t>(shard.epoch));
    fields.text("member", shard.member);
  }
  fields.end();
}

}  // namespace

Lag lag_of(const streams::GroupStatus::Shard& shard, const NewestEntry& newest) {
  Lag lag;
  if (shard.position >= newest.lsn()) return lag;
  lag.records = newest.lsn() - shard.position;
  lag.seconds =
      static_cast<double>(std::max<int64_t>(newest.time_ms() - shard.position_ms, 0)) * 1e-3;
  return lag;
}

GroupTotals totals_of(const streams::GroupStatus& status, const NewestEntry& newest) {
  GroupTotals totals;
  for (const streams::GroupStatus::Shard& shard : status.shards) {
    const Lag lag = lag_of(shard, newest);
    totals.lag.records = std::max(totals.lag.records, lag.records);
    totals.lag.seconds = std::max(totals.lag.seconds, lag.seconds);
    totals.records_unacknowledged += shard.records_unacknowledged;
    totals.gaps += shard.gaps;
  }
  return totals;
}

void render_status(const streams::ConsumerGroup& group, const NewestEntry& newest,
                   std::string& out) {
  const streams::SubscriptionDefinition& definition = group.definition();
  const streams::GroupStatus status = group.status();
  std::string tables = "[", shards = "[", members = "[";
  for (const std::string& table : definition.tables) {
    if (tables.size() > 1) tables += ',';
    render_json_string(table, tables);
  }
  const GroupTotals totals = totals_of(status, newest);
  for (uint32_t i = 0; i < status.shards.size(); ++i) {
    if (i > 0) shards += ',';
    render_shard(i, status.shards[i], lag_of(status.shards[i], newest), shards);
  }
  for (const streams::GroupStatus::Member& member : status.members) {
    if (members.size() > 1) members += ',';
    JsonFields fields(members);
    fields.text("member", member.member);
    fields.integer("shards", static_cast<int64_t>(member.shards));
    fields.integer("silent_ms", member.silent_ms);
    fields.end();
  }
  JsonFields fields(out);
  fields.text("subscription", definition.name);
  fields.raw("tables", tables + "]");
  if (!definition.filter.empty()) fields.raw("filter", definition.filter);
  fields.integer("created_ms", definition.created_ms);
  fields.integer("lag_records", static_cast<int64_t>(totals.lag.records));
  fields.time("lag_seconds", static_cast<int64_t>(totals.lag.seconds * 1000));
  fields.integer("gaps", static_cast<int64_t>(totals.gaps));
  fields.raw("members", members + "]");
  fields.raw("shards", shards + "]");
  fields.end();
}

}  // namespace millrace::sidecar
