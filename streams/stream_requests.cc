#include "streams/stream_requests.h"

#include <algorithm>
#include <cmath>

#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace::streams {
namespace {

using Text = std::optional<std::string_view>;

std::optional<std::string> owned(Text text) {
  return text ? std::optional<std::string>(std::string(*text)) : std::nullopt;
}

void check_length(Text value, std::string_view path, size_t least, size_t most,
                  Violations& violations) {
  if (!value) return;
  if (value->size() < least) {
    violations.add(value, path,
                   "Member must have length greater than or equal to " + std::to_string(least));
  } else if (value->size() > most) {
    violations.add(value, path,
                   "Member must have length less than or equal to " + std::to_string(most));
  }
}

void check_most(std::optional<int64_t> value, std::string_view path, int64_t most,
                Violations& violations) {
  if (!value || *value <= most) return;
  violations.add(std::to_string(*value), path,
                 "Member must have value less than or equal to " + std::to_string(most));
}

void check_arn(Text arn, Violations& violations) {
  violations.require(arn.has_value(), "streamArn");
  check_length(arn, "streamArn", 37, 1024, violations);
}

// The most that lists of streams and shards hold. Of shards a greater Limit is cut to it.
constexpr int64_t kListMax = 100;

size_t list_limit(std::optional<int64_t> limit) {
  return static_cast<size_t>(std::min(limit.value_or(kListMax), kListMax));
}

Status read_timestamp(JsonValue value, std::optional<int64_t>& out_ms) {
  double seconds;
  if (value.get_double().get(seconds) || !std::isfinite(seconds) || std::abs(seconds) > 1e12) {
    return make_error(ErrorCode::kSerialization, "Unable to parse the Timestamp");
  }
  out_ms = std::llround(seconds * 1000);
  return {};
}

}  // namespace

Result<ListStreamsRequest> read_list_streams(std::string_view body) {
  Text table, start;
  std::optional<int64_t> limit;
  RequestJson json(body);
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "TableName") return read_string(value, table);
    if (name == "ExclusiveStartStreamArn") return read_string(value, start);
    if (name == "Limit") return read_integer(value, "Integer", limit);
    return {};
  }));
  Violations violations;
  check_length(table, "tableName", 3, 255, violations);
  check_length(start, "exclusiveStartStreamArn", 37, 1024, violations);
  violations.at_least(limit, "limit", 1);
  check_most(limit, "limit", kListMax, violations);
  RETURN_IF_ERROR(violations.status());
  return ListStreamsRequest{owned(table), owned(start), list_limit(limit)};
}

Result<DescribeStreamRequest> read_describe_stream(std::string_view body) {
  Text arn, start, filter_type, parent;
  std::optional<int64_t> limit;
  bool filtered = false;
  RequestJson json(body);
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "StreamArn") return read_string(value, arn);
    if (name == "ExclusiveStartShardId") return read_string(value, start);
    if (name == "Limit") return read_integer(value, "Integer", limit);
    if (name != "ShardFilter") return {};
    filtered = true;
    ASSIGN_OR_RETURN(JsonObject filter, read_structure(value, "ShardFilter"));
    return each_member(filter, [&](std::string_view member, JsonValue inner) -> Status {
      if (member == "Type") return read_string(inner, filter_type);
      if (member == "ShardId") return read_string(inner, parent);
      return {};
    });
  }));
  Violations violations;
  check_arn(arn, violations);
  check_length(start, "exclusiveStartShardId", 28, 65, violations);
  violations.at_least(limit, "limit", 1);
  violations.one_of(filter_type, "shardFilter.type", "CHILD_SHARDS");
  check_length(parent, "shardFilter.shardId", 28, 65, violations);
  RETURN_IF_ERROR(violations.status());
  if (filtered && (!filter_type || !parent)) {
    return validation_error("ShardFilter needs both Type and ShardId");
  }
  return DescribeStreamRequest{std::string(*arn), owned(start), owned(parent), list_limit(limit)};
}

Result<GetShardIteratorRequest> read_get_shard_iterator(std::string_view body) {
  Text arn, shard, type, sequence;
  std::optional<int64_t> timestamp_ms;
  RequestJson json(body);
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "StreamArn") return read_string(value, arn);
    if (name == "ShardId") return read_string(value, shard);
    if (name == "ShardIteratorType") return read_string(value, type);
    if (name == "SequenceNumber") return read_string(value, sequence);
    if (name == "Timestamp") return read_timestamp(value, timestamp_ms);
    return {};
  }));
  Violations violations;
  check_arn(arn, violations);
  violations.require(shard.has_value(), "shardId");
  check_length(shard, "shardId", 28, 65, violations);
  violations.require(type.has_value(), "shardIteratorType");
  violations.one_of(
      type, "shardIteratorType",
      "AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON, AT_TIMESTAMP");
  check_length(sequence, "sequenceNumber", 21, 40, violations);
  RETURN_IF_ERROR(violations.status());
  GetShardIteratorRequest request{std::string(*arn), std::string(*shard),
                                  IteratorType::kTrimHorizon, owned(sequence), timestamp_ms};
  if (type == "LATEST") request.type = IteratorType::kLatest;
  if (type == "AT_SEQUENCE_NUMBER") request.type = IteratorType::kAtSequenceNumber;
  if (type == "AFTER_SEQUENCE_NUMBER") request.type = IteratorType::kAfterSequenceNumber;
  if (type == "AT_TIMESTAMP") request.type = IteratorType::kAtTimestamp;
  const bool by_number = request.type == IteratorType::kAtSequenceNumber ||
                         request.type == IteratorType::kAfterSequenceNumber;
  if (by_number && !sequence) {
    return validation_error("SequenceNumber must be provided for ShardIteratorType " +
                            std::string(*type));
  }
  if (!by_number && sequence) {
    return validation_error("SequenceNumber must not be provided for ShardIteratorType " +
                            std::string(*type));
  }
  if (request.type == IteratorType::kAtTimestamp && !timestamp_ms) {
    return validation_error("Timestamp must be provided for ShardIteratorType AT_TIMESTAMP");
  }
  return request;
}

Result<GetRecordsRequest> read_get_records(std::string_view body) {
  Text iterator;
  std::optional<int64_t> limit;
  RequestJson json(body);
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "ShardIterator") return read_string(value, iterator);
    if (name == "Limit") return read_integer(value, "Integer", limit);
    return {};
  }));
  constexpr int64_t kMost = Streams::kRecordsMax;
  Violations violations;
  violations.require(iterator.has_value(), "shardIterator");
  check_length(iterator, "shardIterator", 1, 2048, violations);
  violations.at_least(limit, "limit", 1);
  check_most(limit, "limit", kMost, violations);
  RETURN_IF_ERROR(violations.status());
  return GetRecordsRequest{std::string(*iterator), static_cast<size_t>(limit.value_or(kMost))};
}

}  // namespace millrace::streams
