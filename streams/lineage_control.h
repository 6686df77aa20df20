#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/ops/operation.h"
#include "streams/shard_index.h"
#include "streams/streams.h"

namespace millrace::streams {

/// Names a stream for good.
struct StreamKey {
  Generation generation = 0;
  Lsn enabled_at = 0;
  auto operator<=>(const StreamKey&) const = default;
};

/// A change of a stream's shards, by their ordinals.
struct SplitShard {
  uint32_t ordinal = 0;
  std::optional<uint64_t> at;  // the first hash of the upper part; none: in the middle
};
struct MergeShards {
  uint32_t one = 0, other = 0;
};
struct RollOver {
  std::vector<uint32_t> ordinals;  // none: all that are open
};
struct TrimStream {
  std::optional<Lsn> through;  // none: all that there is
};
using LineageChange = std::variant<SplitShard, MergeShards, RollOver, TrimStream>;

/// Changes the shards of streams, by commands that are evaluated alone: each is an entry of the
/// log, at whose LSN it takes effect. Thread-safe.
class LineageControl {
 public:
  /// All outlive it and every command.
  LineageControl(Node& node, const Streams& streams, ShardIndex& index)
      : node_(node), streams_(streams), index_(index) {}

  /// What became of it: the table with the stream as it then is. Called once, on this thread or the
  /// committer's.
  using Done = std::function<void(Result<TablePtr>)>;

  /// Shards of which nothing is shown any more are forgotten with it. kValidation for what cannot
  /// be, kResourceNotFound if the stream is not there or is disabled. A merge looks through the
  /// index first, on this thread.
  void submit(StreamKey key, LineageChange change, Done done);

 private:
  Node& node_;
  const Streams& streams_;
  ShardIndex& index_;
};

}  // namespace millrace::streams
