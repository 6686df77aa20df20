#include "streams/consumer_group.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace millrace::streams {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// Log that one poll passes over all shards, about: others of the node's members wait for it.
constexpr size_t kLogBytesPerPoll = 4u << 20;

size_t bytes_of(const ChangeView& change) {
  return change.key.size() + (change.new_image ? change.new_image->size() : 0) +
         (change.old_image ? change.old_image->size() : 0);
}

}  // namespace

struct ConsumerGroup::Member {
  std::string session;
  std::string name;
  int64_t timeout_ns = 0;
  int64_t heard_ns = 0;
  uint64_t deliveries = 0;
  size_t next_shard = 0;  // where its next poll begins
  size_t records = 0;     // unacknowledged
  size_t bytes = 0;
};

struct ConsumerGroup::Shard {
  struct HandedOut {
    Lsn lsn;
    int64_t time_ms;
    size_t bytes;
  };
  std::unique_ptr<Subscription> reader;
  Member* owner = nullptr;
  uint64_t epoch = 0;  // of the last grant
  bool moving = false;
  int64_t moves_ns = 0;              // at the latest
  std::deque<HandedOut> handed_out;  // in the order of their LSNs
  Lsn last_handed_out = 0;           // under this lease
  int64_t position_ms = 0;
};

Result<std::unique_ptr<ConsumerGroup>> ConsumerGroup::open(Node& node,
                                                           SubscriptionDefinition definition,
                                                           GroupLimits limits, uint64_t seed) {
  std::unique_ptr<ConsumerGroup> group(
      new ConsumerGroup(node, std::move(definition), limits, seed));
  const SubscriptionDefinition& defined = group->definition_;
  std::shared_ptr<const EventFilter> events;
  if (!defined.filter.empty()) {
    ASSIGN_OR_RETURN(
        events, EventFilter::parse(defined.filter, node.catalog.region(), node.catalog.account()));
  }
  group->shards_.resize(defined.shards);
  for (uint32_t i = 0; i < defined.shards; ++i) {
    SubscriptionOptions options;
    options.name = shard_checkpoint_name(defined.name, i);
    options.tables = defined.tables;
    options.range = equal_range(i, defined.shards);
    options.events = events;
    options.old_images = true;
    options.go_on_when_trimmed = true;
    Shard& shard = group->shards_[i];
    ASSIGN_OR_RETURN(shard.reader, Subscription::open(node, std::move(options)));
    // Where nothing is known of the last change done with, the next one is as good.
    Log& log = node.engine.log();
    auto next = log.frame_holding(std::max(shard.reader->needs(), log.first_retained_lsn()));
    shard.position_ms = next && *next != nullptr ? (*next)->last_time_ms() : node.clock.wall_ms();
  }
  return group;
}

ConsumerGroup::ConsumerGroup(Node& node, SubscriptionDefinition definition, GroupLimits limits,
                             uint64_t seed)
    : node_(node), definition_(std::move(definition)), limits_(limits), random_(seed) {}

ConsumerGroup::~ConsumerGroup() = default;

Result<std::string> ConsumerGroup::join(std::string member, int64_t timeout_ms) {
  if (timeout_ms < limits_.session_timeout_ms_min || timeout_ms > limits_.session_timeout_ms_max) {
    return validation_error("timeout_ms is " + std::to_string(limits_.session_timeout_ms_min) +
                            " to " + std::to_string(limits_.session_timeout_ms_max));
  }
  std::lock_guard lock(mutex_);
  tick_locked();
  if (members_.size() >= limits_.members_max) {
    return make_error(ErrorCode::kLimitExceeded, "subscription '" + definition_.name + "' has " +
                                                     std::to_string(members_.size()) +
                                                     " members, which is the most");
  }
  auto joined = std::make_unique<Member>();
  char session[33];
  std::snprintf(session, sizeof session, "%016llx%016llx",
                static_cast<unsigned long long>(random_.next()),
                static_cast<unsigned long long>(random_.next()));
  joined->session = session;
  joined->name = std::move(member);
  joined->timeout_ns = timeout_ms * kNsPerMs;
  joined->heard_ns = node_.clock.monotonic_ns();
  members_.push_back(std::move(joined));
  share_out();
  return std::string(session);
}

Result<ConsumerGroup::Member*> ConsumerGroup::find(std::string_view session) {
  for (const auto& member : members_) {
    if (member->session != session) continue;
    member->heard_ns = node_.clock.monotonic_ns();
    return member.get();
  }
  return make_error(ErrorCode::kResourceNotFound,
                    "subscription '" + definition_.name +
                        "' has no such session: it has ended, or the sidecar was started "
                        "again; join again");
}

