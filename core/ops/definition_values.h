#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/model/value.h"

namespace millrace {

// The values that the items of hidden system tables are made of, and back.

inline Value text_value(std::string_view text) { return Value::string(std::string(text)); }

inline Value integer_value(uint64_t number) {
  return Value::number(Number::parse(std::to_string(number)).value());
}

inline Error damaged(std::string_view what) {
  return make_error(ErrorCode::kCorruption,
                    "catalogue: a table's definition has no good " + std::string(what));
}

/// Reads the attributes of one map, with the first that is missing or wrong kept as the error.
class DefinitionReader {
 public:
  explicit DefinitionReader(MapView map) : map_(map) {}

  std::string text(std::string_view name) {
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kString) return fail(name), std::string();
    return std::string(value->scalar());
  }
  uint64_t integer(std::string_view name) {
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kNumber) return fail(name), 0;
    std::string digits = value->number().text();
    uint64_t number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return fail(name), 0;
    return number;
  }
  bool truth(std::string_view name) {
    auto value = map_.get(name);
    if (!value || !value->is_bool()) return fail(name), false;
    return value->type() == ValueType::kTrue;
  }
  KeyAttribute key_attribute(std::string_view name) {
    auto value = map_.get(name);
    return value ? key_attribute(name, *value) : (fail(name), KeyAttribute{});
  }
  std::vector<KeyAttribute> key_attributes(std::string_view name) {
    std::vector<KeyAttribute> attributes;
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kList) return fail(name), attributes;
    for (ValueView element : value->list()) attributes.push_back(key_attribute(name, element));
    return attributes;
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> texts;
    auto value = map_.get(name);
    if (!value || value->type() != ValueType::kList) return fail(name), texts;
    for (ValueView element : value->list()) {
      if (element.type() != ValueType::kString) return fail(name), texts;
      texts.emplace_back(element.scalar());
    }
    return texts;
  }
  template <typename Enum, size_t kSize>
  Enum one_of(std::string_view name, const std::pair<Enum, std::string_view> (&names)[kSize]) {
    const std::string found = text(name);
    for (const auto& [value, known] : names) {
      if (known == found) return value;
    }
    return fail(name), names[0].first;
  }
  bool has(std::string_view name) const { return map_.get(name).has_value(); }
  std::optional<ValueView> get(std::string_view name) const { return map_.get(name); }

  void fail(std::string_view name) {
    if (status_) status_ = damaged(name);
  }
  const Status& status() const { return status_; }

 private:
  KeyAttribute key_attribute(std::string_view name, ValueView value) {
    if (value.type() != ValueType::kMap) return fail(name), KeyAttribute{};
    DefinitionReader entries(value.map());
    KeyAttribute attribute{entries.text("Name"), ValueType::kString};
    std::string type = entries.text("Type");
    if (type == "N") {
      attribute.type = ValueType::kNumber;
    } else if (type == "B") {
      attribute.type = ValueType::kBinary;
    } else if (type != "S") {
      fail(name);
    }
    if (!entries.status()) fail(name);
    return attribute;
  }

  MapView map_;
  Status status_;
};

}  // namespace millrace
