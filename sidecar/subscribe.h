#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "sidecar/config.h"
#include "sidecar/subscription_client.h"

namespace millrace::sidecar {

/// `millrace subscribe NAME --exec HANDLER ...`
struct SubscribeOptions {
  std::string name;
  Address admin{"127.0.0.1", 8001};
  std::optional<SubscriptionClient::Creation> creation;  // none: it must be there
  std::vector<std::string> handler;                      // program and arguments
  int64_t timeout_ms = 30'000;                           // for the verdict on one event
  int64_t session_timeout_ms = 10'000;  // after which a member that fell silent loses its shards
  uint64_t attempts_max = 0;            // then an event has failed; 0: without end
  std::string failed;                   // a file for events that failed; empty: none
};

/// Joins the subscription and gives its handler event after event (README.md, "Handlers"), until
/// SIGTERM or SIGINT. Then what is under way is taken to its end and acknowledged: success. While
/// the sidecar is away it tries again, but for the first time. kConfig when the handler cannot be
/// run.
Status subscribe(const SubscribeOptions& options);

}  // namespace millrace::sidecar
