#include "streams/streams.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/bytes.h"
#include "streams/record.h"

namespace millrace::streams {
namespace {

// Frames shared by readers that walk the shards of a stream side by side.
constexpr size_t kFrameCacheBytes = 8u << 20;
// Postings looked up at once.
constexpr size_t kPostingsPerFind = 64;
constexpr int64_t kClockToleranceMs = 10 * 60 * 1000;

int64_t clock_offset_ms(const Clock& clock) {
  return clock.wall_ms() - clock.monotonic_ns() / 1'000'000;
}

Error trimmed() {
  return make_error(ErrorCode::kTrimmedDataAccess,
                    "The data you are trying to access has been trimmed");
}

Error shard_not_found() {
  return make_error(ErrorCode::kResourceNotFound,
                    "Requested resource not found: Shard does not exist");
}

// The node's own word for what the client knows as trimmed data.
Error as_api_error(Error error) {
  return error.code == ErrorCode::kTrimmed ? trimmed() : std::move(error);
}

// Reads one shard from a position on, page by page.
class ShardReader {
 public:
  struct Bounds {
    Generation generation;
    HashRange range;
    Lsn from, through;      // LSNs to read
    int64_t not_before_ms;  // older records are passed over
    int64_t horizon_ms;     // older ones that were not passed over are an error
    Lsn trimmed_through;    // and those up to here
  };

  ShardReader(const Table& table, std::string_view region, StreamViewType view,
              const Bounds& bounds, size_t limit, std::string& out)
      : table_(table),
        region_(region),
        view_(view),
        bounds_(bounds),
        limit_(limit),
        out_(out),
        start_(out.size()) {}

  Status run(ShardIndex& index, FrameCache& frames) {
    std::vector<LocatedPosting> postings;
    while (!full_ && bounds_.from <= bounds_.through) {
      PostingQuery query{slices_of(bounds_.range), bounds_.from, bounds_.not_before_ms,
                         std::min(kPostingsPerFind, limit_ - count_)};
      postings.clear();
      ASSIGN_OR_RETURN(Lsn next, index.find(bounds_.generation, query, bounds_.through, postings));
      bool moved = false;
      for (const LocatedPosting& located : postings) {
        Result<FramePtr> frame = frames.get(located.position);
        // Its segment was rewritten meanwhile: what is left is to be looked up again.
        moved = !frame && frame.error().code == ErrorCode::kMoved;
        if (moved) break;
        RETURN_IF_ERROR(frame);
        RETURN_IF_ERROR(take(**frame));
        if (full_) return {};
      }
      if (moved) continue;
      bounds_.from = next;
      // A quiet stretch: answer, so that no request takes long, and go on in the next.
      if (postings.empty()) break;
    }
    return {};
  }

  size_t count() const { return count_; }
  Lsn position() const { return bounds_.from; }

 private:
  Status take(const Frame& frame) {
    for (const EntryView& entry : frame) {
      if (entry.first_lsn() > bounds_.through) break;
      if (entry.first_lsn() + entry.change_count() <= bounds_.from) continue;
      if (entry.time_ms() < bounds_.not_before_ms) continue;
      for (const ChangeView& change : entry) {
        if (change.lsn < bounds_.from || change.lsn > bounds_.through || !mine(change)) continue;
        if (entry.time_ms() < bounds_.horizon_ms || change.lsn <= bounds_.trimmed_through)
          return trimmed();
        if (!add(change, entry)) return {};
      }
    }
    return {};
  }

  bool mine(const ChangeView& change) const {
    return change.key.size() >= 16 && get_big_endian64(change.key.data()) == bounds_.generation &&
           bounds_.range.contains(get_big_endian64(change.key.data() + 8));
  }

  // False once the page is full.
  bool add(const ChangeView& change, const EntryView& entry) {
    size_t before = out_.size();
    if (count_ > 0) out_ += ',';
    render_record(table_, region_, view_, change, entry, out_);
    if (count_ > 0 && out_.size() - start_ > Streams::kPageBytesMax) {
      out_.resize(before);
      bounds_.from = change.lsn;
      full_ = true;
      return false;
    }
    bounds_.from = change.lsn + 1;
    full_ = ++count_ == limit_;
    return !full_;
  }

