#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/expr/expression.h"
#include "core/ops/capacity.h"
#include "core/ops/catalog.h"
#include "core/ops/legacy_request.h"
#include "core/ops/operation.h"
#include "core/ops/page_cache.h"
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
  std::optional<LegacyConditionMap> legacy_filter;  // QueryFilter or ScanFilter
  std::optional<std::string_view> conditional_operator;

  /// `words`: the operation's.
  Status read_member(std::string_view name, JsonValue value, ValueWords words);
  /// The members from before expressions that are there; `filter_name` is the filter's.
  std::vector<std::string_view> legacy(std::string_view filter_name) const;
};

/// What is left of a page request once its expressions are parsed. Owns all that it needs: it may
/// outlive the request's body.
struct PageRequest {
  TablePtr table;
  const Index* index = nullptr;  // of `table`; none: the table itself is read
  /// The index holds less than is asked for: entries are looked up in the table.
  bool fetch = false;
  std::optional<Condition> filter;
  std::optional<Projection> projection;
  bool count_only = false;
  bool reverse = false;
  std::optional<int64_t> limit;
  bool consistent = false;
  CapacityDetail capacity = CapacityDetail::kNone;
  std::string begin, end;  // range of store keys, the index's if there is one
  PageQuestion::Kind kind = PageQuestion::Kind::kQuery;
  std::string partition;  // of Query: the prefix of its keys, the table's if a local index is read
  PageCover read_cover;
  PageCover fetch_cover;  // if `fetch`
};

/// The largest page: 1 MB of items as DynamoDB counts them, the last one whole.
/// Source: developer guide, "Paginating table query results".
inline constexpr size_t kPageBytesMax = 1024 * 1024;

void check_page_constraints(const PageMembers& members, Violations& violations);

/// The ExclusiveStartKey's errors that need no table, with the service's prefix.
Status check_start_key_value(const PageMembers& members);

/// Checks AttributesToGet, if any, and makes it the page's projection.
Status set_attributes_to_get(const PageMembers& members, PageRequest& page);

/// The rules between Select and the projection that Query and Scan share; `prefix` begins the
/// message.
Status check_select(const PageMembers& members, std::string_view prefix);

/// The index that is to be read, none for the table. Errors: there is no such index, it is not
/// filled yet, or the read is to be consistent and the index global.
Result<const Index*> queried_index(const PageMembers& members, const Table& table);

/// The rule that Select says of a global index that does not hold whole items.
Status check_select_on_index(const PageMembers& members, const Index* index);

/// Sets how the page gets what the index does not project: of a global index never, which is an
/// error. The page's table, index and projection are set.
Status set_fetch(const PageMembers& members, PageRequest& page);

/// Answers one page, by the query cache or from the store. `no_cache`: the client wants the
/// store's.
void send_page(Node& node, PageRequest page, bool no_cache, Reply reply);

}  // namespace millrace
