#include <limits>

#include "core/base/bytes.h"
#include "core/ops/key_range.h"
#include "core/ops/operations.h"
#include "core/ops/page.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr int64_t kSegmentsMax = 1'000'000;

struct ScanMembers {
  PageMembers page;
  std::optional<int64_t> segment;
  std::optional<int64_t> total_segments;
};

Status read_request(RequestJson& json, ScanMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "Segment") return read_integer(value, "Integer", members.segment);
    if (name == "TotalSegments") return read_integer(value, "Integer", members.total_segments);
    if (name == "QueryFilter" || name == "KeyConditions") return {};  // not members of Scan
    return members.page.read_member(name, value, ValueWords::kBatch);
  });
}

Status check_constraints(const ScanMembers& members) {
  Violations violations;
  check_page_constraints(members.page, violations);
  if (members.page.legacy_filter)
    check_condition_constraints(*members.page.legacy_filter, "scanFilter", violations);
  violations.at_least(members.page.limit, "limit", 1);
  violations.at_least(members.total_segments, "totalSegments", 1);
  if (members.total_segments && *members.total_segments > kSegmentsMax) {
    violations.add(std::to_string(*members.total_segments), "totalSegments",
                   "Member must have value less than or equal to 1000000");
  }
  violations.at_least(members.segment, "segment", 0);
  return violations.status();
}

Status check_segments(const ScanMembers& members) {
  if (members.segment && !members.total_segments) {
    return validation_error(
        "The TotalSegments parameter is required but was not present in the request when Segment "
        "parameter is present");
  }
  if (!members.total_segments) return {};
  if (!members.segment) {
    return validation_error(
        "The Segment parameter is required but was not present in the request when parameter "
        "TotalSegments is present");
  }
  if (*members.segment >= *members.total_segments) {
    return validation_error(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
        "Segment: " +
        std::to_string(*members.segment) +
        " is not less than TotalSegments: " + std::to_string(*members.total_segments));
  }
  return {};
}

Status check_parameters(const ScanMembers& members, PageRequest& request) {
  const PageMembers& page = members.page;
  std::vector<std::string_view> expressions;
  if (page.read.projection_expression) expressions.push_back("ProjectionExpression");
  if (page.filter_expression) expressions.push_back("FilterExpression");
  RETURN_IF_ERROR(check_legacy(page.legacy("ScanFilter"), expressions));
  RETURN_IF_ERROR(check_bindings_have_use(page.read.has_names, page.read.has_values, expressions,
                                          {"FilterExpression"}));
  RETURN_IF_ERROR(set_attributes_to_get(page, request));
  ASSIGN_OR_RETURN(request.filter, compile_filter(page.legacy_filter, page.conditional_operator));
  RETURN_IF_ERROR(check_start_key_value(page));
  RETURN_IF_ERROR(check_segments(members));
  RETURN_IF_ERROR(page.read.names_status);
  RETURN_IF_ERROR(page.read.values_status);
  return check_select(page, "");
}

// The first hash of a segment: segments are equal ranges of the partition keys' hashes, the last
// with what the division leaves.
uint64_t first_hash(int64_t segment, int64_t total) {
  uint64_t width = std::numeric_limits<uint64_t>::max() / static_cast<uint64_t>(total);
  return width * static_cast<uint64_t>(segment);
}

// Sets the range of store keys of the segment after the start key, if there is one.
Status set_range(const ScanMembers& members, const std::string& start, PageRequest& page) {
  std::string prefix;
  page.read_cover.generation =
      page.index != nullptr ? page.index->generation : page.table->generation;
  page.fetch_cover.generation = page.table->generation;
  append_generation_prefix(page.read_cover.generation, prefix);
  page.begin = prefix;
  page.end = prefix_successor(prefix);
  if (members.total_segments) {
    int64_t segment = *members.segment, total = *members.total_segments;
    put_big_endian64(page.begin, first_hash(segment, total));
    if (segment + 1 < total) {
      page.end = prefix;
      put_big_endian64(page.end, first_hash(segment + 1, total));
    }
  }
  if (start.empty()) return {};
  if (start < page.begin || start >= page.end) {
    return validation_error(
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
        "ExclusiveStartKey with correct Segment. TotalSegments: " +
        std::to_string(*members.total_segments) + " Segment: " + std::to_string(*members.segment));
  }
  page.begin = start + '\0';
  return {};
}

// What of a start key is looked at before Select.
Status check_start_key(MapView start_key, const PageRequest& page) {
  if (page.index == nullptr) {
    return check_start_key_size(start_key, *page.table, nullptr,
                                "The provided starting key is invalid: The provided key element "
                                "does not match the schema");
  }
  RETURN_IF_ERROR(check_start_key_size(start_key, *page.table, page.index,
                                       "The provided starting key is invalid"));
  for (const auto* attributes : {&page.index->key.partition, &page.index->key.sort}) {
    for (const KeyAttribute& attribute : *attributes)
      RETURN_IF_ERROR(check_start_key_attribute(start_key, attribute));
  }
  return {};
}

// Everything that needs the table.
Status bind_to_table(const ScanMembers& members, PageRequest& page) {
  const PageMembers& page_members = members.page;
  ASSIGN_OR_RETURN(page.index, queried_index(page_members, *page.table));
  MapView start_key;
  if (page_members.start_key) {
    start_key = MapView(*page_members.start_key);
    RETURN_IF_ERROR(check_start_key(start_key, page));
  }
  RETURN_IF_ERROR(check_select_on_index(page_members, page.index));
  std::string start;
  if (page_members.start_key) {
    ASSIGN_OR_RETURN(start, start_store_key(start_key, *page.table, page.index));
  }
  RETURN_IF_ERROR(set_range(members, start, page));
  if (page.projection) RETURN_IF_ERROR(check_scalar_keys(*page.table, page.projection->paths()));
  if (page.filter) RETURN_IF_ERROR(check_scalar_keys(*page.table, page.filter->paths()));
  return set_fetch(page_members, page);
}

Result<PageRequest> prepare(const Node& node, ScanMembers& members) {
  RETURN_IF_ERROR(check_constraints(members));
  PageRequest page;
  RETURN_IF_ERROR(check_parameters(members, page));
  PageMembers& page_members = members.page;
  Bindings& bindings = page_members.read.used_bindings();
  if (page_members.filter_expression) {
    ASSIGN_OR_RETURN(page.filter, Condition::parse(*page_members.filter_expression,
                                                   "FilterExpression", bindings));
  }
  if (page_members.read.projection_expression) {
    ASSIGN_OR_RETURN(page.projection,
                     Projection::parse(*page_members.read.projection_expression, bindings));
  }
  RETURN_IF_ERROR(bindings.check_all_used());
  ASSIGN_OR_RETURN(page.table, node.catalog.resolve(*page_members.read.table_name,
                                                    requested_resource_not_found));
  page.kind = PageQuestion::Kind::kScan;
  page.count_only = page_members.select == "COUNT";
  page.limit = page_members.limit;
  page.consistent = page_members.read.consistent_read.value_or(false);
  page.capacity = capacity_detail(page_members.read.return_consumed_capacity.value_or(""));
  RETURN_IF_ERROR(bind_to_table(members, page));
  return page;
}

}  // namespace

void scan(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  ScanMembers members;
  if (Status status = read_request(json, members); !status) return reply.error(status.error());
  Result<PageRequest> page = prepare(node, members);
  if (!page) return reply.error(page.error());
  send_page(node, *std::move(page), request.no_cache(), std::move(reply));
}

}  // namespace millrace
