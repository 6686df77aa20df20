#include "core/store/command_queue.h"

#include <utility>

namespace millrace {

Status CommandQueue::push(std::unique_ptr<Command>&& command) {
  const size_t bytes = command->bytes();
  std::lock_guard lock(mutex_);
  if (bytes_ > 0 && bytes_ + bytes > bytes_max_) {
    return make_error(
        ErrorCode::kThrottling,
        "Throughput exceeds the current capacity: more writes wait than the configured "
        "memory holds");
  }
  bytes_ += bytes;
  line_of(*command).push_back(std::move(command));
  return {};
}

void CommandQueue::move_front(Line& line, CommandBatch& batch) {
  bytes_ -= line.front()->bytes();
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
    bytes_ += batch.back()->bytes();
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
  return bytes_;
}

}  // namespace millrace
