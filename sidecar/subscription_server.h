#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/net/admin_server.h"
#include "core/ops/operation.h"
#include "sidecar/log_keeper.h"
#include "sidecar/step_thread.h"
#include "sidecar/subscription_requests.h"
#include "streams/subscriptions.h"

namespace millrace::sidecar {

/// The requests under /v1/subscriptions (README.md): one thread answers them all, beside the
/// administrative server's, since they read the log and wait for checkpoints and changes.
class SubscriptionServer {
 public:
  /// Being worked on or waiting, at most: beyond this a request is answered 503.
  static constexpr size_t kRequestsMax = 128;

  /// All outlive it.
  SubscriptionServer(Node& node, streams::Subscriptions& subscriptions, const NewestEntry& newest);
  ~SubscriptionServer();

  struct Route {
    const char* method;
    const char* path;
  };
  static const std::vector<Route>& routes();
  /// On the administrative server's thread: a request for one of routes().
  void receive(const AdminRequest& request, AdminReply reply);

  void start() { thread_.start(); }
  void stop() { thread_.stop(); }
  /// The log has grown. Costs next to nothing while no request waits.
  void wake() {
    if (waiting_.load() > 0) thread_.wake();
  }

 private:
  using SharedReply = std::shared_ptr<AdminReply>;
  struct Received {
    AdminRequest request;
    SharedReply reply;
  };
  struct Poll {
    PollRequest request;
    SharedReply reply;
    int64_t deadline_ns;
  };
  struct Acknowledgement {
    AcknowledgeRequest request;
    std::string refused;                          // objects of JSON, separated by commas
    std::vector<std::pair<uint32_t, Lsn>> moved;  // to become durable
    SharedReply reply;
    int64_t deadline_ns;
  };
  using Group = std::shared_ptr<streams::ConsumerGroup>;

  bool step();
  void count_waiting();
  void handle(const AdminRequest& request, const SharedReply& reply);
  void create(const AdminRequest& request, const SharedReply& reply);
  void remove(const AdminRequest& request, const SharedReply& reply);
  void reset(const AdminRequest& request, const SharedReply& reply);
  void join(const AdminRequest& request, const SharedReply& reply);
  void leave(const AdminRequest& request, const SharedReply& reply);
  void poll(const AdminRequest& request, const SharedReply& reply);
  void acknowledge(const AdminRequest& request, const SharedReply& reply);
  void list(const AdminRequest& request, const SharedReply& reply);
  Result<Group> find(const std::string& name) const;
  bool advance(Poll& poll, bool& more);
  bool advance(Acknowledgement& acknowledgement);

  Node& node_;
  streams::Subscriptions& subscriptions_;
  const NewestEntry& newest_;
  std::mutex mutex_;                // guards received_
  std::vector<Received> received_;  // not yet taken by the thread
  std::atomic<size_t> waiting_{0};  // requests that have been taken and not answered
  std::list<Poll> polls_;           // the thread's own, as the next
  std::list<Acknowledgement> acknowledgements_;
  StepThread thread_;
};

}  // namespace millrace::sidecar
