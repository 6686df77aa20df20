#include "connectors/pump.h"

#include <algorithm>
#include <utility>

namespace millrace::connectors {
namespace {

size_t bytes_of(const ChangeView& change) {
  return change.key.size() + (change.new_image ? change.new_image->size() : 0) +
         (change.old_image ? change.old_image->size() : 0);
}

}  // namespace

Pump::Pump(streams::Subscription& subscription, Connector& connector, const Clock& clock,
           Random random, PumpOptions options, std::function<void(const PumpNotice&)> notify)
    : subscription_(subscription),
      connector_(connector),
      clock_(clock),
      random_(random),
      options_(options),
      notify_(std::move(notify)),
      ring_(options.records_in_flight_max) {}

Pump::Outcome Pump::step(int wait_ms) {
  if (ended_.load(std::memory_order_relaxed)) return Outcome::kEnded;
  connector_.poll(last_ == Outcome::kInFlight ? wait_ms : 0, progress_);
  take_progress();
  if (ended_.load(std::memory_order_relaxed)) return last_ = Outcome::kEnded;
  if (pausing()) return last_ = Outcome::kIdle;
  if (handed_over_ == records_.size() && reading_) {
    Outcome outcome = read();
    if (outcome != Outcome::kBusy) return last_ = outcome;
  }
  if (handed_over_ < records_.size() && reading_) return last_ = deliver();
  return last_ = ring_.empty() ? Outcome::kIdle : Outcome::kInFlight;
}

bool Pump::pausing() const { return attempts_ > 0 && clock_.monotonic_ns() < resume_ns_; }

void Pump::take_progress() {
  for (uint64_t ticket : progress_.acknowledged) ring_.acknowledge(ticket);
  TicketRing::Slot slot;
  uint64_t popped = 0;
  while (ring_.pop_acknowledged(slot)) ++popped;
  if (popped > 0) {
    subscription_.acknowledge(slot.lsn);
    acknowledged_time_ms_.store(slot.time_ms, std::memory_order_relaxed);
    delivered_.fetch_add(popped, std::memory_order_relaxed);
    publish_in_flight();
    if (attempts_ > 0 && slot.lsn >= failed_lsn_) {
      attempts_ = 0;
      failing_.store(false, std::memory_order_relaxed);
      has_complained_ = false;
      notify_({false, "delivers again"});
    }
  }
  if (!progress_.trouble.empty()) complain(progress_.trouble);
  if (!progress_.failure) fail(progress_.failure.error(), progress_.retry_after_ms);
  progress_.clear();
}

/// Everything that is not acknowledged will be delivered again from the first of it on, which keeps
/// the order of each item's changes.
void Pump::fail(const Error& error, int64_t retry_after_ms) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  failing_.store(true, std::memory_order_relaxed);
  failed_lsn_ = subscription_.position() + 1;
  retried_.fetch_add(ring_.size(), std::memory_order_relaxed);
  connector_.reset();
  ring_.clear();
  records_.clear();
  batch_ = {};
  handed_over_ = 0;
  subscription_.rewind();
  publish_in_flight();
  if (error.code != ErrorCode::kUnavailable) {
    ended_.store(true, std::memory_order_relaxed);
    notify_({true, error.message});
    return;
  }
  int64_t pause_ms = options_.backoff_ms_max;
  if (attempts_ < 20) pause_ms = std::min(pause_ms, options_.backoff_ms_min << attempts_);
  pause_ms =
      pause_ms / 2 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(pause_ms / 2 + 1)));
  pause_ms = std::max(pause_ms, std::min(retry_after_ms, options_.retry_after_ms_max));
  resume_ns_ = clock_.monotonic_ns() + pause_ms * 1000000;
  ++attempts_;
  complain(error.message);
}

