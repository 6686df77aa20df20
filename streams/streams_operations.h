#pragma once

#include "core/ops/operation.h"
#include "streams/streams.h"

namespace millrace::streams {

/// Adds DynamoDBStreams_20120810.ListStreams, DescribeStream, GetShardIterator and GetRecords.
/// `streams` outlives the table.
void add_streams_operations(OperationTable& operations, Streams& streams);

}  // namespace millrace::streams
