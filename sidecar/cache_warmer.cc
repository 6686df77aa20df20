#include "sidecar/cache_warmer.h"

#include <algorithm>

#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

/// Also where the cache is small.
constexpr size_t kFileBytesMin = 64u << 10;

constexpr const char* kNotWritten = "the cache's hot set could not be written";

cache::WarmRestartOptions options_of(const std::string& path, size_t cache_bytes,
                                     const Catalog& catalog) {
  cache::WarmRestartOptions options;
  options.path = path;
  options.file_bytes_max = std::clamp(cache_bytes / 16, kFileBytesMin, cache::kHotSetBytesMax);
  options.is_table = [&catalog](Generation generation) {
    const TablePtr table = catalog.find(generation);
    return table != nullptr && catalog.find(table->name) == table;
  };
  return options;
}

}  // namespace

CacheWarmer::CacheWarmer(cache::ItemCache& cache, Store store, Clock& clock)
    : path_(store.folder.path() + "/hot-set"),
      warm_restart_(cache, store.engine, store.disk, clock,
                    options_of(path_, cache.bytes_max(), store.catalog)),
      // A fifth of a millisecond's work in each 1.2.
      thread_({.name = "warm-restart", .idle_ms = 1000, .apart_us = 1000, .behind_answers = false},
              [this] {
                step();
                return false;  // woken when there is more
              }) {}

void CacheWarmer::start() {
  thread_.start();
  thread_.wake();
}

void CacheWarmer::step() {
  const bool was_done = progress().done;
  const Result<bool> more = warm_restart_.step();
  if (!more) {
    warn(was_done ? kNotWritten : "the cache starts cold, its hot set is not used", more.error());
  }
  const cache::WarmRestart::Progress now = progress();
  if (now.done && !was_done && now.keys > 0) {
    if (now.unread > 0) {
      warn("items of the cache's hot set could not be read", *warm_restart_.first_unread());
    }
    log_event(Severity::kInfo, "warm-restart",
              {{"keys", std::to_string(now.keys)},
               {"filled", std::to_string(now.filled)},
               {"unread", std::to_string(now.unread)}});
  }
  if (more && *more) thread_.wake();
}

void CacheWarmer::save() {
  const Status saved = warm_restart_.save();
  if (!saved) warn(kNotWritten, saved.error());
}

void CacheWarmer::warn(const char* what, const Error& error) const {
  log_event(Severity::kWarning, "warm-restart",
            {{"message", std::string(what) + ": " + error.message}, {"file", path_}});
}

}  // namespace millrace::sidecar
