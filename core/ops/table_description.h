#pragma once

#include <string>
#include <string_view>

#include "core/ops/catalog.h"
#include "core/ops/json_fields.h"

namespace millrace {

/// Appends a TableDescription. `status`: CREATING, ACTIVE, UPDATING or DELETING.
void render_table(const Catalog& catalog, const Table& table, std::string_view status,
                  int64_t now_ms, std::string& out);

/// What DescribeTable shows: UPDATING until the backfill of a new index has begun, else ACTIVE.
std::string_view table_status(const Table& table);

// What the descriptions of a table and of a global index have in common.

void render_provisioned(const ThroughputSettings& settings, CapacityUnits units, int64_t now_ms,
                        JsonFields& fields);
/// Of what is being created only if it was asked for.
void render_warm(const ThroughputSettings& settings, std::string_view billing_mode,
                 CapacityUnits units, bool creating, JsonFields& fields);
/// Nothing if none is set.
void render_on_demand(const ThroughputSettings& settings, JsonFields& fields);

/// DynamoDB's name of what an index projects.
std::string_view projection_name(IndexProjection projection);

/// DynamoDB's name of a view type.
std::string_view view_type_name(StreamViewType type);
std::optional<StreamViewType> view_type_of(std::string_view name);

/// A stream that begins at `lsn`, with as many shards as the catalogue says. Its label is the time,
/// moved past the labels that `table` has had.
StreamDefinition new_stream(const Catalog& catalog, const Table& table, StreamViewType view_type,
                            Lsn lsn, int64_t now_ms);

/// A label's form of a time: 2026-11-22T10:00:00.000.
std::string stream_label(int64_t time_ms);

}  // namespace millrace
