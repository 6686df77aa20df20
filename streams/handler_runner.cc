#include "streams/handler_runner.h"

#include <algorithm>
#include <utility>

#include "streams/record.h"

namespace millrace::streams {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// A change keeps its whole frame in memory. With more of them nothing is read until some are done.
constexpr size_t kHeldBytesMax = 16u << 20;
// No longer is a change handed over without asking whether its shard is still held. Less than a
// shard waits for its handover, and than any session lasts.
constexpr int64_t kRenewalMs = 900;

std::optional<ItemView> image_of(const std::optional<std::string_view>& image) {
  if (!image) return std::nullopt;
  return ItemView(*image);
}

}  // namespace

HandlerRunner::HandlerRunner(std::shared_ptr<ConsumerGroup> group, ChangeHandler& handler,
                             const Clock& clock, HandlerRunnerOptions options)
    : group_(std::move(group)), handler_(handler), clock_(clock), options_(std::move(options)) {}

HandlerRunner::~HandlerRunner() { stop(); }

void HandlerRunner::stop() {
  if (!session_.empty()) group_->leave(session_);
  session_.clear();
  shards_.clear();
}

Status HandlerRunner::join() {
  shards_.clear();
  received_ = 0;
  ASSIGN_OR_RETURN(session_, group_->join(options_.member, options_.session_timeout_ms));
  return {};
}

Result<bool> HandlerRunner::step() {
  if (session_.empty()) RETURN_IF_ERROR(join());
  const bool had_room = has_room();
  auto more = read();
  if (!more && more.error().code == ErrorCode::kResourceNotFound) {
    // It was silent for too long, most probably within a handler.
    RETURN_IF_ERROR(join());
    more = read();
  }
  if (!more) return more;
  drop_lost();
  const int64_t now_ns = clock_.monotonic_ns();
  for (auto& [number, shard] : shards_) {
    if (now_ns < shard.resumes_ns) continue;
    Status handed = hand_over(shard);
    if (handed) continue;
    if (handed.error().code != ErrorCode::kResourceNotFound) return handed.error();
    // The session has ended, and with it every lease.
    session_.clear();
    shards_.clear();
    return true;
  }
  std::erase_if(shards_, [](const auto& each) { return each.second.batches.empty(); });
  return *more || (!had_room && has_room());
}

bool HandlerRunner::has_room() const {
  size_t bytes = 0;
  for (const auto& [number, shard] : shards_) {
    for (const ChangeBatch& batch : shard.batches) {
      for (const FramePtr& frame : batch.frames) bytes += frame->size();
    }
  }
  return bytes < kHeldBytesMax;
}

/// True if the tip was not reached. Without room it says no more than that the member lives.
Result<bool> HandlerRunner::read() {
  ASSIGN_OR_RETURN(ConsumerGroup::Delivery delivery,
                   group_->poll(session_, received_, has_room() ? options_.batch_records : 0,
                                options_.batch_bytes));
  received_ = delivery.number;
  renewed_ns_ = clock_.monotonic_ns();
  const bool more = !delivery.batches.empty() || delivery.more;
  for (LeasedBatch& leased : delivery.batches) {
    if (leased.batch.changes.empty()) continue;  // behind a gap, which the group counts
    Shard& shard = shards_[leased.lease.shard];
    if (!(shard.lease == leased.lease)) shard = {leased.lease, {}, 0, 0, 0};
    shard.batches.push_back(std::move(leased.batch));
  }
  return more;
}

/// Forgets what has become another member's.
void HandlerRunner::drop_lost() {
  const std::vector<Lease> leases = group_->leases(session_);
  std::erase_if(shards_, [&](const auto& each) {
    return std::find(leases.begin(), leases.end(), each.second.lease) == leases.end();
  });
}

/// Up to the first change that is to be tried again.
Status HandlerRunner::hand_over(Shard& shard) {
  Lsn done = 0;
  bool retry = false;
  while (!retry && !shard.batches.empty()) {
    if (clock_.monotonic_ns() - renewed_ns_ >= kRenewalMs * kNsPerMs) {
      RETURN_IF_ERROR(acknowledge(shard, std::exchange(done, 0)));
      continue;
    }
    const ChangeBatch& batch = shard.batches.front();
    const Change& change = batch.changes[shard.next];
    switch (handle(change)) {
      case ChangeHandler::Outcome::kRetry:
        ++statistics_.retried;
        retry = true;
        continue;
      case ChangeHandler::Outcome::kFailed:
        ++statistics_.failed;
        break;
      case ChangeHandler::Outcome::kDone:
        ++statistics_.done;
        break;
    }
    done = change.change.lsn;
    shard.pause_ms = 0;
    if (++shard.next < batch.changes.size()) continue;
    shard.batches.pop_front();
    shard.next = 0;
  }
  if (retry) {
    shard.pause_ms = std::clamp(shard.pause_ms * 2, options_.pause_ms_min, options_.pause_ms_max);
    shard.resumes_ns = clock_.monotonic_ns() + shard.pause_ms * kNsPerMs;
  }
  return done == 0 ? Status() : acknowledge(shard, done);
}

/// Of nothing (0): asks whether the shard is still held. What is not is dropped.
Status HandlerRunner::acknowledge(Shard& shard, Lsn done) {
  ASSIGN_OR_RETURN(const auto outcome, group_->acknowledge(session_, shard.lease, done));
  renewed_ns_ = clock_.monotonic_ns();
  if (outcome != ConsumerGroup::Acknowledged::kTaken) shard.batches.clear();
  return {};
}

ChangeHandler::Outcome HandlerRunner::handle(const Change& change) {
  const std::string key = key_item(*change.table, change.change.key);
  return handler_.handle({change.change.kind, *change.table, ItemView(key),
                          image_of(change.change.old_image), image_of(change.change.new_image),
                          change.change.lsn, change.entry.time_ms()});
}

}  // namespace millrace::streams
