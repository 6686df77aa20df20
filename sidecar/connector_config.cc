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

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";

Result<std::string> parse_zeromq_endpoint(std::string_view text) {
  // A path of a socket has 107 bytes at most.
  if (text.starts_with(kIpc) && text.size() > kIpc.size() && text.size() <= kIpc.size() + 107)
    return std::string(text);
  if (!text.starts_with(kTcp))
    return make_error(ErrorCode::kConfig,
                      "'" + std::string(text) +
                          "' is no endpoint; write for example tcp://127.0.0.1:5557, or "
                          "ipc:///run/millrace/films with a path of at most 107 bytes");
  ASSIGN_OR_RETURN(const Address address, parse_address(text.substr(kTcp.size())));
  if (address.port == 0)
    return make_error(ErrorCode::kConfig,
                      "'" + std::string(text) + "' has port 0; write the one to listen on");
  return std::string(kTcp) + address.text();
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

Result<Kind> kafka(const ConfigReader& reader, const YAML::Node&, const std::string&,
                   ConnectorConfig& connector) {
  auto& options = connector.target.emplace<connectors::KafkaOptions>();
  return Kind{{{"brokers", reader.string(options.brokers, "brokers, such as 127.0.0.1:9092")},
               {"topic", reader.string(options.topic, "a topic's name")},
               {"properties",
                [&reader, &options](const YAML::Node& node, const std::string& path) {
                  return read_pairs(reader, node, path,
                                    "a mapping of librdkafka's properties to their values",
                                    connectors::check_kafka_property, options.properties);
                }}},
              {"brokers"}};
}

Result<Kind> http(const ConfigReader& reader, const YAML::Node&, const std::string&,
                  ConnectorConfig& connector) {
  auto& options = connector.target.emplace<connectors::HttpOptions>();
  return Kind{
      {{"url", reader.parsed<connectors::HttpUrl>(options.url, connectors::parse_http_url,
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

/// Whatever `key` says of those that are known; other keys of the mapping depend on it.
template <typename T>
Result<T> read_choice(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                      const std::string& key, const std::vector<std::pair<std::string, T>>& known) {
  const YAML::Node chosen = node[key];
  if (!chosen) return reader.wrong(node.Mark(), "'" + path + "' has no '" + key + "'; add it");
  const std::string full = path + "." + key;
  ASSIGN_OR_RETURN(const std::string word,
                   reader.text(chosen, full, "a " + key + ", such as " + known.front().first));
  std::vector<std::string> words;
  for (const auto& [each, value] : known) {
    if (each == word) return value;
    words.push_back(each);
  }
  std::string message = "'" + full + "': there is no connector of " + key + " '" + word + "'";
  const std::string near = did_you_mean(word, words);
  if (!near.empty()) return reader.wrong(chosen.Mark(), message + "; did you mean '" + near + "'?");
  message += "; known are ";
  for (size_t i = 0; i < words.size(); ++i) message += (i == 0 ? "" : ", ") + words[i];
  return reader.wrong(chosen.Mark(), message);
}

Result<Kind> zeromq(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                    ConnectorConfig& connector) {
  using Mode = connectors::ZeroMqOptions::Mode;
  auto& options = connector.target.emplace<connectors::ZeroMqOptions>();
  ASSIGN_OR_RETURN(options.mode, (read_choice<Mode>(reader, node, path, "mode",
                                                    {{"pub", Mode::kPub}, {"push", Mode::kPush}})));
  auto endpoint = [&reader](std::string& out) {
    return reader.parsed<std::string>(out, parse_zeromq_endpoint,
                                      "an endpoint, such as tcp://127.0.0.1:5557");
  };
  Kind kind = {{{"mode", ConfigReader::known}, {"endpoint", endpoint(options.endpoint)}},
               {"endpoint"}};
  if (options.mode == Mode::kPub) {
    kind.fields.emplace_back("high_water_mark", reader.number(options.high_water_mark, 1, 100000));
    return kind;
  }
  kind.fields.emplace_back("acknowledgements", endpoint(options.acknowledgements));
  kind.fields.emplace_back("in_flight", reader.number(options.in_flight, 1, 10000));
  kind.fields.emplace_back("timeout_ms", reader.number(options.timeout_ms, 100, kTimeoutMsMax));
  kind.required.push_back("acknowledgements");
  return kind;
}

using MakeKind = Result<Kind> (*)(const ConfigReader& reader, const YAML::Node& node,
                                  const std::string& path, ConnectorConfig& connector);
const std::vector<std::pair<std::string, MakeKind>> kKinds = {
    {"kafka", kafka}, {"http", http}, {"zeromq", zeromq}};

Status read_connector(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                      ConnectorConfig& connector) {
  if (!node.IsMap()) return reader.wrong_kind(node, path, "a mapping of keys to values");
  ASSIGN_OR_RETURN(const MakeKind make_kind, read_choice(reader, node, path, "kind", kKinds));
  ASSIGN_OR_RETURN(Kind kind, make_kind(reader, node, path, connector));
  ConfigReader::Fields fields = {
      {"name", reader.parsed<std::string>(connector.name, parse_connector_name, "a name")},
      {"kind", ConfigReader::known},
      {"tables",
       [&](const YAML::Node& value, const std::string& full) {
         return read_tables(reader, value, full, connector.tables);
       }},
      {"from", reader.parsed<streams::StartAt>(connector.from, streams::StartAt::parse,
                                               "a place to begin, such as latest")},
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

bool is_loopback(const std::string& zeromq_endpoint) {
  if (!zeromq_endpoint.starts_with(kTcp)) return true;
  const Result<Address> address =
      parse_address(std::string_view(zeromq_endpoint).substr(kTcp.size()));
  return address && address->is_loopback();
}

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
