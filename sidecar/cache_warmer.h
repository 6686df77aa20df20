#pragma once

#include <string>

#include "cache/item_cache.h"
#include "cache/warm_restart.h"
#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/ops/catalog.h"
#include "core/store/data_folder.h"
#include "core/store/engine.h"
#include "sidecar/step_thread.h"

namespace millrace::sidecar {

/// The item cache's warm restart on a thread of its own, with its file in the data folder and what
/// goes wrong in the log.
class CacheWarmer {
 public:
  struct Store {
    Engine& engine;
    const Catalog& catalog;
    Disk& disk;
    const DataFolder& folder;
  };

  /// All outlive it.
  CacheWarmer(cache::ItemCache& cache, Store store, Clock& clock);

  void start();
  void stop() { thread_.stop(); }
  /// At the end of a run, after stop().
  void save();
  /// Any thread.
  cache::WarmRestart::Progress progress() const { return warm_restart_.progress(); }

 private:
  void step();
  void warn(const char* what, const Error& error) const;

  const std::string path_;
  cache::WarmRestart warm_restart_;
  StepThread thread_;
};

}  // namespace millrace::sidecar
