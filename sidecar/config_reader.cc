#include "sidecar/config_reader.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "sidecar/config.h"

namespace millrace::sidecar {

Error ConfigReader::wrong(const YAML::Mark& mark, const std::string& text) const {
  return make_error(ErrorCode::kConfig, file_ + ":" + std::to_string(mark.line + 1) + ":" +
                                            std::to_string(mark.column + 1) + ": " + text);
}

Error ConfigReader::wrong_kind(const YAML::Node& node, const std::string& path,
                               const std::string& what) const {
  const char* found = "nothing";
  if (node.IsMap()) found = "a mapping";
  if (node.IsSequence()) found = "a list";
  if (node.IsScalar()) found = node.Scalar().empty() ? "an empty text" : "a single value";
  std::string subject = path.empty() ? "the file" : "'" + path + "'";
  return wrong(node.Mark(), subject + " holds " + found + "; it must be " + what);
}

Status ConfigReader::mapping(const YAML::Node& node, const std::string& path,
                             const Fields& fields) const {
  if (!node.IsMap()) return no_mapping(node, path, fields);
  std::set<std::string> seen;
  for (const auto& entry : node) {
    ASSIGN_OR_RETURN(std::string key, key_of(entry.first));
    std::string full = path.empty() ? key : path + "." + key;
    if (!seen.insert(key).second)
      return wrong(entry.first.Mark(), "'" + full + "' is there twice; keep one of the two");
    auto field = std::find_if(fields.begin(), fields.end(),
                              [&](const auto& known) { return known.first == key; });
    if (field == fields.end()) return unknown_key(entry.first, key, path, fields);
    if (entry.second.IsNull())
      return wrong(entry.first.Mark(), "'" + full + "' has no value; give it one or remove it");
    RETURN_IF_ERROR(field->second(entry.second, full));
  }
  return {};
}

/// The hint is for who wrote `memory: 256MB`.
Error ConfigReader::no_mapping(const YAML::Node& node, const std::string& path,
                               const Fields& fields) const {
  std::string what = "a mapping of keys to values";
  const bool has_size = std::any_of(fields.begin(), fields.end(),
                                    [](const auto& known) { return known.first == "bytes"; });
  if (has_size && node.IsScalar() && parse_size(node.Scalar()))
    what += ", such as {bytes: " + node.Scalar() + "}";
  return wrong_kind(node, path, what);
}

Result<std::string> ConfigReader::key_of(const YAML::Node& key) const {
  if (!key.IsScalar()) return wrong(key.Mark(), "a key must be a plain word");
  return key.Scalar();
}

Result<std::string> ConfigReader::text(const YAML::Node& node, const std::string& path,
                                       const std::string& what) const {
  if (!node.IsScalar() || node.Scalar().empty()) return wrong_kind(node, path, what);
  return node.Scalar();
}

ConfigReader::Field ConfigReader::string(std::string& out, std::string what) const {
  return [this, &out, what = std::move(what)](const YAML::Node& node,
                                              const std::string& path) -> Status {
    ASSIGN_OR_RETURN(out, text(node, path, what));
    return {};
  };
}

Result<uint64_t> ConfigReader::number_of(const YAML::Node& node, const std::string& path,
                                         uint64_t min, uint64_t max) const {
  const std::string what =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  ASSIGN_OR_RETURN(const std::string scalar, text(node, path, what));
  uint64_t value = 0;
  auto [end, error] = std::from_chars(scalar.data(), scalar.data() + scalar.size(), value);
  if (error != std::errc() || end != scalar.data() + scalar.size() || value < min || value > max)
    return wrong(node.Mark(), "'" + path + "': '" + scalar + "' is not " + what);
  return value;
}

/// Whether there is a field `name` that takes a mapping.
bool ConfigReader::holds_mapping(const std::string& name, const std::string& path,
                                 const Fields& fields) {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& known) {
    return known.first == name && known.second(YAML::Node(YAML::NodeType::Map), path).has_value();
  });
}

Error ConfigReader::unknown_key(const YAML::Node& key_node, const std::string& key,
                                const std::string& path, const Fields& fields) const {
  std::vector<std::string> known;
  for (const auto& [name, field] : fields) known.push_back(name);
  std::string message = "unknown key '" + key + "'";
  if (!path.empty()) message += " in '" + path + "'";
  const size_t dot = key.find('.');
  if (dot != key.npos && holds_mapping(key.substr(0, dot), path, fields)) {
    return wrong(key_node.Mark(), message + "; write it nested, as " + key.substr(0, dot) + ": {" +
                                      key.substr(dot + 1) + ": ...}");
  }
  std::string near = did_you_mean(key, known);
  if (!near.empty()) return wrong(key_node.Mark(), message + "; did you mean '" + near + "'?");
  message += "; known are ";
  for (size_t i = 0; i < known.size(); ++i) message += (i == 0 ? "" : ", ") + known[i];
  return wrong(key_node.Mark(), message);
}

}  // namespace millrace::sidecar
