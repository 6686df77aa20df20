#include "core/ops/operation.h"

#include <limits>

#include "core/ops/cors.h"
#include "core/ops/error_wire.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"

namespace millrace {

void Reply::send(int status, std::string_view body, std::string_view headers,
                 std::optional<uint32_t> crc32) {
  answered(status);
  std::string with_origin;
  if (any_origin_) {
    with_origin.append(kAnyOriginHeaders).append(headers);
    headers = with_origin;
  }
  if (receive_) {
    receive_(status, headers, body);
  } else {
    HttpResponse response;
    response.status = status;
    if (plain_json_) response.content_type = kPlainJson;
    response.extra_headers = headers;
    response.body = body;
    response.crc32 = crc32;
    http_.send(response);
  }
}

void Reply::ok(std::string_view body, std::string_view headers, std::optional<uint32_t> crc32) {
  send(200, body, headers, crc32);
}

void Reply::error(const Error& error) {
  note_damage(error);
  std::string body;
  render_error(error, body);
  send(http_status(error.code), body, {}, std::nullopt);
}

OperationTable::OperationTable() {
  Operation unknown;
  unknown.name = "unknown";
  unknown.body_bytes_max = std::numeric_limits<size_t>::max();
  unknown.run = [](Node&, const Request& request, Reply reply) {
    // The service reads a body before it looks for the operation.
    if (!request.body.empty()) {
      RequestJson json(request.body);
      Status status = json.each_member([](std::string_view, JsonValue) { return Status{}; });
      if (!status) return reply.error(status.error());
    }
    reply.error(make_error(ErrorCode::kUnknownOperation, ""));
  };
  add(std::move(unknown));
}

void OperationTable::add(Operation operation) {
  operation.index = rows_.size();
  rows_.push_back(std::make_unique<Operation>(std::move(operation)));
}

const Operation* OperationTable::find(std::string_view target) const {
  // A few dozen rows, told apart by their length mostly.
  for (auto row = rows_.begin() + 1; row != rows_.end(); ++row) {
    if ((*row)->target == target) return row->get();
  }
  return nullptr;
}

void add_dynamodb_operations(OperationTable& operations) {
  // Requests that carry items may be as large as the service takes; the others are small.
  constexpr size_t kItemsBodyBytes = 16u << 20;
  constexpr size_t kSmallBodyBytes = 1u << 20;
  struct Row {
    std::string_view name;
    bool writes;
    size_t body_bytes_max;
    std::function<void(Node&, const Request&, Reply)> run;
  };
  auto transact_write = [purge = std::make_shared<TokenPurge>()](Node& node, const Request& request,
                                                                 Reply reply) {
    transact_write_items(node, *purge, request, std::move(reply));
  };
  // The most frequent first: find() goes by this order.
  const Row rows[] = {
      {"GetItem", false, kSmallBodyBytes, get_item},
      {"PutItem", true, kItemsBodyBytes, put_item},
      {"UpdateItem", true, kItemsBodyBytes, update_item},
      {"Query", false, kItemsBodyBytes, query},
      {"DeleteItem", true, kItemsBodyBytes, delete_item},
      {"BatchGetItem", false, kItemsBodyBytes, batch_get_item},
      {"BatchWriteItem", true, kItemsBodyBytes, batch_write_item},
      {"TransactWriteItems", true, kItemsBodyBytes, transact_write},
      {"TransactGetItems", false, kItemsBodyBytes, transact_get_items},
      {"Scan", false, kItemsBodyBytes, scan},
      {"DescribeTable", false, kSmallBodyBytes, describe_table},
      {"ListTables", false, kSmallBodyBytes, list_tables},
      {"CreateTable", true, kSmallBodyBytes, create_table},
      {"UpdateTable", true, kSmallBodyBytes, update_table},
      {"DeleteTable", true, kSmallBodyBytes, delete_table},
      {"UpdateTimeToLive", true, kSmallBodyBytes, update_time_to_live},
      {"DescribeTimeToLive", false, kSmallBodyBytes, describe_time_to_live},
      {"TagResource", true, kSmallBodyBytes, tag_resource},
      {"UntagResource", true, kSmallBodyBytes, untag_resource},
      {"ListTagsOfResource", false, kSmallBodyBytes, list_tags_of_resource},
      {"PutResourcePolicy", true, kSmallBodyBytes, put_resource_policy},
      {"GetResourcePolicy", false, kSmallBodyBytes, get_resource_policy},
      {"DeleteResourcePolicy", true, kSmallBodyBytes, delete_resource_policy},
      {"DescribeContinuousBackups", false, kSmallBodyBytes, describe_continuous_backups},
      {"UpdateContinuousBackups", true, kSmallBodyBytes, update_continuous_backups},
      {"DescribeKinesisStreamingDestination", false, kSmallBodyBytes,
       describe_kinesis_streaming_destination},
      {"DescribeContributorInsights", false, kSmallBodyBytes, describe_contributor_insights},
      {"DescribeLimits", false, kSmallBodyBytes, describe_limits},
      {"DescribeEndpoints", false, kSmallBodyBytes, describe_endpoints},
  };
  for (const Row& row : rows) {
    Operation operation;
    operation.target = "DynamoDB_20120810." + std::string(row.name);
    operation.name = row.name;
    operation.writes = row.writes;
    operation.body_bytes_max = row.body_bytes_max;
    operation.run = row.run;
    operations.add(std::move(operation));
  }
}

}  // namespace millrace
