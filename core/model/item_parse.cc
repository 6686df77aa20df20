#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/bytes.h"
#include "core/model/item_json.h"
#include "core/model/refusals.h"
#include "core/model/set_duplicates.h"

namespace millrace {
namespace {

namespace ondemand = simdjson::ondemand;

Error serialization_error(std::string message) {
  return make_error(ErrorCode::kSerialization, std::move(message));
}

// What a JSON syntax error is answered with: DynamoDB gives no message.
Error bad_json() { return serialization_error({}); }

constexpr std::string_view kStructureFound = "Start of structure or map found where not expected";
constexpr std::string_view kUnexpectedField = "Unexpected field type";

// The JSON token that a value begins with: a whole string, number or literal, or '{' or '['. Never
// empty: where there is none, a token that nothing accepts.
std::string_view token_of(ondemand::value& json) {
  std::string_view token = json.raw_json_token();
  while (!token.empty() && static_cast<uint8_t>(token.back()) <= ' ') token.remove_suffix(1);
  return token.empty() ? "?" : token;
}

bool is_string_token(std::string_view token) { return token.size() >= 2 && token[0] == '"'; }

// The text of a string; false if it is no JSON. A token without a backslash is its own text; its
// UTF-8 and control characters were checked when the document was indexed.
bool string_text(ondemand::value& json, std::string_view token, std::string_view& text) {
  text = token.substr(1, token.size() - 2);
  if (token.back() == '"' && std::memchr(text.data(), '\\', text.size()) == nullptr) return true;
  return !json.get_string().get(text);
}

bool key_text(ondemand::field& field, std::string_view& text) {
  const char* raw = field.key().raw();
  const char* quote = raw;
  while (*quote != '"' && *quote != '\\') ++quote;  // ends: indexing found the closing quote
  text = {raw, static_cast<size_t>(quote - raw)};
  return *quote == '"' || !field.unescaped_key().get(text);
}

// How a token that is not what a member needs is named in DynamoDB's message.
std::string_view token_kind(std::string_view token) {
  if (token[0] == 't') return "TRUE_VALUE";
  if (token[0] == 'f') return "FALSE_VALUE";
  return token.find_first_of(".eE") == token.npos ? "NUMBER_VALUE" : "DECIMAL_VALUE";
}

// The error for a scalar member (`java_class` as in DynamoDB's messages) given as `token`.
Error not_a_scalar(std::string_view token, const char* java_class, std::string_view type) {
  if (token[0] == '{') return serialization_error(std::string(kStructureFound));
  if (token[0] == '[') {
    return serialization_error(std::string("Unrecognized collection type class ") + java_class);
  }
  if (type == "B") {
    return serialization_error("only base-64-encoded strings are convertible to bytes");
  }
  const char* target = type == "BOOL" || type == "NULL" ? "Boolean" : "String";
  return serialization_error(std::string(token_kind(token)) + " cannot be converted to " + target);
}

std::optional<ValueType> type_of_name(std::string_view name) {
  switch (name.size()) {
    case 1:
      if (name[0] == 'S') return ValueType::kString;
      if (name[0] == 'N') return ValueType::kNumber;
      if (name[0] == 'B') return ValueType::kBinary;
      if (name[0] == 'M') return ValueType::kMap;
      if (name[0] == 'L') return ValueType::kList;
      break;
    case 2:
      if (name == "SS") return ValueType::kStringSet;
      if (name == "NS") return ValueType::kNumberSet;
      if (name == "BS") return ValueType::kBinarySet;
      break;
    case 4:
      if (name == "BOOL") return ValueType::kTrue;
      if (name == "NULL") return ValueType::kNull;
      break;
  }
  return std::nullopt;
}

// Reads attribute values and appends their encoding. DynamoDB reads the whole request before it
// judges any value, so a SerializationException anywhere goes before every ValidationException:
// that which the service would have come to first is kept while reading goes on.
class AttributeReader {
 public:
  explicit AttributeReader(ValueWords words) : words_(words) {}

  Status item(ondemand::object object, std::string& out) {
    const size_t start = out.size();
    out.push_back(0);
    size_t count = 0;
    RETURN_IF_ERROR(entries(object, 1, out, count));
    finish_counted(out, start, 0, count);
    return verdict();
  }