Pump::Outcome Pump::read() {
  size_t limit = window();
  if (ring_.size() >= limit || ring_.bytes() >= options_.bytes_in_flight_max)
    return Outcome::kInFlight;
  Result<streams::ChangeBatch> batch = subscription_.poll(
      std::min(options_.batch_records, limit - ring_.size()),
      std::min(options_.batch_bytes, options_.bytes_in_flight_max - ring_.bytes()));
  if (!batch) {
    // The disk may come back; what the log no longer holds, or what is damaged, does not.
    Error error = batch.error();
    if (error.code == ErrorCode::kIo) error.code = ErrorCode::kUnavailable;
    fail(error);
    return ended_.load(std::memory_order_relaxed) ? Outcome::kEnded : Outcome::kIdle;
  }
  batch_ = std::move(batch).value();
  handed_over_ = 0;
  records_.clear();
  for (const streams::Change& change : batch_.changes) {
    records_.push_back(
        {ring_.next() + records_.size(), change.table.get(), &change.change, &change.entry});
  }
  if (!records_.empty() || batch_.more) return Outcome::kBusy;
  if (!ring_.empty()) return Outcome::kInFlight;
  acknowledged_time_ms_.store(clock_.wall_ms(), std::memory_order_relaxed);
  return Outcome::kIdle;
}

Pump::Outcome Pump::deliver() {
  // A batch may exceed the ring by one entry's changes, which are read as a whole.
  size_t room = options_.records_in_flight_max - ring_.size();
  std::span<const Record> rest = std::span(records_).subspan(handed_over_);
  rest = rest.first(std::min(rest.size(), room));
  Result<size_t> taken = connector_.deliver(rest);
  if (!taken) {
    fail(taken.error());
    return ended_.load(std::memory_order_relaxed) ? Outcome::kEnded : Outcome::kIdle;
  }
  CHECK(*taken <= rest.size());
  for (const Record& record : rest.first(*taken))
    ring_.push(record.change->lsn, record.entry->time_ms(), bytes_of(*record.change));
  handed_over_ += *taken;
  publish_in_flight();
  return handed_over_ == records_.size() ? Outcome::kBusy : Outcome::kInFlight;
}

/// How many records may be on their way. While something fails that is ever less, so that what
/// follows a record that the peer does not take is not sent to it in full again and again.
size_t Pump::window() const {
  if (attempts_ == 0) return options_.records_in_flight_max;
  size_t narrowed = attempts_ < 16 ? options_.batch_records >> attempts_ : 0;
  return std::clamp<size_t>(narrowed, 1, options_.records_in_flight_max);
}

void Pump::complain(const std::string& trouble) {
  int64_t now_ns = clock_.monotonic_ns();
  if (has_complained_ && now_ns - complained_ns_ < options_.trouble_interval_ms * 1000000) return;
  has_complained_ = true;
  complained_ns_ = now_ns;
  notify_({true, trouble});
}

void Pump::stop_reading() {
  reading_ = false;
  connector_.flush();
}

void Pump::publish_in_flight() {
  records_in_flight_.store(ring_.size(), std::memory_order_relaxed);
  bytes_in_flight_.store(ring_.bytes(), std::memory_order_relaxed);
}

Pump::Metrics Pump::metrics(Lsn newest_lsn, int64_t newest_time_ms) const {
  Metrics metrics;
  metrics.delivered = delivered_.load(std::memory_order_relaxed);
  metrics.retried = retried_.load(std::memory_order_relaxed);
  metrics.failures = failures_.load(std::memory_order_relaxed);
  metrics.records_in_flight = records_in_flight_.load(std::memory_order_relaxed);
  metrics.bytes_in_flight = bytes_in_flight_.load(std::memory_order_relaxed);
  metrics.ended = ended_.load(std::memory_order_relaxed);
  metrics.failing = failing_.load(std::memory_order_relaxed);
  Lsn position = subscription_.position();
  if (position >= newest_lsn) return metrics;
  metrics.lag_records = newest_lsn - position;
  int64_t lag_ms = newest_time_ms - acknowledged_time_ms_.load(std::memory_order_relaxed);
  metrics.lag_seconds = static_cast<double>(std::max<int64_t>(lag_ms, 0)) * 1e-3;
  return metrics;
}

}  // namespace millrace::connectors
