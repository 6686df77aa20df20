#include "core/store/command_queue.h"

#include <algorithm>
#include <utility>

namespace millrace {

// One that is larger than all the queue may be is taken while no other waits.
bool CommandQueue::has_room(const Command& command) const {
  const bool large = is_large(command);
  const size_t waiting =
      usual_bytes_ + (large ? large_bytes_ : std::min(large_bytes_, large_bytes_max_));
  return waiting == 0 || waiting + command.bytes() <= (large ? large_bytes_max_ : bytes_max_);
}

Status CommandQueue::push(std::unique_ptr<Command>&& command) {
  std::lock_guard lock(mutex_);
  if (!has_room(*command)) {
    return make_error(
        ErrorCode::kThrottling,
        "Throughput exceeds the current capacity: more writes wait than the configured "
        "memory holds");
  }
  bytes_of(*command) += command->bytes();
  line_of(*command).push_back(std::move(command));
  return {};
}

void CommandQueue::move_front(Line& line, CommandBatch& batch) {
  bytes_of(*line.front()) -= line.front()->bytes();
  batch.push_back(std::move(line.front()));
  line.pop_front();
}

CommandBatch CommandQueue::take(bool room_for_large) {
  std::lock_guard lock(mutex_);
  CommandBatch batch;
  if (room_for_large && large_is_next()) {
    passes_ = 0;
    move_front(large_, batch);
    return batch;
  }
  if (!large_.empty() && !usual_.empty()) ++passes_;
  size_t bytes = 0;
  while (!usual_.empty()) {
    const Command& next = *usual_.front();
    const bool alone = next.alone();
    bytes += next.bytes();
    if (!batch.empty() && (alone || bytes > batch_bytes_)) break;
    move_front(usual_, batch);
    if (alone) break;
  }
  return batch;
}

void CommandQueue::give_back(CommandBatch& batch, size_t from) {
  std::lock_guard lock(mutex_);
  for (; batch.size() > from; batch.pop_back()) {
    bytes_of(*batch.back()) += batch.back()->bytes();
    Line& line = line_of(*batch.back());
    line.push_front(std::move(batch.back()));
  }
}

CommandBatch CommandQueue::take_all() {
  std::lock_guard lock(mutex_);
  CommandBatch all;
  while (!usual_.empty()) move_front(usual_, all);
  while (!large_.empty()) move_front(large_, all);
  return all;
}

size_t CommandQueue::large_count() const {
  std::lock_guard lock(mutex_);
  return large_.size();
}

bool CommandQueue::has_next(bool room_for_large) const {
  std::lock_guard lock(mutex_);
  return !usual_.empty() || (room_for_large && !large_.empty());
}

size_t CommandQueue::bytes() const {
  std::lock_guard lock(mutex_);
  return usual_bytes_ + large_bytes_;
}

}  // namespace millrace
