#include "sidecar/connector_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "sidecar/config.h"
#include "sidecar/config_reader.h"

namespace millrace::sidecar {
namespace {

// As Lambda's event source mappings have them.
constexpr uint64_t kBatchRecordsMax = 10000;
constexpr uint64_t kTimeoutMsMax = 900000;

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

/// Of a batch's body: what is less holds hardly a record, what is more no receiver takes.
Result<size_t> parse_batch_bytes(std::string_view text) {
  ASSIGN_OR_RETURN(const size_t bytes, parse_size(text));
  if (bytes >= 1u << 10 && bytes <= 16u << 20) return bytes;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) + "' is no size of a batch; write 1KB to 16MB");
}

Status read_tables(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                   std::vector<std::string>& tables) {
  const std::string what = "a list of tables' names, such as [films]; leave it out for all tables";
  if (!node.IsSequence() || node.size() == 0) return reader.wrong_kind(node, path, what);
  for (const YAML::Node& table : node) {
    ASSIGN_OR_RETURN(std::string name, reader.text(table, path, what));
    tables.push_back(std::move(name));
  }
  return {};
}

using Check = Status (*)(const std::string& name, const std::string& value);

/// A mapping of names to single values, each checked. What a value is never shows in an error that
/// is made here.
Status read_pairs(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                  const std::string& what, Check check, std::map<std::string, std::string>& pairs) {
  if (!node.IsMap()) return reader.wrong_kind(node, path, what);
  for (const auto& entry : node) {
    ASSIGN_OR_RETURN(std::string key, reader.key_of(entry.first));
    if (!entry.second.IsScalar())
      return reader.wrong_kind(entry.second, path + "." + key, "a single value");
    Status known = check(key, entry.second.Scalar());
    if (!known) {
      // librdkafka tells a wrong value from an unknown name only by its text, so both point at the
      // name.
      return reader.wrong(entry.first.Mark(),
                          "'" + path + "." + key + "': " + known.error().message);
    }
    pairs[key] = entry.second.Scalar();
  }
  return {};
}

/// The keys of one kind of connector beside those that all have.
struct Kind {
  ConfigReader::Fields fields;
  std::vector<std::string> required;
};

Kind kafka(const ConfigReader& reader, ConnectorConfig& connector) {
  auto& options = connector.target.emplace<connectors::KafkaOptions>();
  return {{{"brokers", reader.string(options.brokers, "brokers, such as 127.0.0.1:9092")},
           {"topic", reader.string(options.topic, "a topic's name")},
           {"properties",
            [&reader, &options](const YAML::Node& node, const std::string& path) {
              return read_pairs(reader, node, path,
                                "a mapping of librdkafka's properties to their values",
                                connectors::check_kafka_property, options.properties);
            }}},
          {"brokers"}};
}

Kind http(const ConfigReader& reader, ConnectorConfig& connector) {
  auto& options = connector.target.emplace<connectors::HttpOptions>();
  return {{{"url", reader.parsed<connectors::HttpUrl>(options.url, connectors::parse_http_url,
                                                      "a URL, such as "
                                                      "http://127.0.0.1:8080/changes")},
           {"headers",
            [&reader, &options](const YAML::Node& node, const std::string& path) {
              return read_pairs(
                  reader, node, path, "a mapping of headers to their values",
                  [](const std::string& name, const std::string& value) {
                    return connectors::check_http_header(name, value);
                  },
                  options.headers);
            }},
           {"batch_records", reader.number(options.batch.records, 1, kBatchRecordsMax)},
           {"batch_bytes", reader.parsed<size_t>(options.batch.bytes, parse_batch_bytes, "a size")},
           {"timeout_ms", reader.number(options.timeout_ms, 100, kTimeoutMsMax)}},
          {"url"}};
}

using MakeKind = Kind (*)(const ConfigReader& reader, ConnectorConfig& connector);
const std::vector<std::pair<std::string, MakeKind>> kKinds = {{"kafka", kafka}, {"http", http}};

/// What the entry `kind` says, which the other entries depend on.
Result<MakeKind> read_kind(const ConfigReader& reader, const YAML::Node& node,
                           const std::string& path) {
  const YAML::Node kind = node["kind"];
  if (!kind) return reader.wrong(node.Mark(), "'" + path + "' has no 'kind'; add it");
  const std::string full = path + ".kind";
  ASSIGN_OR_RETURN(const std::string name, reader.text(kind, full, "a kind, such as kafka"));
  std::vector<std::string> known;
  for (const auto& [each, make] : kKinds) {
    if (each == name) return make;
    known.push_back(each);
  }
  std::string message = "'" + full + "': there is no connector of kind '" + name + "'";
  const std::string near = did_you_mean(name, known);
  if (!near.empty()) return reader.wrong(kind.Mark(), message + "; did you mean '" + near + "'?");
  message += "; known are ";
  for (size_t i = 0; i < known.size(); ++i) message += (i == 0 ? "" : ", ") + known[i];
  return reader.wrong(kind.Mark(), message);
}

Status read_connector(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                      ConnectorConfig& connector) {
  if (!node.IsMap()) return reader.wrong_kind(node, path, "a mapping of keys to values");
  ASSIGN_OR_RETURN(const MakeKind make_kind, read_kind(reader, node, path));
  Kind kind = make_kind(reader, connector);
  ConfigReader::Fields fields = {
      {"name", reader.parsed<std::string>(connector.name, parse_connector_name, "a name")},
      {"kind", [](const YAML::Node&, const std::string&) { return Status(); }},
      {"tables",
       [&](const YAML::Node& value, const std::string& full) {
         return read_tables(reader, value, full, connector.tables);
       }},
      {"from",
       reader.parsed<ConnectorConfig::From>(connector.from, parse_from, "trim_horizon or latest")},
  };
  std::move(kind.fields.begin(), kind.fields.end(), std::back_inserter(fields));
  RETURN_IF_ERROR(reader.mapping(node, path, fields));
  kind.required.insert(kind.required.begin(), "name");
  for (const std::string& key : kind.required) {
    if (!node[key]) return reader.wrong(node.Mark(), "'" + path + "' has no '" + key + "'; add it");
  }
  return {};
}

}  // namespace

Status read_connectors(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                       std::vector<ConnectorConfig>& connectors) {
  if (!node.IsSequence()) return reader.wrong_kind(node, path, "a list of connectors");
  for (size_t i = 0; i < node.size(); ++i) {
    const std::string full = path + "[" + std::to_string(i) + "]";
    ConnectorConfig connector;
    RETURN_IF_ERROR(read_connector(reader, node[i], full, connector));
    for (const ConnectorConfig& other : connectors) {
      if (other.name == connector.name)
        return reader.wrong(node[i].Mark(),
                            "'" + full + "' has the name of an earlier connector, '" + other.name +
                                "'; give each its own, since it names the checkpoint");
    }
    connectors.push_back(std::move(connector));
  }
  return {};
}

}  // namespace millrace::sidecar
