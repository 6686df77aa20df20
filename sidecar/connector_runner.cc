#include "sidecar/connector_runner.h"

#include <chrono>
#include <thread>
#include <utility>
#include <variant>

#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

// How long a step waits for acknowledgements: the most by which a change that was committed in the
// meantime is read later than it could be.
constexpr int kAcknowledgementWaitMs = 5;

// Subscriptions of connectors share one name space with others that may come.
std::string subscription_name(const ConnectorConfig& config) { return "connector/" + config.name; }

using ConnectorPtr = std::unique_ptr<connectors::Connector>;

/// Makes the connector of a kind's options.
struct MakeConnector {
  const ConnectorConfig& config;
  const Node& node;

  Result<ConnectorPtr> operator()(connectors::KafkaOptions options) const {
    options.region = node.catalog.region();
    options.account = node.catalog.account();
    ASSIGN_OR_RETURN(ConnectorPtr connector, connectors::KafkaConnector::open(std::move(options)));
    return connector;
  }
  Result<ConnectorPtr> operator()(connectors::HttpOptions options) const {
    options.connector = config.name;
    options.region = node.catalog.region();
    options.account = node.catalog.account();
    return ConnectorPtr(std::make_unique<connectors::HttpConnector>(std::move(options)));
  }
  Result<ConnectorPtr> operator()(connectors::ZeroMqOptions options) const {
    return connectors::open_zeromq(std::move(options), node.clock);
  }
};

Result<ConnectorPtr> make_connector(const ConnectorConfig& config, const Node& node) {
  Result<ConnectorPtr> connector = std::visit(MakeConnector{config, node}, config.target);
  if (connector) return connector;
  return make_error(connector.error().code,
                    "connector '" + config.name + "': " + connector.error().message);
}

/// After a failure a pump narrows what is on its way from the size of a batch down to one record.
connectors::PumpOptions pump_options(const ConnectorConfig& config) {
  connectors::PumpOptions options;
  if (auto* http = std::get_if<connectors::HttpOptions>(&config.target))
    options.batch_records = http->batch.records;
  if (auto* zeromq = std::get_if<connectors::ZeroMqOptions>(&config.target))
    options.batch_records = zeromq->in_flight;
  return options;
}

}  // namespace

Result<std::unique_ptr<ConnectorRunner>> ConnectorRunner::open(const ConnectorConfig& config,
                                                               Node& node) {
  ASSIGN_OR_RETURN(ConnectorPtr connector, make_connector(config, node));
  streams::SubscriptionOptions options;
  options.name = subscription_name(config);
  options.tables = config.tables;
  options.start = config.from;
  options.old_images = true;
  ASSIGN_OR_RETURN(std::unique_ptr<streams::Subscription> subscription,
                   streams::Subscription::open(node, std::move(options)));
  return std::unique_ptr<ConnectorRunner>(
      new ConnectorRunner(config, node, std::move(subscription), std::move(connector)));
}

ConnectorRunner::ConnectorRunner(const ConnectorConfig& config, Node& node,
                                 std::unique_ptr<streams::Subscription> subscription,
                                 std::unique_ptr<connectors::Connector> connector)
    : name_(config.name),
      node_(node),
      subscription_(std::move(subscription)),
      connector_(std::move(connector)),
      pump_(*subscription_, *connector_, node.clock, Random(random_seed()), pump_options(config),
            [this](const connectors::PumpNotice& notice) {
              log_event(notice.error ? Severity::kWarning : Severity::kInfo, "connector",
                        {{"name", name_}, {"message", notice.text}});
            }),
      thread_({.name = "connector", .idle_ms = 200, .apart_us = 5000}, [this] { return step(); }) {}

ConnectorRunner::~ConnectorRunner() = default;

bool ConnectorRunner::step() {
  using Outcome = connectors::Pump::Outcome;
  Outcome outcome = pump_.step(kAcknowledgementWaitMs);
  return outcome == Outcome::kBusy || outcome == Outcome::kInFlight;
}

void ConnectorRunner::stop(int64_t deadline_ns) {
  thread_.stop();
  pump_.stop_reading();
  while (!pump_.drained() && node_.clock.monotonic_ns() < deadline_ns) {
    if (pump_.step(kAcknowledgementWaitMs) == connectors::Pump::Outcome::kIdle) break;
  }
  Lsn position = subscription_->position();
  // The position is written by the network threads' next commit. A flush does nothing while an
  // earlier position is on its way, so it is asked for again.
  for (subscription_->flush();
       subscription_->persisted() < position && node_.clock.monotonic_ns() < deadline_ns;
       subscription_->flush()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!pump_.drained()) {
    log_event(Severity::kWarning, "connector",
              {{"name", name_},
               {"message",
                "not everything was acknowledged in time; it is sent again at the next start"}});
  }
}

}  // namespace millrace::sidecar
