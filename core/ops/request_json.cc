#include "core/ops/request_json.h"

#include <cmath>
#include <limits>

#include "core/model/item_json.h"
#include "core/net/http_server.h"

namespace millrace {

namespace {

using simdjson::ondemand::json_type;

// A parser keeps several times the largest body it has seen, so only bodies up to this size use the
// thread's own.
constexpr size_t kKeptParserBytes = 256 * 1024;

Error serialization_error(std::string message) {
  return make_error(ErrorCode::kSerialization, std::move(message));
}

Result<json_type> type_of(JsonValue& value) {
  json_type type;
  if (value.type().get(type)) return malformed_json();
  return type;
}

// What the service says when it meets a scalar of another type than `expected`.
Error scalar_mismatch(JsonValue& value, json_type type, std::string_view expected) {
  std::string met;
  switch (type) {
    case json_type::array:
      return serialization_error("Unrecognized collection type class java.lang." +
                                 std::string(expected));
    case json_type::object:
      return serialization_error("Start of structure or map found where not expected");
    case json_type::string:
      met = "STRING_VALUE";
      break;
    case json_type::number: {
      bool integer = true;
      if (value.is_integer().get(integer)) return malformed_json();
      met = integer ? "NUMBER_VALUE" : "DECIMAL_VALUE";
      break;
    }
    case json_type::boolean: {
      bool truth = false;
      if (value.get_bool().get(truth)) return malformed_json();
      met = truth ? "TRUE_VALUE" : "FALSE_VALUE";
      break;
    }
    case json_type::null:
      return malformed_json();
  }
  return serialization_error(met + " cannot be converted to " + std::string(expected));
}

Result<JsonObject> object_of(JsonValue& value) {
  JsonObject object;
  if (value.get_object().get(object)) return malformed_json();
  return object;
}

}  // namespace

Error malformed_json() { return make_error(ErrorCode::kSerialization, ""); }

RequestJson::RequestJson(std::string_view body) : body_(body) {}
RequestJson::~RequestJson() = default;

Result<JsonObject> RequestJson::root() {
  thread_local simdjson::ondemand::parser kept;
  simdjson::ondemand::parser* parser = &kept;
  if (body_.size() > kKeptParserBytes) {
    own_ = std::make_unique<simdjson::ondemand::parser>();
    parser = own_.get();
  }
  simdjson::padded_string_view padded(body_.data(), body_.size(),
                                      body_.size() + HttpRequest::kBodyPadding);
  if (body_.empty() || parser->iterate(padded).get(document_)) return malformed_json();
  JsonObject object;
  if (document_.get_object().get(object)) return malformed_json();
  return object;
}

Status RequestJson::at_end() {
  // The location after the last token is out of bounds; before it there is something else.
  const char* location = nullptr;
  if (document_.current_location().get(location) != simdjson::OUT_OF_BOUNDS)
    return malformed_json();
  return {};
}

Status read_string(JsonValue value, std::optional<std::string_view>& out) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type != json_type::string) return scalar_mismatch(value, type, "String");
  std::string_view text;
  if (value.get_string().get(text)) return malformed_json();
  out = text;
  return {};
}

Status read_bool(JsonValue value, std::optional<bool>& out) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type == json_type::string) {
    // The service takes these texts for a boolean too.
    std::string_view text;
    if (value.get_string().get(text)) return malformed_json();
    std::string upper;
    for (char c : text) upper.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    if (upper == "TRUE" || upper == "1" || upper == "YES") {
      out = true;
    } else if (upper == "FALSE" || upper == "0" || upper == "NO") {
      out = false;
    } else {
      return serialization_error("Unexpected token received from parser");
    }
    return {};
  }
  if (type != json_type::boolean) return scalar_mismatch(value, type, "Boolean");
  bool truth = false;
  if (value.get_bool().get(truth)) return malformed_json();
  out = truth;
  return {};
}

Status read_integer(JsonValue value, std::string_view type_name, std::optional<int64_t>& out) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type != json_type::number) return scalar_mismatch(value, type, type_name);
  int64_t number = 0;
  bool integer = false;
  if (value.is_integer().get(integer)) return malformed_json();
  if (integer) {
    if (value.get_int64().get(number))
      return serialization_error("NUMBER_VALUE cannot be converted to " + std::string(type_name));
  } else {
    double fraction = 0;
    if (value.get_double().get(fraction)) return malformed_json();
    if (!(std::fabs(fraction) < 9e18))
      return serialization_error("DECIMAL_VALUE cannot be converted to " + std::string(type_name));
    number = static_cast<int64_t>(std::floor(fraction));
  }
  if (type_name == "Integer" && (number > std::numeric_limits<int32_t>::max() ||
                                 number < std::numeric_limits<int32_t>::min())) {
    return serialization_error("NUMBER_VALUE cannot be converted to Integer");
  }
  out = number;
  return {};
}

Result<JsonObject> read_map(JsonValue value, std::string_view value_type) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type == json_type::array) {
    return serialization_error("Unrecognized collection type java.util.Map<java.lang.String, " +
                               std::string(value_type) + ">");
  }
  if (type != json_type::object) return serialization_error("Unexpected field type");
  return object_of(value);
}

Result<JsonObject> read_structure(JsonValue value, std::string_view type_name) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type == json_type::array) {
    return serialization_error(
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810." +
        std::string(type_name));
  }
  if (type != json_type::object) return serialization_error("Unexpected field type");
  return object_of(value);
}

Result<JsonObject> read_structure_element(JsonValue value, std::string_view type_name) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type == json_type::array) {
    return serialization_error(
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810." +
        std::string(type_name));
  }
  if (type != json_type::object) return serialization_error("Unexpected value type in payload");
  return object_of(value);
}

Result<JsonArray> read_list(JsonValue value) {
  ASSIGN_OR_RETURN(json_type type, type_of(value));
  if (type == json_type::object)
    return serialization_error("Start of structure or map found where not expected");
  if (type != json_type::array) return serialization_error("Unexpected field type");
  JsonArray array;
  if (value.get_array().get(array)) return malformed_json();
  return array;
}

Status read_string_list(JsonValue value, std::vector<std::string_view>& out) {
  out.clear();
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    std::optional<std::string_view> text;
    RETURN_IF_ERROR(read_string(element, text));
    out.push_back(*text);
    return {};
  });
}

Status hold_refusal(Status status, Status& held) {
  if (!status && status.error().code != ErrorCode::kSerialization) {
    held = std::move(status);
    return {};
  }
  return status;
}

Status read_item(JsonValue value, std::string& out, ValueWords words) {
  ASSIGN_OR_RETURN(JsonObject object, read_map(value, kAttributeValueType));
  return parse_item(object, out, words);
}

}  // namespace millrace
