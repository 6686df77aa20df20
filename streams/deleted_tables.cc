#include "streams/deleted_tables.h"

#include <algorithm>

namespace millrace::streams {
namespace {

class Forget final : public Command {
 public:
  explicit Forget(Generation generation)
      : key_(Catalog::key_of(Catalog::deleted_name(generation))) {}

  size_t bytes() const override { return key_.size() + sizeof *this; }
  // It changes what the catalogue publishes.
  bool alone() const override { return true; }
  void evaluate(Commit& commit) override {
    std::string image;
    auto exists = commit.get(key_, image);
    if (exists && *exists) commit.remove(key_, std::nullopt);
  }
  // If it failed the table is still there and comes up again.
  void done(const Status&) override {}

 private:
  const std::string key_;
};

}  // namespace

void DeletedTables::forget_due() {
  const int64_t now = node_.clock.wall_ms();
  const Lsn first = node_.engine.log().first_retained_lsn();
  std::map<Generation, Lsn> still_there;
  size_t forgotten = 0;
  for (const TablePtr& table : node_.catalog.all()) {
    TablePtr named = node_.catalog.find(table->name);
    if (named != nullptr && named->generation == table->generation) continue;
    auto seen = deleted_before_.find(table->generation);
    Lsn deleted_before =
        seen == deleted_before_.end() ? node_.engine.log().durable_lsn() : seen->second;
    still_there.emplace(table->generation, deleted_before);
    bool shown = std::any_of(table->streams.begin(), table->streams.end(),
                             [&](const auto& stream) { return streams_.shown(stream, now); });
    if (shown || first <= deleted_before || forgotten == kForgottenAtOnce) continue;
    ++forgotten;
    node_.submit(std::make_unique<Forget>(table->generation));
  }
  deleted_before_ = std::move(still_there);
}

}  // namespace millrace::streams
