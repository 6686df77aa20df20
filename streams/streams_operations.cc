#include "streams/streams_operations.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "core/model/item_json.h"
#include "core/ops/table_description.h"
#include "streams/record.h"
#include "streams/stream_requests.h"

namespace millrace::streams {
namespace {

void append_member(std::string_view name, std::string_view text, std::string& out) {
  render_json_string(name, out);
  out += ':';
  render_json_string(text, out);
}

// Seconds with milliseconds, as the service gives moments.
void append_seconds(int64_t ms, std::string& out) {
  char text[40];
  std::snprintf(text, sizeof text, "%" PRId64 ".%03d", ms / 1000, static_cast<int>(ms % 1000));
  out += text;
}

Status list_streams(const Streams& streams, std::string_view body, std::string& out) {
  ASSIGN_OR_RETURN(ListStreamsRequest request, read_list_streams(body));
  if (request.start_arn) {
    if (auto table = Streams::table_name_of(*request.start_arn); !table) return table.error();
  }
  out += "{\"Streams\":[";
  size_t count = 0;
  std::string last, left_off;
  std::optional<std::string_view> name;
  if (request.table_name) name = *request.table_name;
  for (const Stream& stream : streams.list(name)) {
    std::string arn = streams.arn(stream);
    if (request.start_arn && arn <= *request.start_arn) continue;
    if (count == request.limit) {
      left_off = last;
      break;
    }
    out += count++ == 0 ? "{" : ",{";
    append_member("StreamArn", arn, out);
    out += ',';
    append_member("TableName", stream.table->name, out);
    out += ',';
    append_member("StreamLabel", stream.definition().label, out);
    out += '}';
    last = std::move(arn);
  }
  out += ']';
  if (!left_off.empty()) {
    out += ',';
    append_member("LastEvaluatedStreamArn", left_off, out);
  }
  out += '}';
  return {};
}

void append_key_schema(const KeySchema& key, std::string& out) {
  out += "\"KeySchema\":[{";
  append_member("AttributeName", key.partition.name, out);
  out += ",\"KeyType\":\"HASH\"}";
  if (key.sort) {
    out += ",{";
    append_member("AttributeName", key.sort->name, out);
    out += ",\"KeyType\":\"RANGE\"}";
  }
  out += ']';
}

void append_shard(const Stream& stream, const ShardDefinition& shard, std::string& out) {
  const StreamDefinition& definition = stream.definition();
  const Generation generation = stream.table->generation;
  out += '{';
  append_member("ShardId", shard_id(generation, definition, shard.name), out);
  out += ",\"SequenceNumberRange\":{";
  append_member("StartingSequenceNumber", sequence_number(shard.opened_at), out);
  if (shard.closed_at) {
    out += ',';
    append_member("EndingSequenceNumber", sequence_number(*shard.closed_at), out);
  }
  out += '}';
  if (shard.parent) {
    out += ',';
    append_member("ParentShardId", shard_id(generation, definition, *shard.parent), out);
  }
  out += '}';
}

// Whether the answer to a request without a parent lists `shard`. One that was merged, and that its
// child does not name, is not: consumers take a closed shard without children for a sign that the
// list is incomplete, and none of its records is shown.
bool listed(const ShardDefinition& shard) { return !shard.merged_into; }

// Also a child that names another parent: a consumer at the end of a shard waits for its children.
bool child_of(const ShardDefinition& shard, const ShardDefinition& parent) {
  return shard.parent == parent.name || parent.merged_into == shard.name.ordinal;
}

// The shards behind the one that the request names, as many as it wants. A shard that it names and
// that does not exist sorts like one that does.
void append_shards(const Streams& streams, const Stream& stream, const ShardDefinition* parent,
                   const DescribeStreamRequest& request, std::string& out) {
  const StreamDefinition& definition = stream.definition();
  const int64_t now = streams.now_ms();
  out += "\"Shards\":[";
  size_t count = 0;
  std::string last, left_off;
  for (const ShardDefinition& shard : definition.shards) {
    if (!streams.shown(shard, now)) continue;
    if (parent != nullptr ? !child_of(shard, *parent) : !listed(shard)) continue;
    std::string id = shard_id(stream.table->generation, definition, shard.name);
    if (request.start_shard && id <= *request.start_shard) continue;
    if (count == request.limit) {
      left_off = last;
      break;
    }
    if (count++ > 0) out += ',';
    append_shard(stream, shard, out);
    last = std::move(id);
  }
  out += ']';
  if (!left_off.empty()) {
    out += ',';
    append_member("LastEvaluatedShardId", left_off, out);
  }
}

Result<const ShardDefinition*> shard_named(const Stream& stream, std::string_view id) {
  const ShardDefinition* shard = find_shard(stream.table->generation, stream.definition(), id);
  if (shard != nullptr) return shard;
  return make_error(ErrorCode::kResourceNotFound,
                    "Requested resource not found: Shard does not exist");
}

Status describe_stream(const Streams& streams, std::string_view body, std::string& out) {
  ASSIGN_OR_RETURN(DescribeStreamRequest request, read_describe_stream(body));
  ASSIGN_OR_RETURN(Stream stream, streams.find(request.arn));
  const StreamDefinition& definition = stream.definition();
  const ShardDefinition* parent = nullptr;
  if (request.parent_shard) {
    ASSIGN_OR_RETURN(parent, shard_named(stream, *request.parent_shard));
  }
  out += "{\"StreamDescription\":{";
  append_member("StreamArn", request.arn, out);
  out += ',';
  append_member("StreamLabel", definition.label, out);
  out += ',';
  append_member("StreamStatus", definition.disabled_at ? "DISABLED" : "ENABLED", out);
  out += ',';
  append_member("StreamViewType", view_type_name(definition.view_type), out);
  out += ",\"CreationRequestDateTime\":";
  append_seconds(definition.created_ms, out);
  out += ',';
  append_member("TableName", stream.table->name, out);
  out += ',';
  append_key_schema(stream.table->key, out);
  out += ',';
  append_shards(streams, stream, parent, request, out);
  out += "}}";
  return {};
}

Status get_shard_iterator(const Streams& streams, std::string_view body, std::string& out) {
  ASSIGN_OR_RETURN(GetShardIteratorRequest request, read_get_shard_iterator(body));
  ASSIGN_OR_RETURN(Stream stream, streams.find(request.arn));
  ASSIGN_OR_RETURN(const ShardDefinition* shard, shard_named(stream, request.shard));
  std::optional<Lsn> lsn = 0;
  if (request.sequence_number) lsn = parse_sequence_number(*request.sequence_number);
  if (!lsn) return validation_error("Invalid SequenceNumber");
  ASSIGN_OR_RETURN(std::string iterator, streams.iterator(stream, shard->name.ordinal, request.type,
                                                          *lsn, request.timestamp_ms.value_or(0)));
  out += '{';
  append_member("ShardIterator", iterator, out);
  out += '}';
  return {};
}

Status get_records(Streams& streams, std::string_view body, std::string& out) {
  ASSIGN_OR_RETURN(GetRecordsRequest request, read_get_records(body));
  out += "{\"Records\":[";
  ASSIGN_OR_RETURN(RecordsPage page, streams.read(request.iterator, request.limit, out));
  out += ']';
  if (page.next) {
    out += ',';
    append_member("NextShardIterator", *page.next, out);
  }
  out += '}';
  return {};
}

void add(OperationTable& operations, std::string name,
         std::function<Status(std::string_view body, std::string& out)> answer) {
  Operation operation;
  operation.target = "DynamoDBStreams_20120810." + name;
  operation.name = std::move(name);
  operation.run = [answer = std::move(answer)](Node&, const Request& request, Reply reply) {
    std::string out;
    Status status = answer(request.body, out);
    if (status) {
      reply.ok(out);
    } else {
      reply.error(status.error());
    }
  };
  operations.add(std::move(operation));
}

}  // namespace

void add_streams_operations(OperationTable& operations, Streams& streams) {
  add(operations, "ListStreams", [&streams](std::string_view body, std::string& out) {
    return list_streams(streams, body, out);
  });
  add(operations, "DescribeStream", [&streams](std::string_view body, std::string& out) {
    return describe_stream(streams, body, out);
  });
  add(operations, "GetShardIterator", [&streams](std::string_view body, std::string& out) {
    return get_shard_iterator(streams, body, out);
  });
  add(operations, "GetRecords", [&streams](std::string_view body, std::string& out) {
    return get_records(streams, body, out);
  });
}

}  // namespace millrace::streams
