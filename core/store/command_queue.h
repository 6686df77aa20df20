#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/result.h"
#include "core/store/engine.h"

namespace millrace {

using CommandBatch = std::vector<std::unique_ptr<Command>>;

/// The commands that wait to be committed, in two lines: large ones, which keep everybody waiting
/// for the evaluation and the flush of megabytes, go one to a batch and only when no other command
/// waits, or after kPassesMax batches of others. However many wait, they leave a quarter of the
/// queue's bytes to the others. Within a line the order is that of submission.
/// Thread-safe; batches are the committer's.
class CommandQueue {
 public:
  /// Commands of more bytes than this are large: an item of the largest size is not.
  static constexpr size_t kLargeBytes = 512 * 1024;
  static constexpr int kPassesMax = 64;

  static bool is_large(const Command& command) {
    return command.bytes() > kLargeBytes && !command.alone();
  }

  CommandQueue(size_t bytes_max, size_t batch_bytes)
      : bytes_max_(bytes_max),
        large_bytes_max_(bytes_max - bytes_max / 4),
        batch_bytes_(batch_bytes) {}

  /// kThrottling if it is full: then `command` is left as it was.
  Status push(std::unique_ptr<Command>&& command);

  /// The next batch, up to `batch_bytes`, or a single command that is larger, or that is alone();
  /// empty if none waits that may run. `room_for_large`: whether large ones may.
  CommandBatch take(bool room_for_large);
  /// Puts the batch's commands from `from` on back to the front.
  void give_back(CommandBatch& batch, size_t from);
  /// All of them.
  CommandBatch take_all();

  size_t large_count() const;
  /// Whether take() would find something.
  bool has_next(bool room_for_large) const;
  /// Of all commands that wait.
  size_t bytes() const;

 private:
  using Line = std::deque<std::unique_ptr<Command>>;
  bool large_is_next() const {
    return !large_.empty() && (usual_.empty() || passes_ >= kPassesMax);
  }
  Line& line_of(const Command& command) { return is_large(command) ? large_ : usual_; }
  size_t& bytes_of(const Command& command) {
    return is_large(command) ? large_bytes_ : usual_bytes_;
  }
  bool has_room(const Command& command) const;
  void move_front(Line& line, CommandBatch& batch);

  const size_t bytes_max_, large_bytes_max_, batch_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  Line usual_, large_;
  int passes_ = 0;  // batches that went before the first large one
  size_t usual_bytes_ = 0, large_bytes_ = 0;
};

}  // namespace millrace
