#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/result.h"
#include "core/store/log.h"
#include "streams/change_reader.h"

namespace millrace::streams {

/// Where a reader without a position begins.
struct StartAt {
  enum class Kind : uint8_t { kTrimHorizon, kLatest, kLsn, kTime };
  Kind kind = Kind::kTrimHorizon;
  Lsn lsn = 0;          // of kLsn: the first to be read
  int64_t time_ms = 0;  // of kTime: changes from this moment on are read

  /// As on the command line and in configuration: `trim_horizon`, `latest`, an LSN, or a time, as
  /// `2026-11-25T10:00:00Z` (seconds, fraction and offset may be left out, which means UTC) or in
  /// seconds (up to 11 digits, with a fraction or without) or milliseconds (12 to 14 digits) since
  /// the epoch. A longer number is an LSN: they begin at seconds since the epoch times 2^20.
  /// kConfig if it is none of them.
  static Result<StartAt> parse(std::string_view text);

  /// The LSN that it means now to a reader of the tables; of a time the first change made then or
  /// later, the next to come if there is none. Reads the log for a time: kIo, kCorruption.
  Result<Lsn> resolve(Log& log, const Catalog& catalog, const TableFilter& tables) const;

  bool operator==(const StartAt&) const = default;
};

}  // namespace millrace::streams
