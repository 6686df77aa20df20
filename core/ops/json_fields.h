#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/model/item_json.h"

namespace millrace {

/// Appends a JSON object member by member; end() closes it.
class JsonFields {
 public:
  explicit JsonFields(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view name, std::string_view value) {
    begin(name);
    render_json_string(value, out_);
  }
  void raw(std::string_view name, std::string_view value) {
    begin(name);
    out_ += value;
  }
  void integer(std::string_view name, int64_t value) { raw(name, std::to_string(value)); }
  void truth(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void time(std::string_view name, int64_t time_ms) {
    std::array<char, 32> digits;
    int size = std::snprintf(digits.data(), digits.size(), "%lld.%03lld",
                             static_cast<long long>(time_ms / 1000),
                             static_cast<long long>(time_ms % 1000));
    raw(name, std::string_view(digits.data(), static_cast<size_t>(size)));
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_.append("\"").append(name).append("\":");
  }
  std::string& out_;
};

}  // namespace millrace
