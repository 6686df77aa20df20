#include "core/ops/stream_codec.h"

#include "core/ops/definition_values.h"
#include "core/ops/table_description.h"

namespace millrace {

namespace {

Value time_value(int64_t ms) { return integer_value(static_cast<uint64_t>(ms)); }

// The shards with which a stream begins, closed if it was disabled: what the count alone says.
std::vector<ShardDefinition> first_shards(const StreamDefinition& stream) {
  StreamDefinition plain;
  plain.enabled_at = stream.enabled_at;
  plain.created_ms = stream.created_ms;
  plain.open_shards(stream.initial_shards);
  if (stream.disabled_at) plain.disable(*stream.disabled_at, stream.disabled_time_ms);
  return plain.shards;
}

Value shard_value(const ShardDefinition& shard) {
  Value::Map entries;
  entries.emplace("Ordinal", integer_value(shard.name.ordinal));
  entries.emplace("Created", time_value(shard.name.created_ms));
  entries.emplace("First", integer_value(shard.range.first));
  entries.emplace("Last", integer_value(shard.range.last));
  if (shard.parent) {
    entries.emplace("Parent", integer_value(shard.parent->ordinal));
    entries.emplace("ParentCreated", time_value(shard.parent->created_ms));
  }
  entries.emplace("OpenedAt", integer_value(shard.opened_at));
  if (shard.closed_at) {
    entries.emplace("ClosedAt", integer_value(*shard.closed_at));
    entries.emplace("ClosedTime", time_value(shard.closed_ms));
  }
  if (shard.merged_into) entries.emplace("MergedInto", integer_value(*shard.merged_into));
  return Value::map(std::move(entries));
}

uint32_t ordinal_of(DefinitionReader& reader, std::string_view name) {
  const uint64_t number = reader.integer(name);
  if (number >= UINT32_MAX) reader.fail(name);
  return static_cast<uint32_t>(number);
}

Result<ShardDefinition> shard_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("Lineage");
  DefinitionReader reader(value.map());
  ShardDefinition shard;
  shard.name.ordinal = ordinal_of(reader, "Ordinal");
  shard.name.created_ms = static_cast<int64_t>(reader.integer("Created"));
  shard.range = {reader.integer("First"), reader.integer("Last")};
  if (reader.has("Parent")) {
    shard.parent = ShardName{ordinal_of(reader, "Parent"),
                             static_cast<int64_t>(reader.integer("ParentCreated"))};
  }
  shard.opened_at = reader.integer("OpenedAt");
  if (reader.has("ClosedAt")) {
    shard.closed_at = reader.integer("ClosedAt");
    shard.closed_ms = static_cast<int64_t>(reader.integer("ClosedTime"));
  }
  if (reader.has("MergedInto")) shard.merged_into = ordinal_of(reader, "MergedInto");
  if (shard.range.first > shard.range.last) reader.fail("Last");
  RETURN_IF_ERROR(reader.status());
  return shard;
}

Status read_shards(ValueView value, StreamDefinition& stream) {
  if (value.type() != ValueType::kList) return damaged("Lineage");
  for (ValueView element : value.list()) {
    ASSIGN_OR_RETURN(ShardDefinition shard, shard_of(element));
    const bool rising =
        stream.shards.empty() || stream.shards.back().name.ordinal < shard.name.ordinal;
    if (!rising || (stream.disabled_at && !shard.closed_at)) return damaged("Lineage");
    stream.shards.push_back(std::move(shard));
  }
  if (stream.shards.empty()) return damaged("Lineage");
  return {};
}

}  // namespace

bool has_lineage(const StreamDefinition& stream) { return stream.shards != first_shards(stream); }

// `Shards` alone, without `Lineage`, is a stream whose shards are those that it began with: also
// one of a release that knew no others.
Value stream_value(const StreamDefinition& stream) {
  Value::Map entries;
  entries.emplace("Label", text_value(stream.label));
  entries.emplace("ViewType", text_value(view_type_name(stream.view_type)));
  entries.emplace("EnabledAt", integer_value(stream.enabled_at));
  if (stream.disabled_at) {
    entries.emplace("DisabledAt", integer_value(*stream.disabled_at));
    entries.emplace("DisabledTime", time_value(stream.disabled_time_ms));
  }
  entries.emplace("Shards", integer_value(stream.initial_shards));
  entries.emplace("Created", time_value(stream.created_ms));
  if (stream.trimmed_through != 0)
    entries.emplace("TrimmedThrough", integer_value(stream.trimmed_through));
  if (has_lineage(stream)) {
    Value::List shards;
    for (const ShardDefinition& shard : stream.shards) shards.push_back(shard_value(shard));
    entries.emplace("Lineage", Value::list(std::move(shards)));
  }
  return Value::map(std::move(entries));
}

Result<StreamDefinition> stream_of(ValueView value) {
  if (value.type() != ValueType::kMap) return damaged("Streams");
  DefinitionReader reader(value.map());
  StreamDefinition stream;
  stream.label = reader.text("Label");
  auto type = view_type_of(reader.text("ViewType"));
  if (!type) return damaged("ViewType");
  stream.view_type = *type;
  stream.enabled_at = reader.integer("EnabledAt");
  if (reader.has("DisabledAt")) {
    stream.disabled_at = reader.integer("DisabledAt");
    stream.disabled_time_ms = static_cast<int64_t>(reader.integer("DisabledTime"));
  }
  const uint64_t count = reader.integer("Shards");
  stream.created_ms = static_cast<int64_t>(reader.integer("Created"));
  if (reader.has("TrimmedThrough")) stream.trimmed_through = reader.integer("TrimmedThrough");
  RETURN_IF_ERROR(reader.status());
  if (count < 1 || count > StreamDefinition::kOpenShardsMax) return damaged("Shards");
  stream.initial_shards = static_cast<uint32_t>(count);
  if (auto lineage = reader.get("Lineage")) {
    RETURN_IF_ERROR(read_shards(*lineage, stream));
  } else {
    stream.shards = first_shards(stream);
  }
  return stream;
}

}  // namespace millrace
