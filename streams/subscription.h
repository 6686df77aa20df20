#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/ops/operation.h"
#include "streams/change_reader.h"
#include "streams/start_at.h"

namespace millrace::streams {

struct SubscriptionOptions {
  std::string name;                                     // names the position; 1 to 255 bytes
  std::vector<std::string> tables;                      // empty: all user tables
  HashRange range = {};                                 // of the partition key's hash
  std::shared_ptr<const EventFilter> events = nullptr;  // none: every change
  StartAt start;                                        // when there is no position under the name
  /// Every change has its old image, from when the subscription is first opened.
  bool old_images = false;
  /// When the log no longer holds its position: go on at the oldest that it holds (counted in
  /// gaps()) rather than fail.
  bool go_on_when_trimmed = false;
  /// The position is persisted this often at most while records are acknowledged...
  int64_t checkpoint_interval_ms = 200;
  /// ...or after this many.
  size_t checkpoint_records = 10000;
};

/// A named reader of changes whose position is an item of the checkpoint table, so that it survives
/// restarts and is as durable as the data. Deliver what poll() gives, acknowledge what has been
/// delivered. After a restart, what was not acknowledged and persisted comes again; nothing is ever
/// skipped. All functions may be called from any thread, poll() from one at a time. The node
/// outlives it, but commands may outlive it.
class Subscription {
 public:
  /// Reads the persisted position and registers the subscription: its first position is persisted
  /// too, so that a restart before anything was acknowledged begins where this began.
  static Result<std::unique_ptr<Subscription>> open(Node& node, SubscriptionOptions options);
  ~Subscription();

  /// The next changes; empty at the tip (`more` says whether to call again at once). Never blocks
  /// but for the disk. kTrimmed, naming the subscription, if the log no longer holds the position.
  Result<ChangeBatch> poll(size_t records_max, size_t bytes_max);

  /// Every change that was handed out up to `lsn` has been delivered for good.
  void acknowledge(Lsn lsn);

  /// Goes back to the first change that has not been acknowledged, so that poll() gives it again.
  /// Until then it holds neither memory of the log nor a file.
  void rewind();

  /// Persists the position now if it has moved; persisted() tells when that is done.
  void flush();

  /// Everything up to here is done with: acknowledged, or of no interest to the subscription.
  Lsn position() const;
  /// The position that a restart would go on behind.
  Lsn persisted() const;
  /// The next LSN that it still needs, of tables(): what the log must keep for it.
  Lsn needs() const { return persisted() + 1; }
  const TableFilter& tables() const { return filter_.tables; }
  /// How often it went on behind a gap (go_on_when_trimmed).
  uint64_t gaps() const;
  const std::string& name() const { return options_.name; }

 private:
  struct Checkpoint;  // shared with the commands that persist it
  class SaveCheckpoint;
  class KeepOldImages;

  Subscription(Node& node, SubscriptionOptions options, Lsn position, bool persisted);
  Result<ChangeBatch> read(size_t records_max, size_t bytes_max);
  void keep_old_images();
  Lsn position_locked() const;
  std::unique_ptr<Command> checkpoint_if_due();
  std::unique_ptr<Command> checkpoint();

  Node& node_;
  const SubscriptionOptions options_;
  const ChangeFilter filter_;
  const std::shared_ptr<Checkpoint> checkpoint_;
  ChangeReader reader_;  // poll() and rewind() only, under reading_

  std::mutex reading_;  // taken before mutex_
  mutable std::mutex mutex_;
  Lsn read_through_;  // looked at
  Lsn acknowledged_;
  std::deque<std::pair<Lsn, size_t>>
      handed_out_;  // last LSN and count of batches not yet acknowledged
  size_t records_since_save_ = 0;
  size_t log_bytes_since_save_ = 0;
  int64_t saved_ns_ = 0;
  uint64_t gaps_ = 0;
};

}  // namespace millrace::streams