  Status single(ondemand::value json, std::string& out) {
    bool present = false;
    RETURN_IF_ERROR(attribute(json, 1, out, present));
    if (!present) refuse(empty_value());
    return verdict();
  }

 private:
  static Error empty_value() {
    return validation_error(
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
  }

  // The service judges an item in passes, while one is enough here: the names of its attributes,
  // how deep it is nested, everything else.
  enum class Pass : uint8_t { kNames, kDepth, kValues };

  void refuse(Error error, Pass pass = Pass::kValues) {
    if (refusal_ && refused_in_ <= pass) return;
    refusal_ = std::move(error);
    refused_in_ = pass;
  }

  void check_name(std::string_view name, int level) {
    const Pass pass = level == 1 ? Pass::kNames : Pass::kValues;
    if (name.empty()) refuse(validation_error("Empty attribute name"), pass);
    if (name.size() > kAttributeNameBytesMax) refuse(attribute_name_too_large(), pass);
  }

  Status verdict() {
    if (refusal_) return *std::move(refusal_);
    return {};
  }

  // Puts `count`, and before it the length of what follows if `with_length`, in the place of the
  // bytes that were held free for them at `at` (one for each).
  static void finish_counted(std::string& out, size_t at, bool with_length, size_t count) {
    std::string head;
    put_varint(head, count);
    if (with_length) {
      std::string length;
      put_varint(length, head.size() + out.size() - at - 2);
      head.insert(0, length);
    }
    out.replace(at, with_length ? 2 : 1, head);
  }

  // The entries of an item or map: names and values, sorted, the last of equal names kept.
  Status entries(ondemand::object object, int level, std::string& out, size_t& count) {
    const size_t begin = out.size();
    size_t previous_at = 0, previous_size = 0;
    bool in_order = true;
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field)) return bad_json();
      std::string_view name;
      if (!key_text(field, name)) return bad_json();
      check_name(name, level);
      const size_t start = out.size();
      put_varint(out, name.size());
      const size_t name_at = out.size();
      out.append(name);
      bool present = false;
      RETURN_IF_ERROR(attribute(field.value(), level, out, present));
      if (!present) {  // null: as if it were not there
        out.resize(start);
        continue;
      }
      if (count > 0) {
        const std::string_view previous(out.data() + previous_at, previous_size);
        const std::string_view current(out.data() + name_at, name.size());
        in_order = in_order && previous < current;
      }
      previous_at = name_at;
      previous_size = name.size();
      ++count;
    }
    if (!in_order) count = sort_parts(out, begin, true);
    return {};
  }

