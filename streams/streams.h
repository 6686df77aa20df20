#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/store/log.h"
#include "streams/frame_cache.h"
#include "streams/shard_index.h"
#include "streams/shard_iterator.h"
#include "streams/stream_ids.h"

namespace millrace::streams {

/// One enabling of a table's stream.
struct Stream {
  TablePtr table;
  size_t index = 0;  // within table->streams
  const StreamDefinition& definition() const { return table->streams[index]; }
};

enum class IteratorType : uint8_t {
  kTrimHorizon,
  kLatest,
  kAtSequenceNumber,
  kAfterSequenceNumber,
  kAtTimestamp,
};

/// What GetRecords answers beside the records.
struct RecordsPage {
  size_t count = 0;
  std::optional<std::string> next;  // none: the shard is closed and has been read to its end
};

struct StreamsOptions {
  static constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
  /// How far back the API shows records, by the entries' times: DynamoDB's 24 hours.
  int64_t shown_ms = kDayMs;
  /// How far back the log is kept for streams; at least `shown_ms`.
  int64_t retention_ms = kDayMs;
};

/// The streams of a node and how they are read. Thread-safe. Errors are the Streams API's.
class Streams {
 public:
  static constexpr size_t kRecordsMax = 1000;
  static constexpr size_t kPageBytesMax = 1u << 20;

  /// `iterator_key` signs iterators; fixed for the data folder. All references outlive the object.
  Streams(Log& log, const Catalog& catalog, ShardIndex& index, const Clock& clock,
          std::string iterator_key, StreamsOptions options = {});

  /// All streams that can be read (disabled ones for as long as they may have a record that is
  /// shown), of one table's name if given, by ARN.
  std::vector<Stream> list(std::optional<std::string_view> table_name) const;
  Result<Stream> find(std::string_view arn) const;
  /// The table's name in a stream's ARN, which need not exist.
  static Result<std::string_view> table_name_of(std::string_view arn);
  std::string arn(const Stream& stream) const {
    return catalog_.stream_arn(*stream.table, stream.definition());
  }

  /// An iterator of the stream's shard `ordinal`. `lsn` for the sequence number types, `time_ms`
  /// for kAtTimestamp.
  Result<std::string> iterator(const Stream& stream, uint32_t ordinal, IteratorType type, Lsn lsn,
                               int64_t time_ms) const;

  /// Appends up to `limit` (at most kRecordsMax) records to `out`, separated by commas. At least
  /// one if there is one, and otherwise no more than kPageBytesMax.
  Result<RecordsPage> read(std::string_view iterator, size_t limit, std::string& out);

  /// From now on all iterators that were given out are expired.
  void expire_iterators() { expired_through_ms_ = issue_ms(); }

  /// The lowest LSN that somebody may still ask for: of every stream the retention, and of
  /// `reader_positions` (the next LSN that each living subscription needs) what is within them.
  /// None if nobody needs anything. By segments, as the log is trimmed.
  std::optional<Lsn> retention_pin(int64_t now_ms,
                                   std::span<const Lsn> reader_positions = {}) const;

  /// The time by which records age. The wall clock's, unless it has left the monotonic one by over
  /// ten minutes since the start: then what the monotonic one makes of it, so that a clock that
  /// jumps hides no record before its time (invariant 6).
  int64_t now_ms() const;

  /// Whether a stream can still be read.
  bool shown(const StreamDefinition& stream, int64_t now_ms) const {
    return !stream.disabled_at || now_ms - stream.disabled_time_ms < options_.shown_ms;
  }
  /// Whether a shard may still have a record that is shown.
  bool shown(const ShardDefinition& shard, int64_t now_ms) const {
    return !shard.closed_at || now_ms - shard.closed_ms < options_.shown_ms;
  }
  const StreamsOptions& options() const { return options_; }

 private:
  /// A shard as the catalogue has it. To be looked up after the LSN that it is read through was
  /// taken: then every end of the shard up to that LSN is in the definition.
  struct Shard {
    TablePtr table;
    const StreamDefinition* stream;
    const ShardDefinition* definition;
  };
  Result<Shard> find_shard(Generation generation, Lsn enabled_at, uint32_t ordinal) const;
  Lsn horizon(int64_t now_ms) const;
  /// When an iterator that is given out now is said to have been.
  int64_t issue_ms() const { return std::max(clock_.wall_ms(), expired_through_ms_ + 1); }
  Status check_not_trimmed(const Shard& shard, Lsn lsn, Lsn through) const;

  Log& log_;
  const Catalog& catalog_;
  ShardIndex& index_;
  const Clock& clock_;
  const int64_t first_offset_ms_;  // of the wall clock from the monotonic one
  const IteratorSigner signer_;
  const StreamsOptions options_;
  std::atomic<int64_t> expired_through_ms_{0};  // iterators given out until then
  mutable FrameCache frames_;
};

}  // namespace millrace::streams
