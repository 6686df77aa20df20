#include "sidecar/stream_control.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "core/model/item_json.h"
#include "sidecar/config.h"

namespace millrace::sidecar {
namespace {

using streams::LineageChange;
using streams::Stream;

constexpr char kSplit[] = "/v1/streams/split", kMerge[] = "/v1/streams/merge",
               kRollover[] = "/v1/streams/rollover", kTrim[] = "/v1/streams/trim",
               kExpire[] = "/v1/streams/expire-iterators";

AdminResponse json(int status, std::string body) {
  return AdminResponse{status, "application/json", std::move(body) + "\n"};
}

AdminResponse refusal(const Error& error) {
  int status = 503;
  if (error.code == ErrorCode::kValidation) status = 400;
  if (error.code == ErrorCode::kResourceNotFound) status = 404;
  std::string body = "{\"error\":";
  render_json_string(error.message, body);
  return json(status, body + "}");
}

Error not_found(std::string message) {
  return make_error(ErrorCode::kResourceNotFound, std::move(message));
}

std::vector<std::string> parameters_of(const std::string& path) {
  if (path == kSplit) return {"table", "shard", "at"};
  if (path == kMerge) return {"table", "shard", "with"};
  if (path == kRollover) return {"table", "shard"};
  if (path == kTrim) return {"table", "through"};
  return {};
}

Status check_parameters(const AdminRequest& request) {
  const std::vector<std::string> known = parameters_of(request.path);
  for (const auto& [name, value] : request.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string near = did_you_mean(name, known);
    return validation_error("unknown parameter '" + name + "'" +
                            (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  return {};
}

const std::string* parameter(const AdminRequest& request, const char* name) {
  auto found = request.query.find(name);
  return found == request.query.end() ? nullptr : &found->second;
}

Result<uint32_t> shard_of(const AdminRequest& request, const char* name, const Stream& stream) {
  const std::string* id = parameter(request, name);
  if (id == nullptr)
    return validation_error("name a shard: ?" + std::string(name) + "=shardId-..., as " +
                            "DescribeStream lists them");
  const ShardDefinition* shard =
      streams::find_shard(stream.table->generation, stream.definition(), *id);
  if (shard == nullptr)
    return not_found("the stream has no shard '" + *id + "'; DescribeStream lists its shards");
  return shard->name.ordinal;
}

Result<std::optional<uint64_t>> hash_of(const AdminRequest& request) {
  const std::string* text = parameter(request, "at");
  if (text == nullptr) return std::optional<uint64_t>();
  uint64_t hash = 0;
  const char* end = text->data() + text->size();
  auto [stopped, error] = std::from_chars(text->data(), end, hash);
  if (error != std::errc() || stopped != end)
    return validation_error("'" + *text + "' is no hash; `at` is a whole number below 2^64, " +
                            "the first hash of the upper part");
  return std::optional(hash);
}

Result<LineageChange> change_of(const AdminRequest& request, const Stream& stream) {
  if (request.path == kSplit) {
    ASSIGN_OR_RETURN(const uint32_t shard, shard_of(request, "shard", stream));
    ASSIGN_OR_RETURN(const std::optional<uint64_t> at, hash_of(request));
    return LineageChange(streams::SplitShard{shard, at});
  }
  if (request.path == kMerge) {
    ASSIGN_OR_RETURN(const uint32_t one, shard_of(request, "shard", stream));
    ASSIGN_OR_RETURN(const uint32_t other, shard_of(request, "with", stream));
    return LineageChange(streams::MergeShards{one, other});
  }
  if (request.path == kRollover) {
    if (parameter(request, "shard") == nullptr) return LineageChange(streams::RollOver{});
    ASSIGN_OR_RETURN(const uint32_t shard, shard_of(request, "shard", stream));
    return LineageChange(streams::RollOver{{shard}});
  }
  const std::string* through = parameter(request, "through");
  if (through == nullptr) return LineageChange(streams::TrimStream{});
  const std::optional<Lsn> lsn = streams::parse_sequence_number(*through);
  if (!lsn) return validation_error("'" + *through + "' is no sequence number of a record");
  return LineageChange(streams::TrimStream{lsn});
}

// The stream with its open shards, from the definition that a change left.
std::string describe(const Catalog& catalog, const Table& table) {
  const StreamDefinition& stream = table.streams.back();
  std::string out = "{\"streamArn\":";
  render_json_string(catalog.stream_arn(table, stream), out);
  out += ",\"openShards\":[";
  bool first = true;
  for (const ShardDefinition& shard : stream.shards) {
    if (shard.closed_at) continue;
    out += first ? "{\"shardId\":" : ",{\"shardId\":";
    first = false;
    render_json_string(streams::shard_id(table.generation, stream, shard.name), out);
    if (shard.parent) {
      out += ",\"parentShardId\":";
      render_json_string(streams::shard_id(table.generation, stream, *shard.parent), out);
    }
    // As text: most readers of JSON round numbers of 64 bits.
    out += ",\"firstHash\":\"" + std::to_string(shard.range.first) + "\",\"lastHash\":\"" +
           std::to_string(shard.range.last) + "\"}";
  }
  return out + "]}";
}

}  // namespace

const std::vector<std::string>& StreamControl::paths() {
  static const std::vector<std::string> all = {kSplit, kMerge, kRollover, kTrim, kExpire};
  return all;
}

Result<Stream> StreamControl::find_stream(const AdminRequest& request) const {
  const std::string* name = parameter(request, "table");
  if (name == nullptr) return validation_error("name the stream's table: ?table=...");
  TablePtr table = catalog_.find(*name);
  if (table == nullptr) {
    std::vector<std::string> known;
    for (const TablePtr& it : catalog_.tables()) known.push_back(it->name);
    const std::string near = did_you_mean(*name, known);
    return not_found("there is no table '" + *name + "'" +
                     (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  if (table->enabled_stream() == nullptr)
    return not_found("table '" + *name + "' has no enabled stream; UpdateTable enables one");
  return Stream{table, table->streams.size() - 1};
}

void StreamControl::answer(const AdminRequest& request, AdminReply reply) {
  if (Status known = check_parameters(request); !known) return reply.send(refusal(known.error()));
  if (request.path == kExpire) {
    streams_.expire_iterators();
    return reply.send(json(200, "{}"));
  }
  Result<Stream> stream = find_stream(request);
  if (!stream) return reply.send(refusal(stream.error()));
  Result<LineageChange> change = change_of(request, *stream);
  if (!change) return reply.send(refusal(change.error()));
  const streams::StreamKey key{stream->table->generation, stream->definition().enabled_at};
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({key, *std::move(change), std::move(reply)});
  }
  wake_();
}

bool StreamControl::step() {
  std::optional<Change> next;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    next = std::move(waiting_.front());
    waiting_.pop_front();
  }
  auto reply = std::make_shared<AdminReply>(std::move(next->reply));
  lineage_.submit(
      next->stream, std::move(next->change), [this, reply](const Result<TablePtr>& done) {
        reply->send(done ? json(200, describe(catalog_, **done)) : refusal(done.error()));
      });
  std::lock_guard lock(mutex_);
  return !waiting_.empty();
}

}  // namespace millrace::sidecar