  // Sorts what stands from `begin` on: entries (name and value), or a set's elements, by their name
  // or bytes. Of equal names the last stays. Returns how many are left.
  size_t sort_parts(std::string& out, size_t begin, bool is_map) {
    unsorted_.assign(out, begin);
    parts_.clear();
    std::string_view rest = unsorted_;
    while (!rest.empty()) {
      std::string_view name, whole;
      if (is_map) {
        const MapView::Entry entry = *MapView::Iterator(rest);
        const char* end = entry.value.encoded().data() + entry.value.encoded().size();
        name = entry.name;
        whole = rest.substr(0, static_cast<size_t>(end - rest.data()));
      } else {
        name = *SetView::Iterator(rest);
        whole = rest.substr(0, static_cast<size_t>(name.data() + name.size() - rest.data()));
      }
      parts_.push_back({name, whole});
      rest.remove_prefix(whole.size());
    }
    std::sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) {
      const int order = a.name.compare(b.name);
      return order != 0 ? order < 0 : a.whole.data() < b.whole.data();
    });
    out.resize(begin);
    size_t count = 0;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (i + 1 < parts_.size() && parts_[i].name == parts_[i + 1].name) continue;
      out.append(parts_[i].whole);
      ++count;
    }
    return count;
  }

  // One attribute value, `{"S": ...}`; `present` is false for JSON's null.
  Status attribute(ondemand::value json, int level, std::string& out, bool& present) {
    const std::string_view token = token_of(json);
    if (token == "null") return {};
    if (token[0] == '[') {
      return serialization_error(
          "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue");
    }
    if (token[0] != '{') return serialization_error("Unexpected value type in payload");
    present = true;
    ondemand::object object;
    if (json.get_object().get(object)) return bad_json();
    if (level > kNestingMax) {
      refuse(
          validation_error("Nesting Levels have exceeded supported limits: Attributes in the item "
                           "have nested levels "
                           "beyond supported limit"),
          Pass::kDepth);
      out.push_back(static_cast<char>(ValueType::kNull));
      return {};
    }
    size_t types = 0;
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field)) return bad_json();
      std::string_view name;
      if (!key_text(field, name)) return bad_json();
      const std::optional<ValueType> type = type_of_name(name);
      if (!type) continue;
      const std::string_view member = token_of(field.value());
      if (member == "null") continue;
      const size_t end = out.size();
      RETURN_IF_ERROR(payload(*type, field.value(), member, level, out));
      if (++types > 1) out.resize(end);
    }
    if (types == 0) {
      refuse(empty_value());
      out.push_back(static_cast<char>(ValueType::kNull));
    } else if (types > 1) {
      refuse(
          validation_error("Supplied AttributeValue has more than one datatypes set, must contain "
                           "exactly one of the "
                           "supported datatypes"));
    }
    return {};
  }

  Status payload(ValueType type, ondemand::value json, std::string_view token, int level,
                 std::string& out) {
    switch (type) {
      case ValueType::kNull:
      case ValueType::kFalse:
      case ValueType::kTrue:
        return boolean(type, json, token, out);
      case ValueType::kNumber:
      case ValueType::kString:
      case ValueType::kBinary:
        out.push_back(static_cast<char>(type));
        return scalar(type, json, token, out);
      case ValueType::kStringSet:
      case ValueType::kNumberSet:
      case ValueType::kBinarySet:
        return set(type, json, token, out);
      case ValueType::kList:
        return list(json, token, level, out);
      case ValueType::kMap:
        return map(json, token, level, out);
    }
    return {};
  }

  // BOOL and NULL. DynamoDB takes some strings for booleans.
  Status boolean(ValueType type, ondemand::value json, std::string_view token, std::string& out) {
    bool value = false;
    if (is_string_token(token)) {
      std::string_view text;
      if (!string_text(json, token, text)) return bad_json();
      std::string upper(text.substr(0, 8));
      for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      value = upper == "TRUE" || upper == "YES" || upper == "1";
      if (!value && upper != "FALSE" && upper != "NO" && upper != "0") {
        return serialization_error("Unexpected token received from parser");
      }
    } else if (token == "true" || token == "false") {
      value = token == "true";
    } else if (token[0] == 't' || token[0] == 'f') {
      return bad_json();
    } else {
      return not_a_scalar(token, "java.lang.Boolean", "BOOL");
    }
    if (type == ValueType::kNull) {
      if (!value) {
        refuse(invalid_parameter("Null attribute value types must have the value of true"));
      }
    } else {
      type = value ? ValueType::kTrue : ValueType::kFalse;
    }
    out.push_back(static_cast<char>(type));
    return {};
  }

  // Appends length and bytes of a string, number or binary.
  Status scalar(ValueType type, ondemand::value json, std::string_view token, std::string& out) {
    if (!is_string_token(token)) {
      return type == ValueType::kBinary ? not_a_scalar(token, "java.nio.ByteBuffer", "B")
                                        : not_a_scalar(token, "java.lang.String", "S");
    }
    std::string_view text;
    if (!string_text(json, token, text)) return bad_json();
    if (type == ValueType::kString) {
      put_length_prefixed(out, text);
      return {};
    }
    decoded_.clear();
    if (type == ValueType::kNumber) {
      Result<Number> number = Number::parse(text, words_);
      if (!number) refuse(number.error());
      (number ? *number : Number()).append_ordered(decoded_);
    } else if (!parse_base64(text, decoded_)) {
      if (text.size() % 4 != 0) {
        return serialization_error(
            "Base64 encoded length is expected a multiple of 4 bytes but found: " +
            std::to_string(text.size()));
      }
      // DynamoDB's own spelling.
      return serialization_error("Invalid last non-pad Base64 character dectected");
    }
    put_length_prefixed(out, decoded_);
    return {};
  }

  Status set(ValueType type, ondemand::value json, std::string_view token, std::string& out) {
    if (token[0] == '{') return serialization_error(std::string(kStructureFound));
    if (token[0] != '[') return serialization_error(std::string(kUnexpectedField));
    ondemand::array array;
    if (json.get_array().get(array)) return bad_json();
    const ValueType element_type = type == ValueType::kStringSet   ? ValueType::kString
                                   : type == ValueType::kNumberSet ? ValueType::kNumber
                                                                   : ValueType::kBinary;
    out.push_back(static_cast<char>(type));
    const size_t head = out.size();
    out.append(2, '\0');
    const size_t begin = out.size();
    size_t count = 0;
    for (auto result : array) {
      ondemand::value element;
      if (std::move(result).get(element)) return bad_json();
      const std::string_view element_token = token_of(element);
      if (element_token == "null") {
        refuse(invalid_parameter("A set may not have a null value as a member"));
        continue;
      }
      RETURN_IF_ERROR(scalar(element_type, element, element_token, out));
      ++count;
    }
    if (count == 0) {
      refuse(
          invalid_parameter((type == ValueType::kStringSet   ? "An string set  may not be empty"
                             : type == ValueType::kNumberSet ? "An number set  may not be empty"
                                                             : "Binary sets should not be empty")));
    }
    order_set(type, begin, count, out);
    finish_counted(out, head, true, count);
    return {};
  }

  // Sorts the elements from `begin` on, and refuses duplicates.
  void order_set(ValueType type, size_t begin, size_t count, std::string& out) {
    bool in_order = true;
    std::string_view elements = std::string_view(out).substr(begin);
    std::string_view previous;
    for (SetView::Iterator it(elements), end(elements.substr(elements.size())); it != end; ++it) {
      if (previous.data() != nullptr) in_order = in_order && previous < *it;
      previous = *it;
    }
    if (in_order) return;
    std::string original = out.substr(begin);
    if (sort_parts(out, begin, false) == count) return;
    refuse(set_duplicates(type, original, words_));
  }

  Status list(ondemand::value json, std::string_view token, int level, std::string& out) {
    if (token[0] == '{') return serialization_error(std::string(kStructureFound));
    if (token[0] != '[') return serialization_error(std::string(kUnexpectedField));
    ondemand::array array;
    if (json.get_array().get(array)) return bad_json();
    out.push_back(static_cast<char>(ValueType::kList));
    const size_t head = out.size();
    out.append(2, '\0');
    size_t count = 0;
    for (auto result : array) {
      ondemand::value element;
      if (std::move(result).get(element)) return bad_json();
      bool present = false;
      RETURN_IF_ERROR(attribute(element, level + 1, out, present));
      if (!present) {
        refuse(empty_value());
        continue;
      }
      ++count;
    }
    finish_counted(out, head, true, count);
    return {};
  }

  Status map(ondemand::value json, std::string_view token, int level, std::string& out) {
    if (token[0] == '[') {
      return serialization_error(
          "Unrecognized collection type java.util.Map<java.lang.String, "
          "com.amazonaws.dynamodb.v20120810.AttributeValue>");
    }
    if (token[0] != '{') return serialization_error(std::string(kUnexpectedField));
    ondemand::object object;
    if (json.get_object().get(object)) return bad_json();
    out.push_back(static_cast<char>(ValueType::kMap));
    const size_t head = out.size();
    out.append(2, '\0');
    size_t count = 0;
    RETURN_IF_ERROR(entries(object, level + 1, out, count));
    finish_counted(out, head, true, count);
    return {};
  }

  struct Part {
    std::string_view name, whole;
  };
  const ValueWords words_;
  std::optional<Error> refusal_;
  Pass refused_in_ = Pass::kValues;
  std::string decoded_;   // of the number or binary being read
  std::string unsorted_;  // for sort_parts
  std::vector<Part> parts_;
};

}  // namespace

Error not_a_string(simdjson::ondemand::value json) {
  return not_a_scalar(token_of(json), "java.lang.String", "S");
}

Error attribute_name_too_large() {
  return validation_error("Attribute name is too large, must be less than " +
                          std::to_string(kAttributeNameBytesMax + 1) + " bytes");
}

Status parse_item(simdjson::ondemand::object object, std::string& out, ValueWords words) {
  return AttributeReader(words).item(object, out);
}

Status parse_value(simdjson::ondemand::value json, std::string& out, ValueWords words) {
  return AttributeReader(words).single(json, out);
}

}  // namespace millrace
