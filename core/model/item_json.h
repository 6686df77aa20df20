#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/value.h"
#include "core/model/value_words.h"

namespace millrace {

/// The longest attribute name, as the service has it.
inline constexpr size_t kAttributeNameBytesMax = 65535;

/// What a longer name is answered with.
Error attribute_name_too_large();

/// Reads an item, a map of names to `{"S": ...}` attribute values, and appends its encoding to
/// `out`. Errors are DynamoDB's: SerializationException for a wrong JSON shape, ValidationException
/// for a value that its rules refuse (several or no types in a value, empty set, duplicate in a
/// set, bad number, nesting over 32, base64, an empty or too long name). Size is the caller's to
/// check.
Status parse_item(simdjson::ondemand::object object, std::string& out,
                  ValueWords words = ValueWords::kWrite);

/// Reads one attribute value, and appends its encoding to `out`.
Status parse_value(simdjson::ondemand::value json, std::string& out,
                   ValueWords words = ValueWords::kWrite);

/// What `json`, which is neither null nor a string, is answered with where a string is needed.
Error not_a_string(simdjson::ondemand::value json);

/// Appends `{"name":{"S":"..."},...}`.
void render_item(ItemView item, std::string& out);
/// Appends `{"S":"..."}`.
void render_value(ValueView value, std::string& out);
/// A string, number or binary as DynamoDB's messages print it: AttributeValue: {S:text}.
std::string printed_key_value(ValueView value);
/// Appends `"text"` with JSON's escapes. `text` is UTF-8.
void render_json_string(std::string_view text, std::string& out);
/// Appends standard base64 with padding.
void render_base64(std::string_view bytes, std::string& out);
/// Strict standard base64 with padding; false if `text` is not.
bool parse_base64(std::string_view text, std::string& out);

}  // namespace millrace
