#include "sidecar/log_keeper.h"

#include <algorithm>
#include <utility>

#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

constexpr int64_t kIntervalNs = int64_t{60} * 1000 * 1000 * 1000;

}  // namespace

LogKeeper::LogKeeper(Engine& engine, const streams::Streams& streams, const Clock& clock,
                     std::function<std::vector<Lsn>()> reader_positions)
    : engine_(engine),
      streams_(streams),
      clock_(clock),
      reader_positions_(std::move(reader_positions)),
      clock_watch_(clock),
      trimmed_ns_(clock.monotonic_ns()) {}

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

  std::vector<Lsn> positions = reader_positions_();
  Lsn limit = checkpoint + 1;
  if (std::optional<Lsn> pin = streams_.retention_pin(clock_.wall_ms(), positions))
    limit = std::min(limit, *pin);
  return engine_.log().trim(limit);
}

}  // namespace millrace::sidecar
