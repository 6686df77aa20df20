#pragma once

#include <memory>
#include <string>

#include "connectors/connector.h"
#include "connectors/pump.h"
#include "core/base/clock.h"
#include "core/ops/operation.h"
#include "sidecar/config.h"
#include "sidecar/step_thread.h"
#include "streams/log_needs.h"
#include "streams/subscription.h"

namespace millrace::sidecar {

/// One connector of the configuration with all that drives it: its subscription, pump and thread.
/// The node and the clock outlive it.
class ConnectorRunner {
 public:
  /// Opens the subscription, before any client is served, so that no change is missed. kConfig if
  /// the connector's settings do not go together.
  static Result<std::unique_ptr<ConnectorRunner>> open(const ConnectorConfig& config, Node& node);
  ~ConnectorRunner();

  void start() { thread_.start(); }
  /// The log has grown.
  void wake() { thread_.wake(); }
  /// Takes what is on its way to its end, persists the position, and stops; before `deadline_ns` of
  /// the clock's monotonic time. Commits must still be made.
  void stop(int64_t deadline_ns);

  const std::string& name() const { return name_; }
  connectors::Pump::Metrics metrics(Lsn newest_lsn, int64_t newest_time_ms) const {
    return pump_.metrics(newest_lsn, newest_time_ms);
  }
  /// What of the log it still needs.
  streams::ReaderNeeds needs() const { return {subscription_->needs(), subscription_->tables()}; }

 private:
  ConnectorRunner(const ConnectorConfig& config, Node& node,
                  std::unique_ptr<streams::Subscription> subscription,
                  std::unique_ptr<connectors::Connector> connector);
  bool step();

  const std::string name_;
  Node& node_;
  const std::unique_ptr<streams::Subscription> subscription_;
  const std::unique_ptr<connectors::Connector> connector_;
  connectors::Pump pump_;
  StepThread thread_;
};

}  // namespace millrace::sidecar
