#pragma once

#include <string>
#include <string_view>

#include "core/ops/catalog.h"
#include "core/store/frame.h"

namespace millrace::streams {

/// "INSERT", "MODIFY", "REMOVE".
std::string_view event_name(ChangeKind kind);

/// Where a record goes: the two differ in the names within userIdentity.
enum class RecordForm : uint8_t {
  kApi,    // GetRecords: PrincipalId, Type, as the SDKs' models have them
  kEvent,  // what Lambda, EventBridge Pipes and their like hand on: principalId, type
};

/// Appends the DynamoDB Streams record of `change` (of `table`, within `entry`) as one JSON object.
/// Images that `view` excludes, or that the log does not hold, are absent. Appends only: no tree,
/// no allocation but `out`'s own.
void render_record(const Table& table, std::string_view region, StreamViewType view,
                   const ChangeView& change, const EntryView& entry, std::string& out,
                   RecordForm form = RecordForm::kApi);

/// The record's `SizeBytes`: keys, and the images that `view` shows.
size_t record_size(const Table& table, StreamViewType view, const ChangeView& change);

/// Appends a record's `eventSourceARN`: the table's stream, or the table itself while it has none.
void append_source_arn(const Table& table, std::string_view region, std::string_view account,
                       std::string& out);

/// The item of the key attributes alone, from the change's store key.
std::string key_item(const Table& table, std::string_view store_key);

/// Appends `"pk":{"S":"..."}`: a key attribute from its scalar bytes.
void render_key_attribute(const KeyAttribute& attribute, std::string_view scalar, std::string& out);

/// Appends `{"pk":{"S":"..."},...}`: the key attributes, from the change's store key.
void render_keys(const Table& table, std::string_view store_key, std::string& out);

}  // namespace millrace::streams
