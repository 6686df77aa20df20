#include "core/ops/table_removal.h"

#include <utility>
#include <vector>

#include "core/ops/backfill.h"
#include "core/ops/drops.h"

namespace millrace {

namespace {

// Tokens that one reset removes: far more than a test leaves, and a bounded entry of the log.
constexpr size_t kTokensMax = 100000;

class Reset final : public Command {
 public:
  Reset(const Catalog& catalog, const Engine& engine, std::function<void(Result<size_t>)> done)
      : catalog_(catalog), engine_(engine), done_(std::move(done)) {}

  size_t bytes() const override { return sizeof *this; }
  bool alone() const override { return true; }

  void evaluate(Commit& commit) override {
    for (const TablePtr& table : catalog_.tables()) {
      Table removed = *table;
      // Nobody is to find the streams of an earlier test either.
      removed.streams.clear();
      stage_table_removal(commit, removed);
      ++tables_;
    }
    // Evaluated alone, so the published view has every token.
    std::string begin;
    append_generation_prefix(kTokenGeneration, begin);
    auto range = engine_.view()->range(begin, prefix_successor(begin), false);
    for (size_t i = 0; i < kTokensMax && range->valid(); ++i, range->next()) {
      commit.remove(range->key(), std::nullopt);
    }
    failure_ = range->status();
  }

  void done(const Status& status) override {
    if (!status) return done_(status.error());
    if (!failure_) return done_(failure_.error());
    done_(tables_);
  }

 private:
  const Catalog& catalog_;
  const Engine& engine_;
  const std::function<void(Result<size_t>)> done_;
  size_t tables_ = 0;
  Status failure_;
};

}  // namespace

void stage_table_removal(Commit& commit, const Table& table) {
  Lsn lsn = commit.remove(Catalog::key_of(table.name), std::nullopt);
  Table removed = table;
  removed.attachments = {};
  removed.settings = {};
  // Its streams can be read until their records have gone, and a subscription that is behind will
  // yet meet its changes in the log.
  if (removed.enabled_stream() != nullptr) removed.streams.back().disable(lsn, commit.time_ms());
  commit.put(Catalog::key_of(Catalog::deleted_name(removed.generation)), Catalog::encode(removed),
             false, std::nullopt);
  stage_drop(commit, removed.generation, removed.name);
  for (const Index& index : removed.indexes) {
    index.status == IndexStatus::kActive ? stage_drop(commit, index.generation, removed.name)
                                         : stage_index_drop(commit, index.generation, removed.name);
  }
  if (removed.ttl) stage_index_drop(commit, removed.ttl->generation, removed.name);
}

std::unique_ptr<Command> reset_command(const Node& node,
                                       std::function<void(Result<size_t> tables)> done) {
  return std::make_unique<Reset>(node.catalog, node.engine, std::move(done));
}

}  // namespace millrace
