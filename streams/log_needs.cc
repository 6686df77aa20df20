#include "streams/log_needs.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace millrace::streams {
namespace {

class Needs {
 public:
  Needs(const Catalog& catalog, const std::vector<ReaderNeeds>& readers) {
    for (TablePtr& table : catalog.all()) tables_[table->generation].table = std::move(table);
    for (auto& [generation, of] : tables_) {
      for (const ReaderNeeds& reader : readers) {
        if (reader.tables.matches(of.table->name))
          of.read_from = std::min(of.read_from, reader.from);
      }
    }
  }

  bool needed(Generation generation, Lsn lsn) {
    if (generation < kFirstUserGeneration) return generation == kCatalogGeneration;
    if (generation != last_generation_) {
      auto found = tables_.find(generation);
      last_ = found == tables_.end() ? nullptr : &found->second;
      last_generation_ = generation;
    }
    return last_ != nullptr && (lsn >= last_->read_from || has_stream_over(*last_->table, lsn));
  }

 private:
  struct OfTable {
    TablePtr table;
    Lsn read_from = UINT64_MAX;
  };
  std::map<Generation, OfTable> tables_;
  Generation last_generation_ = 0;
  const OfTable* last_ = nullptr;
};

}  // namespace

bool has_stream_over(const Table& table, Lsn lsn) {
  return std::any_of(table.streams.begin(), table.streams.end(), [lsn](const auto& stream) {
    return stream.enabled_at < lsn && (!stream.disabled_at || lsn <= *stream.disabled_at);
  });
}

NeededChange needed_changes(const Catalog& catalog, const std::vector<ReaderNeeds>& readers) {
  auto needs = std::make_shared<Needs>(catalog, readers);
  return [needs](Generation generation, Lsn lsn) { return needs->needed(generation, lsn); };
}

}  // namespace millrace::streams
