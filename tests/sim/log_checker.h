#pragma once

#include <memory>
#include <optional>

#include "core/store/log.h"
#include "tests/sim/model.h"
#include "tests/sim/sim_node.h"

namespace millrace::sim {

/// Follows the log as any follower does, and holds every durable change against the model:
/// invariants 1 (with Simulation's check of answers), 2, 3 and 5. It survives crashes; the log must
/// go on where it was.
class LogChecker {
 public:
  LogChecker(Model& model, std::string table) : model_(model), table_(std::move(table)) {}

  /// Reads to the tip, confirming changes.
  void catch_up(SimNode& node);
  /// A crash: the cursor is gone.
  void lose_cursor() { cursor_.reset(); }

  Lsn last_lsn() const { return last_lsn_; }
  /// LSNs of the model's durable changes.
  const std::vector<Lsn>& lsns() const { return lsns_; }

 private:
  void check_entry(const EntryView& entry, Generation generation);
  void check_change(const ChangeView& change);

  Model& model_;
  const std::string table_;
  std::optional<LogCursor> cursor_;
  Lsn last_lsn_ = 0;
  int64_t last_time_ms_ = 0;
  std::vector<Lsn> lsns_;
};

}  // namespace millrace::sim
