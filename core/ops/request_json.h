#pragma once

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/value_words.h"

namespace millrace {

using JsonValue = simdjson::ondemand::value;
using JsonObject = simdjson::ondemand::object;
using JsonArray = simdjson::ondemand::array;

/// The SerializationException without a message: the body is not JSON.
Error malformed_json();

/// A request's body, read member by member in one pass and in any order. The strings that it gives
/// out live as long as it does, and until the same thread reads its next body.
class RequestJson {
 public:
  /// `body` has HttpRequest::kBodyPadding readable bytes behind it.
  explicit RequestJson(std::string_view body);
  ~RequestJson();

  /// Calls `on_member(name, value)`, which returns a Status, for each member that is not null. Ends
  /// at the first error; malformed JSON is one.
  template <typename OnMember>
  Status each_member(OnMember on_member);

 private:
  Result<JsonObject> root();
  Status at_end();

  std::string_view body_;
  std::unique_ptr<simdjson::ondemand::parser>
      own_;  // for a large body, so that no thread keeps its memory
  simdjson::ondemand::document document_;
};

/// Calls `on_member(name, value)` for each member of `object` that is not null.
template <typename OnMember>
Status each_member(JsonObject& object, OnMember on_member) {
  for (auto field : object) {
    std::string_view name;
    JsonValue value;
    if (field.unescaped_key().get(name) || field.value().get(value)) return malformed_json();
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return malformed_json();
    if (type == simdjson::ondemand::json_type::null) {
      bool null = false;
      if (value.is_null().get(null) || !null) return malformed_json();
      continue;
    }
    RETURN_IF_ERROR(on_member(name, value));
  }
  return {};
}

/// Calls `on_element(index, value)` for each element of `array`.
template <typename OnElement>
Status each_element(JsonArray& array, OnElement on_element) {
  size_t index = 0;
  for (auto element : array) {
    JsonValue value;
    if (element.get(value)) return malformed_json();
    RETURN_IF_ERROR(on_element(index++, value));
  }
  return {};
}

template <typename OnMember>
Status RequestJson::each_member(OnMember on_member) {
  ASSIGN_OR_RETURN(JsonObject object, root());
  RETURN_IF_ERROR(millrace::each_member(object, on_member));
  return at_end();
}

// One value of an expected type. The errors are the service's SerializationExceptions for any other
// type.

Status read_string(JsonValue value, std::optional<std::string_view>& out);
Status read_bool(JsonValue value, std::optional<bool>& out);
/// `type`: "Integer" or "Long". A fraction is cut off, as the service does.
Status read_integer(JsonValue value, std::string_view type, std::optional<int64_t>& out);
/// A map whose values are `value_type`, a Java class, such as kAttributeValueType.
Result<JsonObject> read_map(JsonValue value, std::string_view value_type);
/// A structure that is a member of another: `type` is its name in DynamoDB's model.
Result<JsonObject> read_structure(JsonValue value, std::string_view type);
/// A structure that is an element of a list or map.
Result<JsonObject> read_structure_element(JsonValue value, std::string_view type);
Result<JsonArray> read_list(JsonValue value);
Status read_string_list(JsonValue value, std::vector<std::string_view>& out);

inline constexpr std::string_view kAttributeValueType =
    "com.amazonaws.dynamodb.v20120810.AttributeValue";
inline constexpr std::string_view kStringType = "java.lang.String";

/// Keeps what the model refuses of a value (a ValidationException) in `held`, to be reported after
/// the request's shape, and gives success; what breaks the shape is given back at once.
Status hold_refusal(Status status, Status& held);

/// An item or a key: a map of attribute values, appended to `out` in its encoding.
Status read_item(JsonValue value, std::string& out, ValueWords words = ValueWords::kWrite);

}  // namespace millrace
