#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expr/expression.h"
#include "core/ops/catalog.h"
#include "core/ops/item_write.h"
#include "core/ops/legacy_request.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace {

/// The members that a write can have, alone or as an action of a batch or transaction. Values that
/// the model refuses are remembered rather than returned at once: the service reports them after
/// the request's shape.
struct WriteMembers {
  std::optional<std::string_view> table_name;
  std::optional<std::string_view> condition_expression;
  std::optional<std::string_view> update_expression;
  std::optional<std::string_view> return_values;
  std::optional<std::string_view> return_consumed_capacity;
  std::optional<std::string_view> return_item_collection_metrics;
  std::optional<std::string_view> return_values_on_failure;
  std::optional<std::string> image;  // Item, or Key: encoded
  bool has_names = false;
  bool has_values = false;
  Bindings bindings;
  Status image_status;
  Status names_status;
  Status values_status;
  LegacyWriteMembers legacy;

  /// Reads one member; those that it does not know are ignored. `image_member` is "Item" or "Key",
  /// `words` are the operation's.
  Status read(std::string_view name, JsonValue value, std::string_view image_member,
              ValueWords words);
  /// The same for a write that is no action of a batch or transaction, so that it may have members
  /// from before expressions.
  Status read_single(std::string_view name, JsonValue value, std::string_view image_member);
};

/// What the service calls the image of an action: "item" or "key".
std::string_view image_path(WriteKind kind);

/// The constraints on enumerations that PutItem, UpdateItem and DeleteItem share.
void check_enumerations(const WriteMembers& members, Violations& violations);
/// The same without ReturnConsumedCapacity, the first of them.
void check_other_enumerations(const WriteMembers& members, Violations& violations);

/// Everything about one write that can be checked without its table; parses its expressions. The
/// table and key of the result are still to be set by bind_table.
Result<ItemWrite> parse_write(WriteMembers&& members, WriteKind kind);

/// Sets table and key. Errors are about the key and the schema.
Status bind_table(ItemWrite& write, TablePtr table);

/// Members from before expressions (`legacy`) and expressions may not meet in one request.
Status check_legacy(const std::vector<std::string_view>& legacy,
                    const std::vector<std::string_view>& expressions);

/// The rule that names and values need an expression: `expressions` are the members present,
/// `value_expressions` those of the operation that can use values.
Status check_bindings_have_use(bool has_names, bool has_values,
                               const std::vector<std::string_view>& expressions,
                               const std::vector<std::string_view>& value_expressions);

/// Where items are read and written, of whichever name: it is not told.
inline Error requested_resource_not_found(std::string_view = {}) {
  return make_error(ErrorCode::kResourceNotFound, "Requested resource not found");
}
inline Error table_not_found(std::string_view name) {
  return make_error(ErrorCode::kResourceNotFound,
                    "Requested resource not found: Table: " + std::string(name) + " not found");
}

}  // namespace millrace
