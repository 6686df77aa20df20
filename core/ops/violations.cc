#include "core/ops/violations.h"

#include <algorithm>

#include "core/ops/arn.h"

namespace millrace {

namespace {

constexpr size_t kListedMax = 10;
constexpr size_t kArnBytesMax = 1024;
constexpr std::string_view kNamePattern =
    "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

bool may_be_arn(std::string_view text) { return text.size() <= kArnBytesMax && is_arn(text); }

void check_longest(std::string_view name, std::string_view path, Violations& violations) {
  if (name.size() > 255)
    violations.add(name, path, "Member must have length less than or equal to 255");
}

}  // namespace

void Violations::add(std::optional<std::string_view> value, std::string_view path,
                     std::string_view constraint) {
  if (found_.size() == kListedMax) return;
  std::string text = "Value ";
  if (value) {
    text.append("'").append(*value).append("'");
  } else {
    text += "null";
  }
  text.append(" at '").append(path).append("' failed to satisfy constraint: ").append(constraint);
  found_.push_back(std::move(text));
}

void Violations::add_unvalued(std::string_view path, std::string_view constraint) {
  if (found_.size() == kListedMax) return;
  std::string text = "Value at '";
  text.append(path).append("' failed to satisfy constraint: ").append(constraint);
  found_.push_back(std::move(text));
}

void Violations::require(bool present, std::string_view path) {
  if (!present) add(std::nullopt, path, "Member must not be null");
}

void Violations::one_of(std::optional<std::string_view> value, std::string_view path,
                        std::string_view set) {
  if (!value) return;
  std::string_view rest = set;
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(", "), rest.size());
    if (rest.substr(0, comma) == *value) return;
    rest.remove_prefix(std::min(comma + 2, rest.size()));
  }
  add(value, path, "Member must satisfy enum value set: [" + std::string(set) + "]");
}

void Violations::at_least(std::optional<int64_t> value, std::string_view path, int64_t least) {
  if (!value || *value >= least) return;
  add(std::to_string(*value), path,
      "Member must have value greater than or equal to " + std::to_string(least));
}

void Violations::not_empty(std::optional<std::string_view> value, std::string_view path) {
  if (value && value->empty())
    add(value, path, "Member must have length greater than or equal to 1");
}

Status Violations::status() const {
  if (found_.empty()) return {};
  std::string message = std::to_string(found_.size()) + " validation error" +
                        (found_.size() == 1 ? "" : "s") + " detected: ";
  for (size_t i = 0; i < found_.size(); ++i) {
    if (i > 0) message += "; ";
    message += found_[i];
  }
  return validation_error(std::move(message));
}

void check_table_name(std::optional<std::string_view> name, std::string_view path,
                      Violations& violations) {
  if (!name) return violations.require(false, path);
  if (may_be_arn(*name)) return;
  if (name->empty()) {
    violations.add(name, path, "Member must have length greater than or equal to 1");
  } else if (!is_name(*name)) {
    violations.add(name, path, kNamePattern);
  }
  check_longest(*name, path, violations);
}

bool is_table_key(std::string_view name) {
  return may_be_arn(name) || (is_name(name) && name.size() >= 3 && name.size() <= 255);
}

void check_name(std::optional<std::string_view> name, std::string_view path,
                Violations& violations) {
  if (!name) return;
  if (!is_name(*name)) violations.add(name, path, kNamePattern);
  if (name->size() < 3)
    violations.add(name, path, "Member must have length greater than or equal to 3");
  check_longest(*name, path, violations);
}

Status check_defined_table_name(std::optional<std::string_view> name) {
  if (!name) {
    return validation_error(
        "The parameter 'TableName' is required but was not present in the request");
  }
  return may_be_arn(*name) ? Status() : check_new_table_name(*name);
}

Status check_new_table_name(std::string_view name) {
  Violations violations;
  check_name(name, "tableName", violations);
  return violations.status();
}

}  // namespace millrace