  const Table& table_;
  const std::string_view region_;
  const StreamViewType view_;
  Bounds bounds_;
  const size_t limit_;
  std::string& out_;
  const size_t start_;
  size_t count_ = 0;
  bool full_ = false;
};

}  // namespace

Streams::Streams(Log& log, const Catalog& catalog, ShardIndex& index, const Clock& clock,
                 std::string iterator_key, StreamsOptions options)
    : log_(log),
      catalog_(catalog),
      index_(index),
      clock_(clock),
      first_offset_ms_(clock_offset_ms(clock)),
      signer_(std::move(iterator_key)),
      options_(options),
      frames_(log, kFrameCacheBytes) {}

int64_t Streams::now_ms() const {
  const int64_t wall = clock_.wall_ms();
  const int64_t expected = clock_.monotonic_ns() / 1'000'000 + first_offset_ms_;
  return std::abs(wall - expected) > kClockToleranceMs ? expected : wall;
}

std::vector<Stream> Streams::list(std::optional<std::string_view> table_name) const {
  const int64_t now = now_ms();
  std::vector<Stream> streams;
  for (const TablePtr& table : catalog_.all()) {
    if (table_name && table->name != *table_name) continue;
    for (size_t i = 0; i < table->streams.size(); ++i) {
      if (shown(table->streams[i], now)) streams.push_back({table, i});
    }
  }
  std::sort(streams.begin(), streams.end(),
            [this](const Stream& a, const Stream& b) { return arn(a) < arn(b); });
  return streams;
}

Result<std::string_view> Streams::table_name_of(std::string_view arn) {
  constexpr std::string_view kTable = ":table/", kStream = "/stream/";
  size_t table_at = arn.find(kTable), stream_at = arn.rfind(kStream);
  if (!arn.starts_with("arn:") || table_at == arn.npos || stream_at == arn.npos ||
      stream_at < table_at + kTable.size()) {
    return validation_error("Invalid StreamArn");
  }
  return arn.substr(table_at + kTable.size(), stream_at - table_at - kTable.size());
}

Result<Stream> Streams::find(std::string_view arn) const {
  ASSIGN_OR_RETURN(const std::string_view name, table_name_of(arn));
  for (const Stream& stream : list(name)) {
    if (this->arn(stream) == arn) return stream;
  }
  return make_error(ErrorCode::kResourceNotFound,
                    "Requested resource not found: Stream: " + std::string(arn) + " not found");
}

Result<Streams::Shard> Streams::find_shard(Generation generation, Lsn enabled_at,
                                           uint32_t ordinal) const {
  Shard shard{catalog_.find(generation), nullptr, nullptr};
  const int64_t now = now_ms();
  if (shard.table == nullptr) return shard_not_found();
  for (const StreamDefinition& stream : shard.table->streams) {
    if (stream.enabled_at == enabled_at && shown(stream, now)) shard.stream = &stream;
  }
  if (shard.stream != nullptr) shard.definition = shard.stream->find_shard(ordinal);
  if (shard.definition == nullptr || !shown(*shard.definition, now)) return shard_not_found();
  return shard;
}

Status Streams::check_not_trimmed(const Shard& shard, Lsn lsn, Lsn through) const {
  if (lsn < log_.first_retained_lsn() || lsn <= shard.stream->trimmed_through) return trimmed();
  PostingQuery query{slices_of(shard.definition->range), lsn, INT64_MIN, 1};
  std::vector<LocatedPosting> found;
  auto next = index_.find(shard.table->generation, query, through, found);
  if (!next) return as_api_error(std::move(next).error());
  if (!found.empty() && found[0].posting.time_ms < now_ms() - options_.shown_ms) return trimmed();
  return {};
}

Result<std::string> Streams::iterator(const Stream& stream, uint32_t ordinal, IteratorType type,
                                      Lsn lsn, int64_t time_ms) const {
  const Lsn durable = log_.durable_lsn();
  ASSIGN_OR_RETURN(const Shard shard,
                   find_shard(stream.table->generation, stream.definition().enabled_at, ordinal));
  const ShardDefinition& definition = *shard.definition;
  const Lsn through = std::min(durable, definition.closed_at.value_or(durable));
  ShardIterator iterator;
  iterator.generation = shard.table->generation;
  iterator.enabled_at = shard.stream->enabled_at;
  iterator.ordinal = ordinal;
  iterator.issued_ms = issue_ms();
  iterator.from = definition.opened_at + 1;
  switch (type) {
    case IteratorType::kTrimHorizon:
      iterator.kind = ShardIterator::Kind::kHorizon;
      break;
    case IteratorType::kLatest:
      iterator.from = std::max(iterator.from, through + 1);
      break;
    case IteratorType::kAtTimestamp:
      if (time_ms > clock_.wall_ms())
        return validation_error("Timestamp must not be in the future");
      iterator.kind = ShardIterator::Kind::kTime;
      iterator.not_before_ms = time_ms;
      break;
    case IteratorType::kAtSequenceNumber:
    case IteratorType::kAfterSequenceNumber:
      if (lsn < definition.opened_at || lsn > through)
        return validation_error("Invalid SequenceNumber");
      RETURN_IF_ERROR(check_not_trimmed(shard, lsn, through));
      iterator.from = type == IteratorType::kAtSequenceNumber ? lsn : lsn + 1;
      break;
  }
  return signer_.seal(iterator);
}

Result<RecordsPage> Streams::read(std::string_view text, size_t limit, std::string& out) {
  ASSIGN_OR_RETURN(ShardIterator iterator,
                   signer_.open(text, clock_.wall_ms(), expired_through_ms_));
  // Before the shard is looked up: were it closed in between, changes of its children would seem to
  // be its own.
  const Lsn durable = log_.durable_lsn();
  ASSIGN_OR_RETURN(const Shard shard,
                   find_shard(iterator.generation, iterator.enabled_at, iterator.ordinal));
  const ShardDefinition& definition = *shard.definition;
  const bool exact = iterator.kind == ShardIterator::Kind::kPosition;
  const Lsn retained = log_.first_retained_lsn();
  ShardReader::Bounds bounds;
  bounds.generation = iterator.generation;
  bounds.range = definition.range;
  bounds.from = std::max(iterator.from, definition.opened_at + 1);
  bounds.through = std::min(durable, definition.closed_at.value_or(durable));
  bounds.horizon_ms = now_ms() - options_.shown_ms;
  bounds.trimmed_through = shard.stream->trimmed_through;
  bounds.not_before_ms = exact ? INT64_MIN : bounds.horizon_ms;
  if (iterator.kind == ShardIterator::Kind::kTime) {
    bounds.not_before_ms = std::max(bounds.not_before_ms, iterator.not_before_ms);
  }
  if (exact && bounds.from < retained && bounds.from <= bounds.through) return trimmed();
  if (!exact) bounds.from = std::max({bounds.from, retained, bounds.trimmed_through + 1});

  const size_t start = out.size();
  ShardReader reader(*shard.table, catalog_.region(), shard.stream->view_type, bounds, limit, out);
  Status status = reader.run(index_, frames_);
  if (!status) {
    out.resize(start);
    return as_api_error(status.error());
  }
  RecordsPage page;
  page.count = reader.count();
  if (definition.closed_at && reader.position() > *definition.closed_at) return page;
  iterator.kind = ShardIterator::Kind::kPosition;
  iterator.from = reader.position();
  iterator.not_before_ms = 0;
  iterator.issued_ms = issue_ms();
  page.next = signer_.seal(iterator);
  return page;
}

Lsn Streams::horizon(int64_t now_ms) const {
  for (const SegmentInfo& segment : log_.segments()) {
    if (segment.last_time_ms >= now_ms - options_.retention_ms) return segment.first_lsn;
  }
  return log_.durable_lsn() + 1;
}

std::optional<Lsn> Streams::retention_pin(int64_t now_ms,
                                          std::span<const Lsn> reader_positions) const {
  std::optional<Lsn> lowest;
  const auto need = [&lowest](Lsn lsn) { lowest = std::min(lowest.value_or(lsn), lsn); };
  for (const TablePtr& table : catalog_.all()) {
    for (const StreamDefinition& stream : table->streams) {
      if (shown(stream, now_ms)) need(std::max(stream.enabled_at, stream.trimmed_through) + 1);
    }
  }
  for (Lsn position : reader_positions) need(position);
  if (lowest) lowest = std::max(*lowest, horizon(now_ms));
  return lowest;
}

}  // namespace millrace::streams
