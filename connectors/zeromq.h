#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "connectors/connector.h"
#include "core/base/clock.h"
#include "core/base/result.h"

namespace millrace::connectors {

struct ZeroMqOptions {
  enum class Mode : uint8_t {
    kPub,   // PUB: every subscriber that keeps up gets every change; nobody acknowledges
    kPush,  // PUSH: one of the workers gets each change and acknowledges it
  };
  Mode mode = Mode::kPub;
  std::string endpoint;  // bound: tcp://IP:PORT or ipc://PATH
  /// Of kPub: messages that wait for one subscriber, beyond which it misses some.
  int high_water_mark = 1000;

  // Of kPush.
  std::string acknowledgements;  // bound: the endpoint of the PULL socket that takes them
  size_t in_flight = 100;        // changes that are not acknowledged, at most
  int timeout_ms = 30000;        // after which a change that is not acknowledged is sent again
};

/// Sends each change as a message of two frames, the table's name and the change in the form of
/// streams/change_feed.h (README.md, "ZeroMQ"). Binds at once: kUnavailable if that fails. The
/// clock outlives it. Each function is called by one thread at a time; a hand-over to another
/// thread needs what a thread's start or join gives.
Result<std::unique_ptr<Connector>> open_zeromq(ZeroMqOptions options, const Clock& clock);

}  // namespace millrace::connectors
