#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "tests/sim/model.h"
#include "tests/sim/sim_node.h"

namespace millrace::sim {

/// Reads the table's stream through the Streams API, slowly and in any order of shards that begins
/// none before its parent is read, over crashes, splits, merges, rollovers and trims, and holds
/// what it gets against the model: every change exactly once, in order per item, with identifiers
/// and boundaries that never change.
class StreamFollower {
 public:
  StreamFollower(const Model& model, const std::vector<Lsn>& lsns, std::string table)
      : model_(model), lsns_(lsns), table_(std::move(table)) {}

  /// Reads one page of one shard.
  void read_some(SimNode& node, Random& random);
  /// Reads all shards to their tips and checks that nothing is missing.
  void read_all(SimNode& node);
  /// Iterators survive a crash, being signed by the folder's key; sometimes they are thrown away.
  void after_crash(Random& random);
  /// The last LSN of which this and all before have been read.
  Lsn read_through() const;

 private:
  struct Shard {
    std::string id, parent;
    std::string first, last;  // sequence numbers; `last` once it is closed
    std::string iterator;
    std::string last_sequence_number;
    bool drained = false;
  };

  void describe(SimNode& node);
  void note(Shard found);
  void check_children(SimNode& node, const Shard& parent);
  /// Shards that have more, or may have, and whose parents have been read.
  std::vector<Shard*> readable();
  std::string iterator_of(SimNode& node, const Shard& shard);
  size_t read_page(SimNode& node, Shard& shard, size_t limit);
  void check_record(std::string_view record, Shard& shard);

  const Model& model_;
  const std::vector<Lsn>& lsns_;
  const std::string table_;
  std::string arn_;
  std::map<std::string, Shard> shards_;
  std::map<std::string, size_t> index_by_sequence_number_;
  std::map<Key, size_t> next_of_key_;  // position within the key's changes
  size_t records_ = 0;
};

}  // namespace millrace::sim
