#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "streams/streams.h"

namespace millrace::streams {

// The requests of the four operations, read from JSON and checked against the constraints of the
// service's model. Views live as long as the body.

struct ListStreamsRequest {
  std::optional<std::string> table_name;
  std::optional<std::string> start_arn;
  size_t limit = 100;
};

struct DescribeStreamRequest {
  std::string arn;
  std::optional<std::string> start_shard;
  std::optional<std::string> parent_shard;  // ShardFilter CHILD_SHARDS
  size_t limit = 100;
};

struct GetShardIteratorRequest {
  std::string arn;
  std::string shard;
  IteratorType type = IteratorType::kTrimHorizon;
  std::optional<std::string> sequence_number;
  std::optional<int64_t> timestamp_ms;
};

struct GetRecordsRequest {
  std::string iterator;
  size_t limit = Streams::kRecordsMax;
};

/// `body` has HttpRequest::kBodyPadding readable bytes behind it.
Result<ListStreamsRequest> read_list_streams(std::string_view body);
Result<DescribeStreamRequest> read_describe_stream(std::string_view body);
Result<GetShardIteratorRequest> read_get_shard_iterator(std::string_view body);
Result<GetRecordsRequest> read_get_records(std::string_view body);

}  // namespace millrace::streams
