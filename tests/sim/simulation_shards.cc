#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {

namespace {

constexpr const char* kTable = "items";

}  // namespace

void Simulation::change_shards() {
  const TablePtr table = node_->catalog().find(kTable);
  const StreamDefinition& stream = *table->enabled_stream();
  std::vector<const ShardDefinition*> open;
  for (const ShardDefinition& shard : stream.shards) {
    if (!shard.closed_at) open.push_back(&shard);
  }
  std::sort(open.begin(), open.end(),
            [](auto* one, auto* other) { return one->range.first < other->range.first; });
  const size_t chosen = random_.below(open.size());
  streams::LineageChange change = streams::RollOver{};
  switch (random_.below(4)) {
    case 0:
      change = streams::SplitShard{open[chosen]->name.ordinal, std::nullopt};
      break;
    case 1:
      if (chosen + 1 < open.size()) {
        change = streams::MergeShards{open[chosen]->name.ordinal, open[chosen + 1]->name.ordinal};
      }
      break;
    case 2:
      change = streams::TrimStream{follower_.read_through()};
      break;
    default:
      if (random_.one_in(2)) change = streams::RollOver{{open[chosen]->name.ordinal}};
  }
  // Outlives this call: the power may fail before the answer.
  auto done = std::make_shared<std::optional<Status>>();
  node_->lineage().submit({table->generation, stream.enabled_at}, std::move(change),
                          [done](const Result<TablePtr>& result) {
                            *done = result ? Status() : Status(result.error());
                          });
  for (int i = 0; i < 1000 && !*done && !disk_.power_lost(); ++i) {
    node_->step();
    if (!*done && !node_->maintain()) break;
  }
  if (disk_.power_lost()) return;
  require(done->has_value(), "a change of shards is not answered");
  // What order or a bound forbids is refused, and nothing else.
  require(**done || (*done)->error().code == ErrorCode::kValidation,
          "a change of shards fails: " + (**done ? "" : (*done)->error().message));
}

}  // namespace millrace::sim
