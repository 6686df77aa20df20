#pragma once

#include <map>
#include <string>

#include "cache/item_cache.h"
#include "cache/query_cache.h"
#include "core/ops/catalog.h"
#include "core/store/engine.h"

namespace millrace::sidecar {

/// The two caches of a node; null: it is switched off.
struct Caches {
  cache::ItemCache* items = nullptr;
  cache::QueryCache* pages = nullptr;
};

/// Tells the caches which tables have policies of their own, by their generations, whenever
/// definitions change. An observer that stands behind the catalogue and before the caches, so that
/// a table's policy is known before its first change is.
class CachePolicies final : public CommitObserver {
 public:
  using ByName = std::map<std::string, cache::TablePolicy>;

  /// The catalogue and the caches outlive it.
  CachePolicies(ByName policies, const Catalog& catalog, Caches caches);
  void on_commit(const FramePtr& frame) override;

  /// A line of the event log that names the tables which are not there: they may come, or their
  /// names may be mistaken. None if all are there.
  void log_absent() const;

 private:
  void tell();

  const ByName policies_;
  const Catalog& catalog_;
  const Caches caches_;
};

}  // namespace millrace::sidecar