void ConsumerGroup::leave(std::string_view session) {
  std::lock_guard lock(mutex_);
  if (auto member = find(session)) end(**member);
}

/// Takes its shards away and forgets it.
void ConsumerGroup::end(Member& member) {
  for (Shard& shard : shards_) {
    if (shard.owner == &member) release(shard);
  }
  std::erase_if(members_, [&](const auto& each) { return each.get() == &member; });
  share_out();
}

Status ConsumerGroup::renew(std::string_view session) {
  std::lock_guard lock(mutex_);
  tick_locked();
  RETURN_IF_ERROR(find(session));
  return {};
}

void ConsumerGroup::tick() {
  std::lock_guard lock(mutex_);
  tick_locked();
}

void ConsumerGroup::tick_locked() {
  const int64_t now_ns = node_.clock.monotonic_ns();
  for (size_t i = 0; i < members_.size();) {
    Member& member = *members_[i];
    if (now_ns - member.heard_ns < member.timeout_ns) {
      ++i;
    } else {
      end(member);
    }
  }
  share_out();
}

size_t ConsumerGroup::shards_of(const Member& member) const {
  return static_cast<size_t>(std::count_if(
      shards_.begin(), shards_.end(), [&](const Shard& shard) { return shard.owner == &member; }));
}

/// Marks shards that a member has beyond its share. Who has most keeps the larger shares, so that
/// as few as possible move.
void ConsumerGroup::choose_moves() {
  std::vector<std::pair<size_t, Member*>> by_shards;
  for (const auto& member : members_) by_shards.emplace_back(shards_of(*member), member.get());
  std::stable_sort(by_shards.begin(), by_shards.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const int64_t moves_ns = node_.clock.monotonic_ns() + limits_.handover_ms * kNsPerMs;
  for (size_t i = 0; i < by_shards.size(); ++i) {
    const size_t share = shards_.size() / members_.size() + (i < shards_.size() % members_.size());
    size_t surplus = by_shards[i].first - std::min(by_shards[i].first, share);
    // What moves already goes on moving, so that a shard's wait is not begun again.
    for (bool already : {true, false}) {
      for (Shard& shard : shards_) {
        if (shard.owner != by_shards[i].second || shard.moving != already) continue;
        shard.moving = surplus > 0;
        if (!shard.moving) continue;
        --surplus;
        if (!already) shard.moves_ns = moves_ns;
      }
    }
  }
}

void ConsumerGroup::share_out() {
  if (members_.empty()) return;
  choose_moves();
  const int64_t now_ns = node_.clock.monotonic_ns();
  for (Shard& shard : shards_) {
    if (shard.moving && (shard.handed_out.empty() || now_ns >= shard.moves_ns)) release(shard);
  }
  for (Shard& shard : shards_) {
    if (shard.owner != nullptr) continue;
    auto fewest = std::min_element(
        members_.begin(), members_.end(),
        [this](const auto& a, const auto& b) { return shards_of(*a) < shards_of(*b); });
    grant(shard, **fewest);
  }
}

/// What was handed out and not acknowledged will be handed out again.
void ConsumerGroup::take_back(Shard& shard) {
  for (const Shard::HandedOut& handed : shard.handed_out) {
    --shard.owner->records;
    shard.owner->bytes -= handed.bytes;
  }
  shard.handed_out.clear();
  shard.last_handed_out = 0;
  shard.reader->rewind();
}

void ConsumerGroup::release(Shard& shard) {
  take_back(shard);
  shard.owner = nullptr;
  shard.moving = false;
}

void ConsumerGroup::grant(Shard& shard, Member& member) {
  shard.owner = &member;
  shard.epoch = ++last_epoch_;
}

std::vector<Lease> ConsumerGroup::leases(std::string_view session) const {
  std::lock_guard lock(mutex_);
  std::vector<Lease> leases;
  for (uint32_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].owner != nullptr && shards_[i].owner->session == session)
      leases.push_back({i, shards_[i].epoch});
  }
  return leases;
}

