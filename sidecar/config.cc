#include "sidecar/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include "connectors/kafka.h"

namespace millrace::sidecar {
namespace {

/// Reads one document. Places are yaml-cpp's, counted from 0.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  Error wrong(const YAML::Mark& mark, const std::string& text) const {
    return make_error(ErrorCode::kConfig, file_ + ":" + std::to_string(mark.line + 1) + ":" +
                                              std::to_string(mark.column + 1) + ": " + text);
  }

  using Field = std::function<Status(const YAML::Node&, const std::string& path)>;
  using Fields = std::vector<std::pair<std::string, Field>>;

  /// Gives each entry of a mapping to the field of its name; `path` names the mapping in messages.
  Status mapping(const YAML::Node& node, const std::string& path, const Fields& fields) const {
    if (!node.IsMap()) return wrong_kind(node, path, "a mapping of keys to values");
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

  Result<std::string> key_of(const YAML::Node& key) const {
    if (!key.IsScalar()) return wrong(key.Mark(), "a key must be a plain word");
    return key.Scalar();
  }

  /// A scalar that is there.
  Result<std::string> text(const YAML::Node& node, const std::string& path,
                           const std::string& what) const {
    if (!node.IsScalar() || node.Scalar().empty()) return wrong_kind(node, path, what);
    return node.Scalar();
  }

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

  Field string(std::string& out, std::string what) const {
    return [this, &out, what = std::move(what)](const YAML::Node& node,
                                                const std::string& path) -> Status {
      ASSIGN_OR_RETURN(out, text(node, path, what));
      return {};
    };
  }

  Error wrong_kind(const YAML::Node& node, const std::string& path, const std::string& what) const {
    const char* found = "nothing";
    if (node.IsMap()) found = "a mapping";
    if (node.IsSequence()) found = "a list";
    if (node.IsScalar()) found = node.Scalar().empty() ? "an empty text" : "a single value";
    std::string subject = path.empty() ? "the file" : "'" + path + "'";
    return wrong(node.Mark(), subject + " holds " + found + "; it must be " + what);
  }

 private:
  Error unknown_key(const YAML::Node& key_node, const std::string& key, const std::string& path,
                    const Fields& fields) const {
    std::vector<std::string> known;
    for (const auto& [name, field] : fields) known.push_back(name);
    std::string near = did_you_mean(key, known);
    std::string message = "unknown key '" + key + "'";
    if (!path.empty()) message += " in '" + path + "'";
    if (!near.empty()) return wrong(key_node.Mark(), message + "; did you mean '" + near + "'?");
    message += "; known are ";
    for (size_t i = 0; i < known.size(); ++i) message += (i == 0 ? "" : ", ") + known[i];
    return wrong(key_node.Mark(), message);
  }

  std::string file_;
};

Result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is neither true nor false; write one of them");
}

Result<ConnectorConfig::From> parse_from(std::string_view text) {
  if (text == "trim_horizon") return ConnectorConfig::From::kTrimHorizon;
  if (text == "latest") return ConnectorConfig::From::kLatest;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) +
                        "' is no place to begin; write trim_horizon (all that the "
                        "log still holds) or latest (what comes from now on)");
}

Result<std::string> parse_connector_name(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (text.size() > 100 || text.find_first_not_of(kAllowed) != std::string_view::npos)
    return make_error(ErrorCode::kConfig, "'" + std::string(text) +
                                              "' is no name of a connector; use up to 100 letters, "
                                              "digits, dots, dashes and underscores");
  return std::string(text);
}

Result<std::string> parse_kind(std::string_view text) {
  if (text == "kafka") return std::string(text);
  return make_error(ErrorCode::kConfig,
                    "there is no connector of kind '" + std::string(text) + "'; known is kafka");
}

Status read_tables(const Reader& reader, const YAML::Node& node, const std::string& path,
                   std::vector<std::string>& tables) {
  const std::string what = "a list of tables' names, such as [films]; leave it out for all tables";
  if (!node.IsSequence() || node.size() == 0) return reader.wrong_kind(node, path, what);
  for (const YAML::Node& table : node) {
    ASSIGN_OR_RETURN(std::string name, reader.text(table, path, what));
    tables.push_back(std::move(name));
  }
  return {};
}

Status read_properties(const Reader& reader, const YAML::Node& node, const std::string& path,
                       std::map<std::string, std::string>& properties) {
  if (!node.IsMap())
    return reader.wrong_kind(node, path, "a mapping of librdkafka's properties to their values");
  for (const auto& entry : node) {
    ASSIGN_OR_RETURN(std::string key, reader.key_of(entry.first));
    if (!entry.second.IsScalar())
      return reader.wrong_kind(entry.second, path + "." + key, "a single value");
    Status known = connectors::check_kafka_property(key, entry.second.Scalar());
    if (!known) {
      // librdkafka tells a wrong value from an unknown name only by its text, so both point at the
      // name.
      return reader.wrong(entry.first.Mark(),
                          "'" + path + "." + key + "': " + known.error().message);
    }
    properties[key] = entry.second.Scalar();
  }
  return {};
}

