#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "connectors/http.h"
#include "connectors/kafka.h"
#include "connectors/zeromq.h"
#include "core/base/result.h"
#include "streams/start_at.h"

namespace YAML {
class Node;
}

namespace millrace::sidecar {

class ConfigReader;

/// One of the configuration's `connectors`.
struct ConnectorConfig {
  std::string name;                 // unique; names its checkpoint
  std::vector<std::string> tables;  // none: all
  streams::StartAt from;            // where it begins when it has no checkpoint
  /// Where it delivers to: the kind's options, but for what the node knows (region and account).
  std::variant<connectors::KafkaOptions, connectors::HttpOptions, connectors::ZeroMqOptions> target;
};

/// Whether only this machine can reach a ZeroMQ endpoint that parse_zeromq_endpoint gave.
bool is_loopback(const std::string& zeromq_endpoint);

/// Reads the list under `connectors`.
Status read_connectors(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                       std::vector<ConnectorConfig>& connectors);

}  // namespace millrace::sidecar
