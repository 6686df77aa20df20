#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expr/expression.h"
#include "core/ops/catalog.h"
#include "core/ops/request_json.h"

namespace millrace {

/// The members that reads share. As in WriteMembers, what the model refuses of names and values is
/// remembered and reported after the request's shape.
struct ReadMembers {
  std::optional<std::string_view> table_name;
  std::optional<std::string_view> projection_expression;
  std::optional<std::string_view> return_consumed_capacity;
  std::optional<bool> consistent_read;
  bool has_names = false;
  bool has_values = false;
  std::string_view raw_names;        // ExpressionAttributeNames as the client wrote them
  std::optional<Bindings> bindings;  // if there are names, values or a projection
  Status names_status;
  Status values_status;
  std::optional<std::vector<std::string_view>> attributes_to_get;

  /// Reads one member; those that it does not know are ignored.
  Status read(std::string_view name, JsonValue value);
  /// Reads ExpressionAttributeValues, a member of Query and Scan only.
  Status read_values(JsonValue value, ValueWords words);

  /// Whether there is anything that parse_projection_only must look at.
  bool has_expressions() const { return projection_expression || has_names || attributes_to_get; }
  bool selects() const { return projection_expression || attributes_to_get; }
  /// For reads whose one expression is the projection: whether what goes with it may meet.
  Status check_projection_use() const;
  /// For the same: parses and checks it.
  Result<std::optional<Projection>> parse_projection_only();

  Bindings& used_bindings() {
    if (!bindings) bindings.emplace();
    return *bindings;
  }
};

/// The rule that no path leads into a key attribute of the table or one of its indexes.
Status check_scalar_keys(const Table& table, const std::vector<Path>& paths);

/// Appends the item, or what `projection` selects of it.
void render_projected(ItemView item, const std::optional<Projection>& projection, std::string& out);

}  // namespace millrace
