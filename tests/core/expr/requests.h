#pragma once

#include <string>
#include <string_view>

#include "core/expr/expression.h"
#include "core/model/item_json.h"
#include "core/model/value.h"

namespace millrace::testing {

/// Bindings of JSON texts; an empty text is an absent parameter.
inline Status parse_bindings(std::string_view names, std::string_view values, Bindings& bindings) {
  simdjson::ondemand::parser parser;
  if (!names.empty()) {
    simdjson::padded_string padded(names);
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser.iterate(padded).get(document) || document.get_object().get(object)) {
      return make_error(ErrorCode::kSerialization, {});
    }
    RETURN_IF_ERROR(bindings.parse_names(object));
  }
  if (!values.empty()) {
    simdjson::padded_string padded(values);
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser.iterate(padded).get(document) || document.get_object().get(object)) {
      return make_error(ErrorCode::kSerialization, {});
    }
    RETURN_IF_ERROR(bindings.parse_values(object));
  }
  return {};
}

/// The encoding of an item's JSON.
inline std::string item_of(std::string_view json) {
  simdjson::padded_string padded(json);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document = parser.iterate(padded);
  std::string out;
  CHECK(parse_item(document.get_object(), out).has_value());
  return out;
}

inline std::string json_of(std::string_view encoded_item) {
  std::string json;
  render_item(ItemView(encoded_item), json);
  return json;
}

}  // namespace millrace::testing
