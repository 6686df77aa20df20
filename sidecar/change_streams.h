#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <string>

#include "core/net/admin_server.h"
#include "core/ops/catalog.h"
#include "core/store/engine.h"
#include "sidecar/step_thread.h"
#include "streams/change_feed.h"

namespace millrace::sidecar {

/// GET /v1/changes: changes as lines of JSON, for as long as the client stays. Parameters: `table`
/// (names separated by commas; none: all tables), `from` (as streams::StartAt; `latest` by default)
/// and `filter` (as streams::EventFilter). A stream that cannot go on ends with a line
/// `{"error":"..."}`; at an orderly stop it just ends. One thread serves all; a client that reads
/// slowly is not waited for, its stream just lags.
class ChangeStreams {
 public:
  /// `engine` and `catalog` outlive it.
  ChangeStreams(Engine& engine, const Catalog& catalog);
  ~ChangeStreams();

  void start() { thread_.start(); }
  /// Ends all streams, in order: with what there is by now, as far as their clients read it.
  void stop();
  /// The log has grown. Costs next to nothing while nobody listens.
  void wake() {
    if (open_.load(std::memory_order_relaxed) > 0) thread_.wake();
  }

  /// On the administrative server's thread.
  void open(const AdminRequest& request, AdminReply reply);

 private:
  struct Stream {
    streams::ChangeFeed feed;
    AdminReply reply;
  };

  bool step();
  bool advance(Stream& stream, bool& more);

  Engine& engine_;
  const Catalog& catalog_;
  std::mutex mutex_;           // guards opened_
  std::list<Stream> opened_;   // not yet taken by the thread
  std::list<Stream> streams_;  // the thread's own
  std::string lines_;          // reused
  std::atomic<size_t> open_{0};
  bool stopped_ = false;  // by stop()
  StepThread thread_;
};

}  // namespace millrace::sidecar
