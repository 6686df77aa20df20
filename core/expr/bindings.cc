#include "core/expr/expression.h"
#include "core/expr/parser.h"
#include "core/model/item_json.h"
#include "core/model/set_duplicates.h"

namespace millrace {
namespace {

constexpr size_t kAliasBytesMax = 255;
// The longest that all names together, and all values together, may be.
constexpr size_t kSubstitutionBytesMax = 2 * 1024 * 1024;

bool is_alias(std::string_view key, char sign) {
  if (key.size() < 2 || key[0] != sign) return false;
  for (char c : key.substr(1)) {
    const bool word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word) return false;
  }
  return true;
}

// The error for a key of ExpressionAttributeNames or -Values that is no alias.
Status check_alias(std::string_view parameter, std::string_view key, char sign) {
  const std::string prefix = std::string(parameter) + " contains invalid key: ";
  if (key.size() > kAliasBytesMax) {
    return validation_error(
        prefix + "The expression attribute map contains a key that is too long; size of key: " +
        std::to_string(key.size()));
  }
  if (!is_alias(key, sign)) {
    return validation_error(prefix + "Syntax error; key: \"" + std::string(key) + "\"");
  }
  return {};
}

template <typename Map>
Status check_size(std::string_view parameter, const Map& bound) {
  size_t bytes = 0;
  for (const auto& [alias, meaning] : bound) bytes += alias.size() + meaning.size();
  if (bytes <= kSubstitutionBytesMax) return {};
  return validation_error(std::string(parameter) + " exceeds max size");
}

Error bad_json() { return make_error(ErrorCode::kSerialization, {}); }

// What `members` maps that `used` has none of.
template <typename Map, typename Set>
Status check_used(const char* parameter, const Map& members, const Set& used) {
  std::string unused;
  for (const auto& [alias, value] : members) {
    if (used.contains(alias)) continue;
    if (!unused.empty()) unused += ", ";
    unused += alias;
  }
  if (unused.empty()) return {};
  return validation_error("Value provided in " + std::string(parameter) +
                          " unused in expressions: keys: {" + unused + "}");
}

}  // namespace

Status Bindings::parse_names(simdjson::ondemand::object names) {
  constexpr const char* kParameter = "ExpressionAttributeNames";
  has_names_ = true;
  Status refusal;
  auto refuse = [&](Status status) {
    if (refusal && !status) refusal = std::move(status);
  };
  bool any = false;
  for (auto result : names) {
    simdjson::ondemand::field field;
    if (std::move(result).get(field)) return bad_json();
    std::string_view key;
    if (field.unescaped_key().get(key)) return bad_json();
    const std::string alias(key);
    any = true;
    refuse(check_alias(kParameter, alias, '#'));
    simdjson::ondemand::json_type type;
    if (field.value().type().get(type)) return bad_json();
    std::string_view name;
    if (type == simdjson::ondemand::json_type::string) {
      if (field.value().get_string().get(name)) return bad_json();
    } else if (type != simdjson::ondemand::json_type::null) {
      return not_a_string(field.value());
    }
    if (name.empty()) {
      refuse(validation_error(std::string(kParameter) +
                              " contains invalid value: Empty attribute name for key " + alias));
    } else if (name.size() > kAttributeNameBytesMax) {
      refuse(validation_error(std::string(kParameter) + " contains invalid value: " +
                              attribute_name_too_large().message + " for key " + alias));
    }
    names_.insert_or_assign(alias, std::string(name));
  }
  if (!any) return validation_error(std::string(kParameter) + " must not be empty");
  RETURN_IF_ERROR(refusal);
  return check_size(kParameter, names_);
}

Status Bindings::parse_values(simdjson::ondemand::object values, ValueWords words) {
  constexpr const char* kParameter = "ExpressionAttributeValues";
  has_values_ = true;
  // DynamoDB looks at all keys before any value.
  Status bad_key, bad_value;
  bool any = false;
  for (auto result : values) {
    simdjson::ondemand::field field;
    if (std::move(result).get(field)) return bad_json();
    std::string_view key;
    if (field.unescaped_key().get(key)) return bad_json();
    const std::string alias(key);
    any = true;
    if (Status status = check_alias(kParameter, alias, ':'); bad_key && !status) {
      bad_key = std::move(status);
    }
    std::string encoded;
    if (Status status = parse_value(field.value(), encoded, words); !status) {
      if (status.error().code != ErrorCode::kValidation) return status;
      const std::string& message = status.error().message;
      // An overdeep value is refused as such, and some more where the words are Query's.
      const bool bare = message.rfind("Nesting Levels", 0) == 0 ||
                        (words == ValueWords::kRead && is_of_number_or_duplicates(status.error()));
      if (bad_value) {
        bad_value = bare ? std::move(status)
                         : Status(validation_error(std::string(kParameter) +
                                                   " contains invalid value: " + message +
                                                   " for key " + alias));
      }
      continue;
    }
    values_.insert_or_assign(alias, std::move(encoded));
  }
  if (!any) return validation_error(std::string(kParameter) + " must not be empty");
  RETURN_IF_ERROR(bad_key);
  RETURN_IF_ERROR(bad_value);
  return check_size(kParameter, values_);
}

Result<std::string> Bindings::name(std::string_view alias, std::string_view kind) {
  const auto found = names_.find(alias);
  if (found == names_.end()) {
    return expression_error(
        kind,
        "An expression attribute name used in the document path is not defined; "
        "attribute name: " +
            std::string(alias));
  }
  used_.insert(found->first);
  return found->second;
}

Result<ValueView> Bindings::value(std::string_view alias, std::string_view kind) {
  const auto found = values_.find(alias);
  if (found == values_.end()) {
    return expression_error(kind,
                            "An expression attribute value used in expression is not defined; "
                            "attribute value: " +
                                std::string(alias));
  }
  used_.insert(found->first);
  return ValueView(found->second);
}

size_t Bindings::bytes() const {
  size_t bytes = 0;
  for (const auto* bound : {&names_, &values_}) {
    for (const auto& [alias, meaning] : *bound) bytes += alias.size() + meaning.size();
  }
  return bytes;
}

Status Bindings::check_all_used() const {
  RETURN_IF_ERROR(check_used("ExpressionAttributeNames", names_, used_));
  return check_used("ExpressionAttributeValues", values_, used_);
}

}  // namespace millrace
