#pragma once

#include <simdjson.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/model/value.h"
#include "core/model/value_words.h"

namespace millrace {

/// ExpressionAttributeNames and ExpressionAttributeValues of one request, and which of them the
/// request's expressions used. Errors have DynamoDB's exact words.
class Bindings {
 public:
  Status parse_names(simdjson::ondemand::object names);
  Status parse_values(simdjson::ondemand::object values, ValueWords words = ValueWords::kWrite);

  /// The name behind `#alias`; the ValidationException of DynamoDB if it is not defined. `kind` is
  /// the expression's parameter name, such as "ConditionExpression".
  Result<std::string> name(std::string_view alias, std::string_view kind);
  /// The encoded value behind `:alias`. The view lives as long as the Bindings.
  Result<ValueView> value(std::string_view alias, std::string_view kind);

  /// After all expressions of the request were parsed: the error for what none of them used.
  Status check_all_used() const;
  bool has_names() const { return has_names_; }
  bool has_values() const { return has_values_; }
  /// Of the names and encoded values, for bounds.
  size_t bytes() const;
  /// Names and encoded values by their aliases, in order: equal for requests that mean the same.
  const std::map<std::string, std::string, std::less<>>& names() const { return names_; }
  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  bool has_names_ = false;
  bool has_values_ = false;
  std::map<std::string, std::string, std::less<>> names_;
  std::map<std::string, std::string, std::less<>> values_;
  std::set<std::string, std::less<>> used_;
};

/// One step of a document path: an attribute's or map entry's name, or an index of a list.
struct PathElement {
  std::string name;  // empty if index is used
  std::optional<uint32_t> index;
  bool operator==(const PathElement&) const = default;
};
using Path = std::vector<PathElement>;

/// Appends bytes that are equal for equal paths only; no such bytes begin others.
void append_key(const Path& path, std::string& out);

struct ConditionNode;  // syntax trees, see ast.h
struct UpdateAction;

/// A parsed condition or filter. Immutable; evaluating is thread-safe.
class Condition {
 public:
  /// `kind`: "ConditionExpression" or "FilterExpression", for messages.
  static Result<Condition> parse(std::string_view text, std::string_view kind, Bindings& bindings);
  /// Of a tree that is bound already.
  static Condition of(ConditionNode root);

  /// Whether `item` fulfils it; an absent item is an empty one. (DynamoDB reports operand types
  /// that can never match when parsing; evaluation itself cannot fail.)
  bool evaluate(ItemView item) const;

  /// Top-level attribute names that it reads, for the rule that a filter may not name key
  /// attributes.
  std::vector<std::string> attribute_names() const;
  /// All paths that it reads, for the rule that key attributes have no inside.
  std::vector<Path> paths() const;
  /// Appends bytes that are equal for conditions of one meaning, whatever the names of their
  /// placeholders, and different for others. No such bytes begin others.
  void append_key(std::string& out) const;

 private:
  std::shared_ptr<const ConditionNode> root_;
};

/// A parsed UpdateExpression.
class Update {
 public:
  static Result<Update> parse(std::string_view text, Bindings& bindings);
  /// Of actions that are bound already: see compile_updates.
  static Update of_legacy(std::vector<UpdateAction> actions);

  /// Makes the new item of the old one: every right side reads `item` as it was. An item that did
  /// not exist (`existed`) begins with its key. An item whose written values alone are over
  /// kItemBytesMax is refused before any of them is copied; the size of others is the caller's to
  /// check, and key attributes are the caller's to protect: see attribute_names().
  Result<ItemTree> apply(ItemTree item, bool existed) const;

  /// Top-level attribute names that it writes.
  std::vector<std::string> attribute_names() const;
  /// The paths that it writes, for ReturnValues UPDATED_OLD and UPDATED_NEW.
  const std::vector<Path>& paths() const;
  /// The paths that its right sides read.
  const std::vector<Path>& operand_paths() const;
  /// What UpdateItem holds against the limit of an item's size, beside the item itself and before
  /// its condition: values and paths of the request, and a number of bytes for each action, each
  /// function and each path. Of the item it counts nothing. Measured on the service; transactions
  /// and AttributeUpdates (0) have no such limit.
  size_t charged_size() const;
  /// The value that a top-level attribute is plainly SET to, whatever the item is. The view lives
  /// as long as the Update.
  std::optional<ValueView> assigned_value(std::string_view attribute_name) const;
  /// The type that SET, ADD or DELETE must find or leave in a top-level attribute, as far as it is
  /// known whatever the item is: of a value, of a sum or difference, of a list_append.
  std::optional<ValueType> assigned_type(std::string_view attribute_name) const;

 private:
  struct Actions;
  static Update of(std::vector<UpdateAction> actions, bool legacy);
  std::shared_ptr<const Actions> actions_;
};

/// A parsed ProjectionExpression.
class Projection {
 public:
  static Result<Projection> parse(std::string_view text, Bindings& bindings);
  /// Of top-level names, for AttributesToGet and for indexes.
  static Projection of_names(std::vector<std::string> names);

  /// The encoded item of what the paths select.
  std::string apply(ItemView item) const;
  const std::vector<Path>& paths() const { return paths_; }

 private:
  std::vector<Path> paths_;
};

/// What `paths` select of `item`, as an encoded item (lists keep only the selected elements, in
/// order).
std::string select_paths(ItemView item, const std::vector<Path>& paths);

}  // namespace millrace
