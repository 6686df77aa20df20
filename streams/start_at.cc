#include "streams/start_at.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

namespace millrace::streams {
namespace {

constexpr size_t kSecondsDigitsMax = 11;
constexpr size_t kMillisecondsDigitsMax = 14;

Error not_a_place(std::string_view text) {
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) +
                        "' is no place to begin; write trim_horizon (all that the log still "
                        "holds), latest (what comes from now on), a time such as "
                        "2026-11-25T10:00:00Z, or an LSN");
}

/// Takes exactly `digits` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, size_t digits) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits || text[0] == '-') return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

/// Up to nine digits of a second, in milliseconds.
std::optional<int> take_fraction_ms(std::string_view& text) {
  int ms = 0;
  size_t digits = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
    if (digits < 3) ms = ms * 10 + (text[0] - '0');
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  for (; digits < 3; ++digits) ms *= 10;
  return ms;
}

/// `Z`, `+01:00`, or nothing: minutes east of Greenwich.
std::optional<int> take_offset_minutes(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  const bool west = text[0] == '-';
  if (!west && text[0] != '+') return std::nullopt;
  text.remove_prefix(1);
  auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 60 + *minutes);
}

/// RFC 3339, in milliseconds since the epoch.
std::optional<int64_t> parse_date_time(std::string_view text) {
  using namespace std::chrono;
  auto y = take_digits(text, 4);
  if (!y || !take(text, '-')) return std::nullopt;
  auto m = take_digits(text, 2);
  if (!m || !take(text, '-')) return std::nullopt;
  auto d = take_digits(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                            day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  const int64_t day_ms = int64_t{sys_days(date).time_since_epoch().count()} * 86'400'000;
  if (text.empty()) return day_ms;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::optional<int> seconds = 0, ms = 0;
  if (take(text, ':')) {
    seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    if (take(text, '.')) ms = take_fraction_ms(text);
    if (!ms) return std::nullopt;
  }
  auto offset = take_offset_minutes(text);
  if (!offset) return std::nullopt;
  return day_ms + ((*hours * 60 + *minutes - *offset) * int64_t{60} + *seconds) * 1000 + *ms;
}

/// Since the epoch, `1790000000`, `1790000000.25` or `1790000000250`.
std::optional<int64_t> parse_epoch(std::string_view text) {
  int64_t seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const auto digits = static_cast<size_t>(end - text.data());
  if (error != std::errc() || digits > kMillisecondsDigitsMax) return std::nullopt;
  text.remove_prefix(digits);
  if (digits > kSecondsDigitsMax) return text.empty() ? std::optional(seconds) : std::nullopt;
  if (text.empty()) return seconds * 1000;
  if (!take(text, '.')) return std::nullopt;
  auto ms = take_fraction_ms(text);
  if (!ms || !text.empty()) return std::nullopt;
  return seconds * 1000 + *ms;
}

}  // namespace

Result<StartAt> StartAt::parse(std::string_view text) {
  if (text == "trim_horizon") return StartAt{};
  if (text == "latest") return StartAt{Kind::kLatest};
  if (text.empty() || text[0] < '0' || text[0] > '9') return not_a_place(text);
  if (auto time_ms = parse_epoch(text)) return StartAt{Kind::kTime, 0, *time_ms};
  if (auto time_ms = parse_date_time(text)) return StartAt{Kind::kTime, 0, *time_ms};
  Lsn lsn = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lsn);
  if (error != std::errc() || end != text.data() + text.size()) return not_a_place(text);
  return StartAt{Kind::kLsn, lsn};
}

Result<Lsn> StartAt::resolve(Log& log, const Catalog& catalog, const TableFilter& tables) const {
  switch (kind) {
    case Kind::kTrimHorizon:
      return first_whole_lsn(log, catalog, tables);
    case Kind::kLatest:
      return log.durable_lsn() + 1;
    case Kind::kLsn:
      return lsn;
    case Kind::kTime:
      break;
  }
  // Times never fall from entry to entry, so only one segment has to be looked into.
  const Lsn behind = log.durable_lsn() + 1;
  Lsn from = behind;
  for (const SegmentInfo& segment : log.segments()) {
    if (segment.last_time_ms < time_ms) continue;
    from = segment.first_lsn;
    break;
  }
  for (LogCursor cursor(log, from); from < behind;) {
    ASSIGN_OR_RETURN(FramePtr frame, cursor.next());
    if (frame == nullptr) break;
    if (frame->last_time_ms() < time_ms) continue;
    for (const EntryView& entry : *frame) {
      if (entry.time_ms() >= time_ms) return entry.first_lsn();
    }
  }
  return behind;
}

}  // namespace millrace::streams
