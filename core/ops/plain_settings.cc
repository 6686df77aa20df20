// What infrastructure tools ask of every table and what is off for every table here:
// DescribeKinesisStreamingDestination and DescribeContributorInsights.

#include "core/ops/json_fields.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr size_t kIndexNameBytesMin = 3;
constexpr size_t kIndexNameBytesMax = 255;

struct TableMembers {
  std::optional<std::string_view> table_name, index_name;
};

// The table, or the refusal.
Result<TablePtr> find_table(const Node& node, RequestJson& json, TableMembers& members) {
  RETURN_IF_ERROR(json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "TableName") return read_string(value, members.table_name);
    if (name == "IndexName") return read_string(value, members.index_name);
    return {};
  }));
  RETURN_IF_ERROR(check_defined_table_name(members.table_name));
  return node.catalog.resolve(*members.table_name, table_not_found);
}

}  // namespace

void describe_kinesis_streaming_destination(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TableMembers members;
  Result<TablePtr> table = find_table(node, json, members);
  if (!table) return reply.error(table.error());
  std::string body;
  JsonFields fields(body);
  fields.text("TableName", (*table)->name);
  fields.raw("KinesisDataStreamDestinations", "[]");
  fields.end();
  reply.ok(body);
}

void describe_contributor_insights(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TableMembers members;
  Result<TablePtr> table = find_table(node, json, members);
  if (!table) return reply.error(table.error());
  if (members.index_name) {
    if (members.index_name->size() < kIndexNameBytesMin ||
        members.index_name->size() > kIndexNameBytesMax) {
      return reply.error(validation_error(
          "IndexName must be at least 3 characters long and at most 255 characters long"));
    }
    const Index* index = (*table)->find_index(*members.index_name);
    if (index == nullptr || index->kind != IndexKind::kGlobal) {
      return reply.error(
          make_error(ErrorCode::kResourceNotFound,
                     "Requested resource not found: Index: " + std::string(*members.index_name) +
                         " not found for table: " + (*table)->name));
    }
  }
  std::string body;
  JsonFields fields(body);
  fields.text("TableName", (*table)->name);
  if (members.index_name) fields.text("IndexName", *members.index_name);
  fields.text("ContributorInsightsStatus", "DISABLED");
  fields.end();
  reply.ok(body);
}

}  // namespace millrace
