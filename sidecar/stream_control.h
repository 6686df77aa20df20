#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "core/base/result.h"
#include "core/net/admin_server.h"
#include "core/ops/catalog.h"
#include "streams/lineage_control.h"
#include "streams/streams.h"

namespace millrace::sidecar {

/// What the administrative port does to streams where the configuration allows it (README.md):
/// splits, merges and rollovers of shards, trimming, and the end of all iterators.
class StreamControl {
 public:
  /// All outlive it. `wake` has step() called soon.
  StreamControl(const Catalog& catalog, streams::Streams& streams, streams::LineageControl& lineage,
                std::function<void()> wake)
      : catalog_(catalog), streams_(streams), lineage_(lineage), wake_(std::move(wake)) {}

  /// The paths that answer() knows.
  static const std::vector<std::string>& paths();

  /// Answers a POST to one of paths(), at once or from step(). Any thread.
  void answer(const AdminRequest& request, AdminReply reply);

  /// Submits one change that waits, since looking through the index takes time. True if more wait.
  bool step();

 private:
  struct Change {
    streams::StreamKey stream;
    streams::LineageChange change;
    AdminReply reply;
  };
  Result<streams::Stream> find_stream(const AdminRequest& request) const;

  const Catalog& catalog_;
  streams::Streams& streams_;
  streams::LineageControl& lineage_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::deque<Change> waiting_;  // guarded by mutex_; as many as the port has connections, at most
};

}  // namespace millrace::sidecar