Result<ConsumerGroup::Delivery> ConsumerGroup::poll(std::string_view session, uint64_t received,
                                                    size_t records_max, size_t bytes_max) {
  std::lock_guard lock(mutex_);
  tick_locked();
  ASSIGN_OR_RETURN(Member* const member, find(session));
  if (received != member->deliveries) {
    for (Shard& shard : shards_) {
      if (shard.owner == member) take_back(shard);
    }
  }
  Delivery delivery;
  size_t records = 0, bytes = 0, log_bytes = 0;
  for (size_t n = 0; n < shards_.size(); ++n) {
    const size_t i = (member->next_shard + n) % shards_.size();
    Shard& shard = shards_[i];
    if (shard.owner != member || shard.moving) continue;
    if (records >= records_max || bytes >= bytes_max || log_bytes >= kLogBytesPerPoll ||
        member->records >= limits_.records_unacknowledged_max ||
        member->bytes >= limits_.bytes_unacknowledged_max) {
      member->next_shard = i;  // so that none waits for ever behind the others
      delivery.more |= log_bytes >= kLogBytesPerPoll;
      break;
    }
    auto batch = shard.reader->poll(
        std::min(records_max - records, limits_.records_unacknowledged_max - member->records),
        std::min(bytes_max - bytes, limits_.bytes_unacknowledged_max - member->bytes));
    if (!batch) {
      if (delivery.batches.empty()) return batch.error();
      break;  // what was read is handed out; the error comes again
    }
    delivery.more |= batch->more;
    log_bytes += batch->log_bytes;
    records += batch->changes.size();
    bytes += batch->bytes;
    hand_out(*member, shard, *batch);
    if (!batch->changes.empty() || batch->trimmed_below != 0) {
      delivery.batches.push_back(
          {{static_cast<uint32_t>(i), shard.epoch}, std::move(batch).value()});
    }
  }
  if (!delivery.batches.empty()) ++member->deliveries;
  delivery.number = member->deliveries;
  return delivery;
}

void ConsumerGroup::hand_out(Member& member, Shard& shard, const ChangeBatch& batch) {
  for (const Change& change : batch.changes) {
    const size_t bytes = bytes_of(change.change);
    shard.handed_out.push_back({change.change.lsn, change.entry.time_ms(), bytes});
    ++member.records;
    member.bytes += bytes;
    ++delivered_;
    shard.last_handed_out = change.change.lsn;
  }
  if (shard.handed_out.empty() && !batch.more) shard.position_ms = node_.clock.wall_ms();
}

Result<ConsumerGroup::Acknowledged> ConsumerGroup::acknowledge(std::string_view session,
                                                               Lease lease, Lsn lsn) {
  std::lock_guard lock(mutex_);
  tick_locked();
  ASSIGN_OR_RETURN(Member* const member, find(session));
  if (lease.shard >= shards_.size()) return Acknowledged::kLeaseLost;
  Shard& shard = shards_[lease.shard];
  if (shard.owner != member || shard.epoch != lease.epoch) return Acknowledged::kLeaseLost;
  if (lsn > shard.last_handed_out) return Acknowledged::kNotHandedOut;
  while (!shard.handed_out.empty() && shard.handed_out.front().lsn <= lsn) {
    const Shard::HandedOut& handed = shard.handed_out.front();
    shard.position_ms = handed.time_ms;
    --member->records;
    member->bytes -= handed.bytes;
    ++acknowledged_;
    shard.handed_out.pop_front();
  }
  shard.reader->acknowledge(lsn);
  shard.reader->flush();
  if (shard.moving) share_out();
  return Acknowledged::kTaken;
}

bool ConsumerGroup::durable(uint32_t shard, Lsn lsn) {
  Subscription& reader = *shards_[shard].reader;
  if (reader.persisted() >= lsn) return true;
  reader.flush();
  return reader.persisted() >= lsn;
}

size_t ConsumerGroup::member_count() const {
  std::lock_guard lock(mutex_);
  return members_.size();
}

ReaderNeeds ConsumerGroup::needs() const {
  Lsn lowest = UINT64_MAX;
  for (const Shard& shard : shards_) lowest = std::min(lowest, shard.reader->needs());
  return {lowest, shards_.front().reader->tables()};
}

GroupStatus ConsumerGroup::status() const {
  std::lock_guard lock(mutex_);
  GroupStatus status;
  for (const Shard& shard : shards_) {
    GroupStatus::Shard& shown = status.shards.emplace_back();
    shown.position = shard.reader->persisted();
    shown.position_ms = shard.position_ms;
    shown.epoch = shard.epoch;
    shown.leased = shard.owner != nullptr;
    if (shown.leased) shown.member = shard.owner->name;
    shown.records_unacknowledged = shard.handed_out.size();
    for (const Shard::HandedOut& handed : shard.handed_out)
      shown.bytes_unacknowledged += handed.bytes;
    shown.gaps = shard.reader->gaps();
  }
  const int64_t now_ns = node_.clock.monotonic_ns();
  for (const auto& member : members_) {
    status.members.push_back(
        {member->name, shards_of(*member), (now_ns - member->heard_ns) / kNsPerMs});
  }
  status.delivered = delivered_;
  status.acknowledged = acknowledged_;
  return status;
}

}  // namespace millrace::streams
