#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/result.h"
#include "core/ops/operation.h"
#include "streams/lease.h"
#include "streams/log_needs.h"
#include "streams/subscription.h"
#include "streams/subscription_definition.h"

namespace millrace::streams {

struct GroupLimits {
  size_t members_max = 64;
  /// Handed out to a member and not acknowledged: at either it gets nothing more.
  size_t records_unacknowledged_max = 10000;
  size_t bytes_unacknowledged_max = 8u << 20;
  int64_t session_timeout_ms_min = 1000;
  int64_t session_timeout_ms_max = 300'000;
  /// How long a shard that is to move waits for what was handed out of it to be acknowledged.
  int64_t handover_ms = 5000;
};

/// Changes of one shard for the holder of its lease.
struct LeasedBatch {
  Lease lease;
  ChangeBatch batch;  // trimmed_below is set where the shard went on behind a gap
};

/// What an operator sees of a group.
struct GroupStatus {
  struct Shard {
    Lsn position = 0;         // done with up to here, durably
    int64_t position_ms = 0;  // the time of the last change done with, or when the tip was seen
    uint64_t epoch = 0;
    bool leased = false;
    std::string member;  // who has it, if leased
    size_t records_unacknowledged = 0;
    size_t bytes_unacknowledged = 0;
    uint64_t gaps = 0;
  };
  struct Member {
    std::string member;
    size_t shards = 0;
    int64_t silent_ms = 0;
  };
  std::vector<Shard> shards;
  std::vector<Member> members;
  uint64_t delivered = 0;  // handed out, repeats included
  uint64_t acknowledged = 0;
};

/// A named subscription's shards and the members who share them (README.md). Stepped: it owns no
/// thread, and time is the node's clock. Thread-safe. The node outlives it; its commands may
/// outlive it.
class ConsumerGroup {
 public:
  /// Opens the checkpoint of every shard; they were made with the definition.
  static Result<std::unique_ptr<ConsumerGroup>> open(Node& node, SubscriptionDefinition definition,
                                                     GroupLimits limits, uint64_t seed);
  ~ConsumerGroup();

  /// A new member; returns its session. `member` names it to people. It has its share of the
  /// shards as soon as others have given them up. kLimitExceeded, kValidation for the timeout.
  Result<std::string> join(std::string member, int64_t timeout_ms);
  /// Its shards go to others at once. Of a session that has ended: nothing happens.
  void leave(std::string_view session);
  /// Says that the member lives. kResourceNotFound: its session has ended, it has to join again.
  Status renew(std::string_view session);

  struct Delivery {
    uint64_t number = 0;  // rises with each that has batches
    std::vector<LeasedBatch> batches;
    bool more = false;  // the tip was not reached: poll again at once
  };
  /// The next changes of the member's shards, and renews its session. About `records_max` and
  /// `bytes_max`, less where the member has too much unacknowledged; none at the tip. `received` is
  /// the number of the last delivery that the member got whole (0: none yet): if that is not the
  /// last one made, it was lost on its way, and all that is unacknowledged is handed out again.
  /// Errors of reading, and as of renew().
  Result<Delivery> poll(std::string_view session, uint64_t received, size_t records_max,
                        size_t bytes_max);
  /// The leases that the member holds now. Of one that is not among them it gets nothing more, and
  /// its acknowledgements are refused.
  std::vector<Lease> leases(std::string_view session) const;

  enum class Acknowledged : uint8_t { kTaken, kLeaseLost, kNotHandedOut };
  /// The holder of `lease` is done with everything of it up to `lsn`. The position is durable once
  /// durable() says so. Renews the session; as renew() if it has ended.
  Result<Acknowledged> acknowledge(std::string_view session, Lease lease, Lsn lsn);
  /// Whether the checkpoint of a shard has reached `lsn`. Asks for it to be written if not.
  bool durable(uint32_t shard, Lsn lsn);

  /// Ends sessions that have fallen silent and hands shards over. To be called several times a
  /// second, and is cheap.
  void tick();

  const SubscriptionDefinition& definition() const { return definition_; }
  size_t member_count() const;
  /// What it still needs of the log.
  ReaderNeeds needs() const;

  GroupStatus status() const;

 private:
  struct Member;
  struct Shard;
  ConsumerGroup(Node& node, SubscriptionDefinition definition, GroupLimits limits, uint64_t seed);
  Result<Member*> find(std::string_view session);
  void end(Member& member);
  void share_out();
  void choose_moves();
  void take_back(Shard& shard);
  void release(Shard& shard);
  void grant(Shard& shard, Member& member);
  void hand_out(Member& member, Shard& shard, const ChangeBatch& batch);
  size_t shards_of(const Member& member) const;
  void tick_locked();

  Node& node_;
  const SubscriptionDefinition definition_;
  const GroupLimits limits_;
  mutable std::mutex mutex_;  // guards all below; the vector of shards itself never changes
  Random random_;
  std::vector<Shard> shards_;
  std::vector<std::unique_ptr<Member>> members_;  // in the order in which they joined
  uint64_t last_epoch_ = 0;
  uint64_t delivered_ = 0, acknowledged_ = 0;
};

}  // namespace millrace::streams
