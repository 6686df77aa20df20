#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace millrace {

/// Collects what a request's members fail of their model's constraints, and gives the
/// ValidationException that lists them ("2 validation errors detected: ...; ..."). The service
/// lists at most ten.
class Violations {
 public:
  /// `value` as the service prints it, unquoted; none prints null.
  void add(std::optional<std::string_view> value, std::string_view path,
           std::string_view constraint);
  /// The form without the value.
  void add_unvalued(std::string_view path, std::string_view constraint);

  void require(bool present, std::string_view path);
  void one_of(std::optional<std::string_view> value, std::string_view path,
              std::string_view set);  // `set` is a comma-separated list: "SIZE, NONE"
  void at_least(std::optional<int64_t> value, std::string_view path, int64_t least);
  void not_empty(std::optional<std::string_view> value, std::string_view path);

  bool empty() const { return found_.empty(); }
  Status status() const;

 private:
  std::vector<std::string> found_;
};

inline constexpr std::string_view kReturnConsumedCapacitySet = "INDEXES, TOTAL, NONE";
inline constexpr std::string_view kReturnValuesSet =
    "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW";
inline constexpr std::string_view kReturnItemCollectionMetricsSet = "SIZE, NONE";
inline constexpr std::string_view kReturnOnFailureSet = "ALL_OLD, NONE";

/// Table names in requests that read or write items: a name of 1 to 255 characters, or a table's
/// ARN.
void check_table_name(std::optional<std::string_view> name, std::string_view path,
                      Violations& violations);

/// Whether `name` may be a key of RequestItems in a batch: a name of 3 to 255 characters, or a
/// table's ARN. If one may not, the service says so of the map as a whole.
bool is_table_key(std::string_view name);
inline constexpr std::string_view kTableKeysConstraint =
    "Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member "
    "must have length greater than or equal to 3, Member must satisfy regular expression pattern: "
    "[a-zA-Z0-9_.-]+]";

/// A name, if there is one, of 3 to 255 characters: an index's, or a table's where no ARN will do.
void check_name(std::optional<std::string_view> name, std::string_view path,
                Violations& violations);

/// Table names in requests that define tables: present, and 3 to 255 characters or an ARN.
Status check_defined_table_name(std::optional<std::string_view> name);

/// The name that a table is created with, once nothing of an ARN is left around it.
Status check_new_table_name(std::string_view name);

}  // namespace millrace
