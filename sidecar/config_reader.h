#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace millrace::sidecar {

/// What reads one YAML document strictly: each mistake is kConfig with its place, what is wrong and
/// how to mend it. `path` names a node in messages. Nodes' marks count from 0.
class ConfigReader {
 public:
  explicit ConfigReader(std::string file) : file_(std::move(file)) {}

  Error wrong(const YAML::Mark& mark, const std::string& text) const;
  /// A node of another kind than `what`.
  Error wrong_kind(const YAML::Node& node, const std::string& path, const std::string& what) const;

  using Field = std::function<Status(const YAML::Node&, const std::string& path)>;
  using Fields = std::vector<std::pair<std::string, Field>>;

  /// Gives each entry of a mapping to the field of its name.
  Status mapping(const YAML::Node& node, const std::string& path, const Fields& fields) const;

  Result<std::string> key_of(const YAML::Node& key) const;

  /// A scalar that is there.
  Result<std::string> text(const YAML::Node& node, const std::string& path,
                           const std::string& what) const;

  /// A field whose text is read by `parse`.
  template <typename T>
  Field parsed(T& out, Result<T> (*parse)(std::string_view), std::string what) const {
    return [this, &out, parse, what = std::move(what)](const YAML::Node& node,
                                                       const std::string& path) -> Status {
      ASSIGN_OR_RETURN(std::string scalar, text(node, path, what));
      Result<T> value = parse(scalar);
      if (!value) return wrong(node.Mark(), "'" + path + "': " + value.error().message);
      out = std::move(value).value();
      return {};
    };
  }

  Field string(std::string& out, std::string what) const;
  /// A field that has been read before, since others depend on it.
  static Status known(const YAML::Node&, const std::string&) { return {}; }
  /// A whole number from `min` to `max`.
  template <typename T>
  Field number(T& out, uint64_t min, uint64_t max) const {
    return [this, &out, min, max](const YAML::Node& node, const std::string& path) -> Status {
      ASSIGN_OR_RETURN(const uint64_t value, number_of(node, path, min, max));
      out = static_cast<T>(value);
      return {};
    };
  }

 private:
  Result<uint64_t> number_of(const YAML::Node& node, const std::string& path, uint64_t min,
                             uint64_t max) const;
  Error no_mapping(const YAML::Node& node, const std::string& path, const Fields& fields) const;
  static bool holds_mapping(const std::string& name, const std::string& path, const Fields& fields);
  Error unknown_key(const YAML::Node& key_node, const std::string& key, const std::string& path,
                    const Fields& fields) const;

  std::string file_;
};

}  // namespace millrace::sidecar