Status read_connector(const Reader& reader, const YAML::Node& node, const std::string& path,
                      std::vector<ConnectorConfig>& connectors) {
  ConnectorConfig connector;
  RETURN_IF_ERROR(reader.mapping(
      node, path,
      {
          {"name", reader.parsed<std::string>(connector.name, parse_connector_name, "a name")},
          {"kind", reader.parsed<std::string>(connector.kind, parse_kind, "a kind, such as kafka")},
          {"tables",
           [&](const YAML::Node& value, const std::string& full) {
             return read_tables(reader, value, full, connector.tables);
           }},
          {"brokers", reader.string(connector.brokers, "brokers, such as 127.0.0.1:9092")},
          {"topic", reader.string(connector.topic, "a topic's name")},
          {"from", reader.parsed<ConnectorConfig::From>(connector.from, parse_from,
                                                        "trim_horizon or latest")},
          {"properties",
           [&](const YAML::Node& value, const std::string& full) {
             return read_properties(reader, value, full, connector.properties);
           }},
      }));
  const std::pair<const char*, const std::string*> required[] = {
      {"name", &connector.name}, {"kind", &connector.kind}, {"brokers", &connector.brokers}};
  for (const auto& [key, value] : required) {
    if (value->empty())
      return reader.wrong(node.Mark(), "'" + path + "' has no '" + key + "'; add it");
  }
  for (const ConnectorConfig& other : connectors) {
    if (other.name == connector.name)
      return reader.wrong(node.Mark(), "'" + path + "' has the name of an earlier connector, '" +
                                           other.name +
                                           "'; give each its own, since it names the checkpoint");
  }
  connectors.push_back(std::move(connector));
  return {};
}

/// An address alone, or a mapping with it and what the port allows.
Status read_admin(const Reader& reader, const YAML::Node& node, const std::string& path,
                  Config& config) {
  const std::string what = "an address, HOST:PORT";
  if (!node.IsMap()) {
    return reader.parsed<Address>(config.admin, parse_address, what)(node, path);
  }
  return reader.mapping(
      node, path,
      {{"listen", reader.parsed<Address>(config.admin, parse_address, what)},
       {"allow_reset", reader.parsed<bool>(config.allow_reset, parse_bool, "true or false")}});
}

Status read_document(const Reader& reader, const YAML::Node& document, Config& config) {
  if (document.IsNull()) return {};  // an empty file: all defaults
  return reader.mapping(
      document, "",
      {
          {"listen", reader.parsed<Address>(config.listen, parse_address, "an address, HOST:PORT")},
          {"admin",
           [&](const YAML::Node& node, const std::string& path) {
             return read_admin(reader, node, path, config);
           }},
          {"data", reader.string(config.data, "a folder")},
          {"in_memory", reader.parsed<bool>(config.in_memory, parse_bool, "true or false")},
          {"threads", reader.parsed<size_t>(config.threads, parse_threads, "a number, 1 to 64")},
          {"durability",
           reader.parsed<Durability>(config.durability, parse_durability, "flush or none")},
          {"insecure_no_auth",
           reader.parsed<bool>(config.insecure_no_auth, parse_bool, "true or false")},
          {"log_format",
           reader.parsed<LogFormat>(config.log_format, parse_log_format, "text or json")},
          {"memory",
           [&](const YAML::Node& node, const std::string& path) {
             return reader.mapping(
                 node, path,
                 {{"bytes", reader.parsed<size_t>(config.memory_bytes, parse_memory, "a size")}});
           }},
          {"disk",
           [&](const YAML::Node& node, const std::string& path) {
             return reader.mapping(
                 node, path,
                 {{"bytes", reader.parsed<size_t>(config.disk_bytes, parse_disk, "a size")}});
           }},
          {"cache",
           [&](const YAML::Node& node, const std::string& path) {
             return reader.mapping(
                 node, path,
                 {{"bytes", reader.parsed<size_t>(config.cache_bytes, parse_size, "a size")}});
           }},
          {"connectors",
           [&](const YAML::Node& node, const std::string& path) -> Status {
             if (!node.IsSequence()) return reader.wrong_kind(node, path, "a list of connectors");
             for (size_t i = 0; i < node.size(); ++i) {
               RETURN_IF_ERROR(read_connector(reader, node[i], path + "[" + std::to_string(i) + "]",
                                              config.connectors));
             }
             return {};
           }},
      });
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, const std::string& name) {
  Reader reader(name);
  try {
    Config config;
    RETURN_IF_ERROR(read_document(reader, YAML::Load(std::string(yaml)), config));
    return config;
  } catch (const YAML::Exception& error) {
    return reader.wrong(error.mark, "this is not YAML: " + error.msg);
  }
}

Result<Config> read_config(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // An empty file sets the stream's failure bit too, but no error number: it means all defaults.
  if ((!file || !(text << file.rdbuf())) && errno != 0) {
    return make_error(ErrorCode::kConfig,
                      "cannot read the configuration " + path + ": " + std::strerror(errno));
  }
  return parse_config(text.str(), path);
}

}  // namespace millrace::sidecar
