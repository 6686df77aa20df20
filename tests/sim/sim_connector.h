#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "core/base/random.h"
#include "tests/sim/model.h"

namespace millrace::sim {

/// A peer that outlives the node, behind a connector that does not: it takes what it likes,
/// acknowledges late and in any order, and fails. What has reached the peer is held against the
/// model.
class SimPeer {
 public:
  explicit SimPeer(const Model& model, const std::vector<Lsn>& lsns) : model_(model), lsns_(lsns) {}

  void receive(const Key& key, Lsn lsn);
  /// Nothing is missing, and the newest of each item came last.
  void check_complete() const;

 private:
  const Model& model_;
  const std::vector<Lsn>& lsns_;
  std::map<Lsn, size_t> times_;
  std::map<Key, Lsn> newest_;
};

class SimConnector final : public connectors::Connector {
 public:
  /// `early`: acknowledges what the peer does not have yet.
  SimConnector(SimPeer& peer, Random& random, bool early)
      : peer_(peer), random_(random), early_(early) {}

  Result<size_t> deliver(std::span<const connectors::Record> records) override;
  void poll(int wait_ms, connectors::Progress& progress) override;
  void flush() override {}
  void reset() override;

  /// No more failures: the run is to come to its end.
  void behave() { behaves_ = true; }

 private:
  struct Sent {
    uint64_t ticket;
    Key key;
    Lsn lsn;
  };
  SimPeer& peer_;
  Random& random_;
  const bool early_;
  std::deque<Sent> on_the_way_;     // taken, not yet with the peer
  std::vector<uint64_t> received_;  // with the peer, not yet acknowledged
  bool failed_ = false;
  bool behaves_ = false;
};

}  // namespace millrace::sim
