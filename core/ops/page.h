#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/expr/expression.h"
#include "core/ops/catalog.h"
#include "core/ops/operation.h"
#include "core/ops/read_request.h"
#include "core/ops/violations.h"

namespace millrace {

/// The members that Query and Scan share.
struct PageMembers {
  ReadMembers read;
  std::optional<std::string_view> index_name;
  std::optional<std::string_view> filter_expression;
  std::optional<std::string_view> select;
  std::optional<int64_t> limit;
  std::optional<std::string> start_key;  // ExclusiveStartKey: encoded
  Status start_key_status;

  Status read_member(std::string_view name, JsonValue value);
};

/// What is left of a page request once its expressions are parsed.
struct PageRequest {
  TablePtr table;
  std::optional<Condition> filter;
  std::optional<Projection> projection;
  bool count_only = false;
  bool reverse = false;
  std::optional<int64_t> limit;
  bool consistent = false;
  std::string_view return_consumed_capacity;
  std::string begin, end;  // range of store keys
};

/// The largest page: 1 MB of items as DynamoDB counts them, the last one whole.
/// Source: developer guide, "Paginating table query results".
inline constexpr size_t kPageBytesMax = 1024 * 1024;

void check_page_constraints(const PageMembers& members, Violations& violations);

/// The ExclusiveStartKey's errors that need no table, with the service's prefix.
Status check_start_key_value(const PageMembers& members);

/// The rules between Select and the projection that Query and Scan share; `operation` is "Querying"
/// or "Scanning".
Status check_select(const PageMembers& members, std::string_view operation);

/// The store key of the ExclusiveStartKey.
Result<std::string> start_store_key(const PageMembers& members, const Table& table);

/// Reads one page and answers it.
void send_page(Node& node, const PageRequest& page, Reply reply);

}  // namespace millrace
