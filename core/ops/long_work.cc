#include "core/ops/long_work.h"

#include <algorithm>
#include <utility>

#include "core/base/bytes.h"
#include "core/ops/expiry.h"

namespace millrace {

namespace {

// "Within seconds" of its time an item goes.
constexpr int64_t kExpiryIntervalNs = 1'000'000'000;
// What one step of a walk takes, times this, passes before the next walk.
constexpr int64_t kExpiryRestFactor = 20;

// While no client writes nobody waits behind a command, so it may do more for its flush.
constexpr WorkBounds kIdleBounds{512, 1 << 20};

// While clients write this work takes one part of the time in so many and one.
constexpr int64_t kRestFactor = 16;
// A disk that once stood still must not keep the work from going on.
constexpr int64_t kRestNsMax = 100'000'000;

}  // namespace

struct LongWork::Shared {
  std::mutex mutex;
  std::function<void()> wake;  // none: the work has ended
  bool under_way = false;      // commands are with the engine
  int64_t begun_ns = 0;        // when they were submitted
  int64_t took_ns = 0;         // the last ones, from then on
  Status failure;              // of such a command
};

LongWork::LongWork(Node& node, std::function<void()> wake)
    : node_(node), clock_(node.clock), shared_(std::make_shared<Shared>()) {
  shared_->wake = std::move(wake);
}

LongWork::~LongWork() {
  std::lock_guard lock(shared_->mutex);
  shared_->wake = nullptr;
}

std::shared_ptr<WorkTicket> LongWork::new_ticket() {
  return std::make_shared<WorkTicket>([shared = shared_, &clock = node_.clock](Status failure) {
    std::lock_guard lock(shared->mutex);
    // Of a step that found nothing to do nobody is told: it would be woken for ever.
    if (!std::exchange(shared->under_way, false)) return;
    shared->took_ns = clock.monotonic_ns() - shared->begun_ns;
    // What failed is tried again after a while. A full queue or disk is no failure of this work.
    if (!failure) {
      const ErrorCode code = failure.error().code;
      if (code != ErrorCode::kThrottling && code != ErrorCode::kRequestLimitExceeded)
        shared->failure = std::move(failure);
      return;
    }
    if (shared->wake) shared->wake();
  });
}

void LongWork::on_commit(const FramePtr& frame) {
  // A change of definitions is alone in its frame and begins with the catalogue's item.
  const std::string_view key = (*(*frame->begin()).begin()).key;
  if (key.size() < 8 || get_big_endian64(key.data()) != kCatalogGeneration) return;
  definitions_changed_.store(true, std::memory_order_release);
  std::lock_guard lock(shared_->mutex);
  if (shared_->wake) shared_->wake();
}

// What the catalogue says now may be newer than the view that a step takes. That does no harm: all
// before a definition is published before it is evaluated, and so is in the view.
void LongWork::refresh() {
  backfills_ = backfill_targets(node_.catalog);
  // All walk anew: which of them are new does not matter.
  expiring_.clear();
  for (const TablePtr& table : node_.catalog.tables()) {
    if (table->ttl) expiring_.push_back({table, {}, true});
  }
  expiry_due_ns_ = 0;
}

Status LongWork::step() {
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->under_way) return {};
    if (Status failure = std::exchange(shared_->failure, {}); !failure) return failure;
  }
  if (definitions_changed_.exchange(false, std::memory_order_acquire)) refresh();
  // Held until all are submitted, so that they do not end, and wake this, before.
  const std::shared_ptr<WorkTicket> ticket = new_ticket();
  ASSIGN_OR_RETURN(Commands commands, next_commands(ticket));
  if (commands.empty())
    return node_.catalog.sizes().count_some(*node_.engine.view(), node_.clock.monotonic_ns());
  {
    std::lock_guard lock(shared_->mutex);
    shared_->under_way = true;
    shared_->begun_ns = node_.clock.monotonic_ns();
  }
  for (auto& command : commands) node_.submit(std::move(command));
  return {};
}

int64_t LongWork::rest_ns() const {
  if (!clients_write()) return 0;
  std::lock_guard lock(shared_->mutex);
  return std::min(kRestFactor * shared_->took_ns, kRestNsMax);
}

bool LongWork::clients_write() const {
  // The last step's own ones, of which there are at most three, pass for one client's.
  return node_.engine.statistics().commands - commands_seen_ > 3;
}

WorkBounds LongWork::bounds() {
  const bool busy = clients_write();
  commands_seen_ = node_.engine.statistics().commands;
  return busy ? WorkBounds{} : kIdleBounds;
}

Result<LongWork::Commands> LongWork::next_commands(const std::shared_ptr<WorkTicket>& ticket) {
  const WorkBounds bounds = this->bounds();
  backfill_first_ = !backfill_first_;
  Commands commands;
  for (bool backfill : {backfill_first_, !backfill_first_}) {
    ASSIGN_OR_RETURN(commands,
                     backfill ? next_of_backfill(ticket, bounds) : next_of_expiry(ticket, bounds));
    if (commands.empty()) continue;
    (backfill ? backfill_steps_ : expiry_steps_).fetch_add(1, std::memory_order_relaxed);
    break;
  }
  return commands;
}

Result<LongWork::Commands> LongWork::next_of_backfill(const std::shared_ptr<WorkTicket>& ticket,
                                                      WorkBounds bounds) {
  if (backfills_.empty()) return Commands();
  const BackfillTarget& target = backfills_[next_backfill_++ % backfills_.size()];
  return backfill_commands(target, *node_.engine.view(), node_.catalog, bounds, ticket);
}

// Walks begin anew when all have ended and a second has passed. A walk begins with what earlier
// ones have deleted, of which LevelDB may know for a while: where that takes long they begin less
// often.
void LongWork::begin_expiry() {
  const int64_t now_ns = node_.clock.monotonic_ns();
  if (now_ns < expiry_due_ns_) return;
  for (const Expiring& each : expiring_) {
    if (!each.walked) return;
  }
  for (Expiring& each : expiring_) each = {std::move(each.table), {}, false};
  expiry_second_ = node_.clock.wall_ms() / 1000;
  expiry_due_ns_ = now_ns + kExpiryIntervalNs;
}

Result<LongWork::Commands> LongWork::next_of_expiry(const std::shared_ptr<WorkTicket>& ticket,
                                                    WorkBounds bounds) {
  Commands commands;
  if (clock_.is_off()) return commands;
  begin_expiry();
  for (size_t looked_at = 0; commands.empty() && looked_at < expiring_.size(); ++looked_at) {
    Expiring& current = expiring_[next_expiring_++ % expiring_.size()];
    if (current.walked) continue;
    const std::string begin = std::exchange(current.next, {});
    // Until it is known where it goes on, so that a table that cannot be read does not keep the
    // others from it.
    current.walked = true;
    const int64_t began_ns = node_.clock.monotonic_ns();
    ASSIGN_OR_RETURN(ExpiryStep step,
                     expiry_step(*current.table, begin, expiry_second_, *node_.engine.view(),
                                 node_.catalog, bounds, ticket));
    const int64_t ended_ns = node_.clock.monotonic_ns();
    expiry_due_ns_ = std::max(expiry_due_ns_, ended_ns + kExpiryRestFactor * (ended_ns - began_ns));
    current.walked = step.next.empty();
    current.next = std::move(step.next);
    if (step.command) commands.push_back(std::move(step.command));
  }
  return commands;
}

}  // namespace millrace
