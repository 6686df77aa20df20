#include "streams/lineage_control.h"

#include <algorithm>
#include <utility>

#include "streams/lineage.h"

namespace millrace::streams {
namespace {

Error no_such_stream() {
  return make_error(ErrorCode::kResourceNotFound, "the stream does not exist or is disabled");
}

StreamDefinition* find_open(Table& table, StreamKey key) {
  if (table.enabled_stream() == nullptr || table.streams.back().enabled_at != key.enabled_at)
    return nullptr;
  return &table.streams.back();
}

// A merge with what is known of it: the range of the parent that is not named has no change that is
// shown from `clear_from` to before `clear_below`.
struct CheckedMerge {
  uint32_t named = 0, other = 0;
  Lsn clear_below = 0;
};

// Finds whether a range has changes that are shown. By 64ths of the hash space and whole frames, so
// it may find one that is not there.
class ShownChanges {
 public:
  ShownChanges(ShardIndex& index, const Streams& streams) : index_(index), streams_(streams) {}

  Result<bool> any(const Table& table, const StreamDefinition& stream, HashRange range, Lsn from,
                   Lsn through) const {
    from = std::max(from, stream.trimmed_through + 1);
    PostingQuery query{slices_of(range), from, streams_.now_ms() - streams_.options().shown_ms, 1};
    std::vector<LocatedPosting> found;
    while (query.from <= through) {
      ASSIGN_OR_RETURN(query.from, index_.find(table.generation, query, through, found));
      if (!found.empty()) return true;
    }
    return false;
  }

 private:
  ShardIndex& index_;
  const Streams& streams_;
};

Error would_break_order() {
  return validation_error(
      "neither shard can be merged into the other: each has changes that are still shown, and the "
      "merged shard can name one parent only, so a consumer could read it before the other's "
      "changes; merge them once one of the two has had none for as long as changes are shown");
}

class Change final : public Command {
 public:
  using Applied = std::variant<SplitShard, CheckedMerge, RollOver, TrimStream>;

  Change(Node& node, const Streams& streams, ShardIndex& index, StreamKey key, Applied change,
         LineageControl::Done done)
      : node_(node),
        streams_(streams),
        index_(index),
        key_(key),
        change_(std::move(change)),
        done_(std::move(done)) {}

  // Of the definition, with all shards that it may remember.
  size_t bytes() const override { return 256 << 10; }
  bool alone() const override { return true; }

  void evaluate(Commit& commit) override {
    TablePtr found = node_.catalog.find(key_.generation);
    if (found == nullptr) return fail(no_such_stream());
    auto changed = std::make_shared<Table>(*found);
    forget_hidden(*changed);
    StreamDefinition* stream = find_open(*changed, key_);
    if (stream == nullptr) return fail(no_such_stream());
    const Moment moment{commit.next_lsn(), commit.time_ms()};
    Status status =
        std::visit([&](const auto& it) { return apply(it, *found, *stream, moment); }, change_);
    if (!status) return fail(status.error());
    commit.put(Catalog::key_of(changed->name), Catalog::encode(*changed), true, std::nullopt);
    result_ = TablePtr(std::move(changed));
  }

  void done(const Status& status) override { done_(status ? result_ : status.error()); }

 private:
  // Also the table's earlier streams, but for the newest, after which the next one is named.
  void forget_hidden(Table& table) const {
    const int64_t now = streams_.now_ms();
    for (size_t i = table.streams.size(); i-- > 0;) {
      StreamDefinition& stream = table.streams[i];
      forget_shards(stream, now - streams_.options().shown_ms);
      if (i + 1 < table.streams.size() && !streams_.shown(stream, now)) {
        table.attachments.stream_tags.erase(stream.label);
        table.attachments.stream_policies.erase(stream.label);
        table.streams.erase(table.streams.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  void fail(Error error) { result_ = std::move(error); }

  Status apply(const SplitShard& split, const Table&, StreamDefinition& stream, Moment moment) {
    return split_shard(stream, split.ordinal, split.at, moment);
  }
  Status apply(const CheckedMerge& merge, const Table& table, StreamDefinition& stream,
               Moment moment) {
    ASSIGN_OR_RETURN(const Lsn from, unguarded_from(stream, merge.named, merge.other));
    // What has come since it was looked for lies in the log's memory.
    const HashRange range = stream.find_shard(merge.other)->range;
    ASSIGN_OR_RETURN(const bool shown, ShownChanges(index_, streams_)
                                           .any(table, stream, range,
                                                std::max(from, merge.clear_below), moment.lsn - 1));
    if (shown) return would_break_order();
    return merge_shards(stream, merge.named, merge.other, moment);
  }
  Status apply(const RollOver& roll, const Table&, StreamDefinition& stream, Moment moment) {
    return roll_over(stream, roll.ordinals.empty() ? open_ordinals(stream) : roll.ordinals, moment);
  }
  Status apply(const TrimStream& trim, const Table&, StreamDefinition& stream, Moment moment) {
    return trim_stream(stream, trim.through.value_or(moment.lsn - 1), moment);
  }

  Node& node_;
  const Streams& streams_;
  ShardIndex& index_;
  const StreamKey key_;
  const Applied change_;
  const LineageControl::Done done_;
  Result<TablePtr> result_ = no_such_stream();
};

// Decides which of the two is to be named, before the committer is kept waiting.
Result<CheckedMerge> check_merge(const MergeShards& merge, StreamKey key, Node& node,
                                 const Streams& streams, ShardIndex& index) {
  const Lsn through = node.engine.log().durable_lsn();
  TablePtr found = node.catalog.find(key.generation);
  if (found == nullptr || found->enabled_stream() == nullptr) return no_such_stream();
  const StreamDefinition& stream = *found->enabled_stream();
  if (stream.enabled_at != key.enabled_at) return no_such_stream();
  for (auto [named, other] : {std::pair(merge.one, merge.other), {merge.other, merge.one}}) {
    ASSIGN_OR_RETURN(const Lsn from, unguarded_from(stream, named, other));
    const HashRange range = stream.find_shard(other)->range;
    ASSIGN_OR_RETURN(const bool shown,
                     ShownChanges(index, streams).any(*found, stream, range, from, through));
    if (!shown) return CheckedMerge{named, other, through + 1};
  }
  return would_break_order();
}

}  // namespace

void LineageControl::submit(StreamKey key, LineageChange change, Done done) {
  Change::Applied applied;
  if (const auto* merge = std::get_if<MergeShards>(&change)) {
    Result<CheckedMerge> checked = check_merge(*merge, key, node_, streams_, index_);
    if (!checked) return done(checked.error());
    applied = *checked;
  } else if (auto* split = std::get_if<SplitShard>(&change)) {
    applied = *split;
  } else if (auto* roll = std::get_if<RollOver>(&change)) {
    applied = std::move(*roll);
  } else {
    applied = std::get<TrimStream>(change);
  }
  node_.submit(
      std::make_unique<Change>(node_, streams_, index_, key, std::move(applied), std::move(done)));
}

}  // namespace millrace::streams
