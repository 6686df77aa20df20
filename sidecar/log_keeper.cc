#include "sidecar/log_keeper.h"

#include <algorithm>
#include <utility>

#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

constexpr int64_t kIntervalNs = int64_t{60} * 1000 * 1000 * 1000;

}  // namespace

LogKeeper::LogKeeper(Engine& engine, const Clock& clock, Readers readers)
    : engine_(engine),
      clock_(clock),
      readers_(std::move(readers)),
      clock_watch_(clock),
      trimmed_ns_(clock.monotonic_ns()),
      rewriter_(engine.log()) {}

Status LogKeeper::trim_if_due() {
  Lsn checkpoint = engine_.statistics().checkpoint_lsn;
  int64_t now_ns = clock_.monotonic_ns();
  if (checkpoint == trimmed_at_checkpoint_ && now_ns - trimmed_ns_ < kIntervalNs) return {};
  trimmed_at_checkpoint_ = checkpoint;
  trimmed_ns_ = now_ns;

  bool off = clock_watch_.is_off();
  if (off != clock_is_off_.exchange(off)) {
    log_event(
        off ? Severity::kWarning : Severity::kInfo, "clock",
        {{"message",
          off ? "the wall clock was moved by more than ten minutes; nothing is trimmed and no "
                "item expires until it is back or the sidecar is started again"
              : "the wall clock is back; the log is trimmed and items expire again"}});
  }
  if (off) return {};

  std::vector<Lsn> positions;
  for (const streams::ReaderNeeds& reader : readers_.needs()) positions.push_back(reader.from);
  Lsn limit = checkpoint + 1;
  if (std::optional<Lsn> pin = readers_.streams.retention_pin(clock_.wall_ms(), positions))
    limit = std::min(limit, *pin);
  return engine_.log().trim(limit);
}

Result<bool> LogKeeper::rewrite() {
  if (clock_is_off_) return false;
  const int64_t now_ns = clock_.monotonic_ns();
  if (rewriting_failed_ns_ && now_ns - *rewriting_failed_ns_ < kIntervalNs) return false;
  rewriting_failed_ns_.reset();
  Result<bool> more = rewriter_.step([this] { return log_needs(); });
  if (!more) rewriting_failed_ns_ = now_ns;
  return more;
}

/// Needs of streams end with the segment's trimming; those of connectors as they read on.
LogNeeds LogKeeper::log_needs() const {
  const std::vector<streams::ReaderNeeds> readers = readers_.needs();
  LogNeeds needs;
  needs.below =
      std::min(engine_.statistics().checkpoint_lsn, readers_.index.statistics().indexed_through);
  needs.settled = needs.below;
  for (const streams::ReaderNeeds& reader : readers) {
    needs.settled = std::min(needs.settled, reader.from);
  }
  needs.needed = streams::needed_changes(readers_.catalog, readers);
  return needs;
}

}  // namespace millrace::sidecar
