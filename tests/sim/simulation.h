#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/pump.h"
#include "core/base/random.h"
#include "streams/subscription.h"
#include "tests/sim/history.h"
#include "tests/sim/log_checker.h"
#include "tests/sim/model.h"
#include "tests/sim/sim_connector.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/stream_follower.h"

namespace millrace::sim {

/// A fault built in on purpose, to show that the checks find it.
enum class Planted {
  kNone,
  kUnsyncedLog,  // answers do not wait for the disk
  kStaleItems,   // the item cache is not told of commits
  kStalePages,   // the query cache is not told of commits
  kEarlyAcks,    // the checkpoint runs ahead of delivery
  kUnseeded,     // what happens does not depend on the seed alone
};

/// A node's life from one seed: random operations, commits, maintenance, slow followers, crashes
/// and recovery in random order, every answer and every durable change checked. Throws Failure.
class Simulation {
 public:
  explicit Simulation(uint64_t seed, Planted planted = Planted::kNone);
  void run(int steps);

  struct Counts {
    uint64_t writes = 0, reads = 0, crashes = 0, changes = 0;
    uint64_t item_hits = 0, page_hits = 0;
    uint64_t warmed = 0;     // items that came back into the cache after a crash
    uint64_t refused = 0;    // writes, by a full or failing disk
    uint64_t damaged = 0;    // reads that met a changed bit
    uint64_t expired = 0;    // of them those that an expired item answered
    uint64_t rewritten = 0;  // segments of the log
  };
  Counts counts() const;
  /// Hashes of all that the disk was asked for and the node answered, before each step and at the
  /// end: the same in every run of a seed.
  const std::vector<uint64_t>& history() const { return history_; }

 private:
  // A write on its way.
  struct Pending {
    std::string expected_error;  // "" for success
    std::string expected_body;   // "" for any
    uint64_t operation = 0;      // of its changes in the model; 0: it makes none
    size_t changes_through = 0;  // model changes that its answer depends on
    bool answered = false;
    bool refused = false;  // while the disk fails
    bool writes = false;   // the model has changes of it
    bool puts = false;     // and an item with a new value is among them
  };

  void boot();
  void create_tables();
  /// CreateTable's members for the indexes that the table has from its beginning.
  static std::string index_members();
  void open_pump();
  void crash();
  void one_step();
  void settle();
  void note();
  Status trim();
  Status rewrite();

  // Faults of the disk.
  void quiesce();
  bool write_under_fault();
  void live_with_fault(int steps);
  void recover();
  void fill_disk();
  void fail_sync();
  void flip_bit();
  void get_beside_damage(const Key& key, const std::string& more);

  // Writes.
  void put();
  void put_beside();
  void put_if_absent();
  void put_same();
  void update();
  void remove();
  void transact();
  void batch();
  void write_request(const std::string& operation, const std::string& body, Pending pending);
  void check_answer(Pending& pending, const SimNode::Answer& answer);
  bool is_behind_expiry(const Pending& pending) const;

  // Indexes and expiry.
  void work_long();
  void change_index();
  void change_ttl();
  /// Changes the table's definition; false if the power went.
  bool change_definition(const std::string& operation, const std::string& body);
  /// Every index has exactly the entries that the items say; one being filled none that they do
  /// not.
  void check_indexes();

  /// Splits, merges, rolls over or trims the table's stream.
  void change_shards();

  // Reads.
  /// Runs a read until it is answered: it may only wait for another read whose fill is held back.
  SimNode::Answer read(const std::string& operation, const std::string& body);
  void get();
  void query();
  void query_index();
  void scan_all();
  void transact_get();
  void batch_get();
  /// Appends a page's items; returns the member that asks for the next page, or "".
  std::string append_page(const std::string& operation, const std::string& body,
                          std::vector<std::string>& items);

  static constexpr uint64_t kPartitions = 5;
  static constexpr uint64_t kSorts = 6;
  Key random_key();
  Item random_item();
  std::optional<Item> submitted(const Key& key) const;

  const Planted planted_;
  Random random_;
  ManualClock clock_;
  SimDisk disk_;
  NodeOptions options_;
  bool with_stream_;
  Model model_;
  LogChecker checker_;
  StreamFollower follower_;
  SimPeer peer_;
  History answers_;
  std::vector<uint64_t> history_;

  std::unique_ptr<SimNode> node_;
  std::unique_ptr<streams::Subscription> subscription_;
  std::unique_ptr<SimConnector> connector_;
  std::unique_ptr<connectors::Pump> pump_;

  std::vector<std::shared_ptr<Pending>> pending_;
  bool under_fault_ = false;
  bool refused_without_power_ = false;  // a write, since the power was lost
  // The changes that answers since then stand for: whether they are durable the log tells after the
  // start, since nothing can read it before.
  size_t answered_without_power_ = 0;
  Lsn newest_read_ = 0;  // that an answer told
  uint64_t next_value_ = 1;
  uint64_t next_operation_ = 1;
  Counts counts_;
};

}  // namespace millrace::sim
