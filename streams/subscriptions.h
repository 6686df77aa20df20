#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/result.h"
#include "core/ops/operation.h"
#include "streams/consumer_group.h"
#include "streams/start_at.h"
#include "streams/subscription_definition.h"

namespace millrace::streams {

/// All named subscriptions of a node. step() and what changes definitions are called by one thread;
/// the rest by any. The node outlives it.
class Subscriptions {
 public:
  static constexpr size_t kSubscriptionsMax = 64;
  static constexpr size_t kShardsMax = 512;  // of all together

  Subscriptions(Node& node, Random random, GroupLimits limits = {});
  ~Subscriptions();

  /// Opens what the store has. Before any client is served, so that every change has its old image.
  Status open();

  using Done = std::function<void(const Status&)>;
  /// Each ends with a call of `done` by step(), or at once when refused: once the change is
  /// durable and find() tells of it. Errors: kValidation, kLimitExceeded, kResourceInUse (the name
  /// is taken by another definition; members are joined; another change of it is under way),
  /// kResourceNotFound, and those of reading the log.

  /// Of an equal definition that is there already, or on its way: success, and nothing happens.
  void create(SubscriptionDefinition definition, const StartAt& start, Done done);
  void remove(std::string_view name, Done done);
  /// Every shard goes on at `start`.
  void reset(std::string_view name, const StartAt& start, Done done);

  size_t changes_under_way() const { return changes_.size(); }

  std::shared_ptr<ConsumerGroup> find(std::string_view name) const;
  std::vector<std::shared_ptr<ConsumerGroup>> all() const;  // by name

  /// What they need of the log, also one of which a change is under way.
  std::vector<ReaderNeeds> needs() const;

  /// Completes changes of definitions, ends silent sessions, hands shards over. After every commit
  /// and several times a second.
  void step();

 private:
  class WriteItems;
  struct Change;
  void begin(Change change);
  Status may_change(std::string_view name) const;
  Result<Lsn> first_lsn(const StartAt& start, const SubscriptionDefinition& definition) const;
  Result<std::shared_ptr<ConsumerGroup>> open_group(SubscriptionDefinition definition);

  Node& node_;
  Random random_;
  const GroupLimits limits_;
  mutable std::mutex mutex_;   // guards what follows, but for reading of changes_ by its thread
  std::list<Change> changes_;  // under way; their groups are closed meanwhile
  std::map<std::string, std::shared_ptr<ConsumerGroup>, std::less<>> groups_;
};

}  // namespace millrace::streams
