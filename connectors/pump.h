#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "connectors/ticket_ring.h"
#include "core/base/clock.h"
#include "core/base/random.h"
#include "core/base/result.h"
#include "streams/subscription.h"

namespace millrace::connectors {

struct PumpOptions {
  /// Not yet acknowledged, at most: beyond either the pump reads no further. A power of two.
  size_t records_in_flight_max = 32768;
  size_t bytes_in_flight_max = 16u << 20;
  /// Read and handed over at once.
  size_t batch_records = 1000;
  size_t batch_bytes = 1u << 20;
  /// The pause after a failure doubles from the one to the other; half of it is random.
  int64_t backoff_ms_min = 100;
  int64_t backoff_ms_max = 30000;
  /// A peer that asks for a longer pause gets it up to here.
  int64_t retry_after_ms_max = 300000;
  /// A complaint is repeated this often at most.
  int64_t trouble_interval_ms = 30000;
};

/// What an operator should read.
struct PumpNotice {
  bool error = false;
  std::string text;
};

/// Carries the changes of one subscription to one connector (README.md). Stepped by one thread;
/// metrics() may be called from any. The subscription, connector and clock outlive it.
class Pump {
 public:
  Pump(streams::Subscription& subscription, Connector& connector, const Clock& clock, Random random,
       PumpOptions options, std::function<void(const PumpNotice&)> notify);

  enum class Outcome : uint8_t {
    kBusy,      // there is more to do at once
    kInFlight,  // all is handed over, or the connector is full: step again, and let it wait
    kIdle,      // nothing to do before the log grows, or before a pause after a failure ends
    kEnded,     // it has failed for good, as was notified
  };
  /// Takes acknowledgements, waiting for them up to `wait_ms` if there is nothing else to do, moves
  /// the checkpoint, reads and delivers one batch.
  Outcome step(int wait_ms);

  /// From now on nothing more is read: further steps only take acknowledgements.
  void stop_reading();
  /// Nothing is on its way.
  bool drained() const { return ring_.empty(); }

  struct Metrics {
    uint64_t delivered = 0;  // acknowledged without a gap
    uint64_t retried = 0;    // handed over again after a failure
    uint64_t failures = 0;
    size_t records_in_flight = 0;
    size_t bytes_in_flight = 0;
    uint64_t lag_records = 0;
    double lag_seconds = 0;
    bool ended = false;
    bool failing = false;  // in a pause after a failure, or trying again what failed
  };
  /// `newest_lsn`, `newest_time_ms`: of the last durable entry.
  Metrics metrics(Lsn newest_lsn, int64_t newest_time_ms) const;

 private:
  bool pausing() const;
  void take_progress();
  void fail(const Error& error, int64_t retry_after_ms = 0);
  Outcome read();
  Outcome deliver();
  size_t window() const;
  void complain(const std::string& trouble);
  void publish_in_flight();

  streams::Subscription& subscription_;
  Connector& connector_;
  const Clock& clock_;
  Random random_;
  const PumpOptions options_;
  const std::function<void(const PumpNotice&)> notify_;

  TicketRing ring_;
  Progress progress_;  // reused
  streams::ChangeBatch batch_;
  std::vector<Record> records_;  // of batch_
  size_t handed_over_ = 0;       // of records_
  bool reading_ = true;
  Outcome last_ = Outcome::kIdle;

  // After a failure, until what failed first is delivered.
  uint32_t attempts_ = 0;
  Lsn failed_lsn_ = 0;
  int64_t resume_ns_ = 0;
  std::string last_failure_;
  int64_t complained_ns_ = 0;
  bool has_complained_ = false;

  std::atomic<uint64_t> delivered_{0}, retried_{0}, failures_{0};
  std::atomic<size_t> records_in_flight_{0}, bytes_in_flight_{0};
  std::atomic<int64_t> acknowledged_time_ms_{0};  // everything up to this time is delivered
  std::atomic<bool> ended_{false}, failing_{false};
};

}  // namespace millrace::connectors
