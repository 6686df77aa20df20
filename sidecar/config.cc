#include "sidecar/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "core/ops/stream_definition.h"
#include "sidecar/config_reader.h"

namespace millrace::sidecar {
namespace {

/// An address alone, or a mapping with it and what the port allows.
Status read_admin(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                  Config& config) {
  const std::string what = "an address, HOST:PORT";
  if (!node.IsMap()) {
    return reader.parsed<Address>(config.admin, parse_address, what)(node, path);
  }
  return reader.mapping(
      node, path,
      {{"listen", reader.parsed<Address>(config.admin, parse_address, what)},
       {"allow_reset", reader.parsed<bool>(config.allow_reset, parse_bool, "true or false")},
       {"allow_stream_control",
        reader.parsed<bool>(config.allow_stream_control, parse_bool, "true or false")}});
}

Status read_streams(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                    StreamsConfig& streams) {
  const std::string duration = "a duration, 1m to 7d";
  std::optional<int64_t> shown_ms;
  const auto shown = [&](const YAML::Node& value, const std::string& name) -> Status {
    return reader.parsed<int64_t>(shown_ms.emplace(), parse_age, duration)(value, name);
  };
  RETURN_IF_ERROR(reader.mapping(
      node, path,
      {{"shards", reader.number(streams.shards, 1, StreamDefinition::kOpenShardsMax)},
       {"shard_age", reader.parsed<int64_t>(streams.shard_age_ms, parse_age, duration)},
       {"split_writes_per_second",
        reader.number(streams.split_writes_per_second, 1, 1'000'000'000)},
       {"retention", reader.parsed<int64_t>(streams.retention_ms, parse_age, duration)},
       {"shown", shown}}));
  if (shown_ms && *shown_ms > streams.retention_ms) {
    return reader.wrong(node["shown"].Mark(),
                        "'" + path + ".shown' is longer than '" + path +
                            ".retention', so the log would not have what is to be shown; raise "
                            "retention or lower shown");
  }
  streams.shown_ms = shown_ms.value_or(std::min(streams.shown_ms, streams.retention_ms));
  return {};
}

Status read_document(const ConfigReader& reader, const YAML::Node& document, Config& config) {
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
          {"region", reader.parsed<std::string>(config.region, parse_region, "a region")},
          {"account", reader.parsed<std::string>(config.account, parse_account, "12 digits")},
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
             return read_cache(reader, node, path, config.cache);
           }},
          {"streams",
           [&](const YAML::Node& node, const std::string& path) {
             return read_streams(reader, node, path, config.streams);
           }},
          {"connectors",
           [&](const YAML::Node& node, const std::string& path) {
             return read_connectors(reader, node, path, config.connectors);
           }},
      });
}

/// Where documents begin.
class DocumentStarts : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  const std::vector<Mark>& marks() const { return marks_; }

  void OnDocumentStart(const Mark& mark) override { marks_.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  std::vector<Mark> marks_;
};

/// YAML::Load() passes over what follows the first document.
Status check_one_document(const ConfigReader& reader, const std::string& yaml) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  DocumentStarts starts;
  while (starts.marks().size() < 2 && parser.HandleNextDocument(starts)) continue;
  if (starts.marks().size() < 2) return {};
  return reader.wrong(
      starts.marks()[1],
      "the first YAML document ends here, and what follows would not be read; put all into one");
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, const std::string& name) {
  ConfigReader reader(name);
  try {
    Config config;
    const std::string text(yaml);
    RETURN_IF_ERROR(check_one_document(reader, text));
    RETURN_IF_ERROR(read_document(reader, YAML::Load(text), config));
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
