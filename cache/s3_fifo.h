#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "cache/ghost_table.h"

namespace millrace::cache {

/// Chosen with the hit-ratio benchmark; see the README's table.
struct S3FifoOptions {
  /// Of the bytes, for the small queue; in (0, 1).
  double small_share = 0.05;
  /// Uses in the small queue that take an entry to the main one. The paper asks for two.
  uint8_t uses_to_stay = 1;
};

/// S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023), counted in
/// bytes: a new entry waits in the small queue; if it was used there it moves to the main queue,
/// else it leaves and its hash is remembered for a while, and if it is read again meanwhile it goes
/// to the main queue at once. So what is read once (a scan) passes through a twentieth of the
/// memory and displaces nothing. A use only counts up: nothing is moved on a hit.
///
/// Node has `Node* newer, *older; uint8_t uses, queue;` and `size_t bytes() const; uint64_t hash()
/// const;`. A node belongs to the caller and is in at most one policy. Not thread-safe but for
/// use().
template <class Node>
class S3Fifo {
 public:
  /// `bytes_target`: what the caller will keep bytes() near, by calling evict().
  explicit S3Fifo(size_t bytes_target, S3FifoOptions options = {})
      : small_bytes_target_(
            static_cast<size_t>(static_cast<double>(bytes_target) * options.small_share)),
        uses_to_stay_(options.uses_to_stay) {}

  /// Links `node`. An entry that comes by a write says nothing about whether anybody reads it, so
  /// only a read consults the memory of what left.
  void insert(Node& node, bool by_read) {
    node.uses = 0;
    const bool returns = by_read && ghosts_.take(node.hash());
    push(returns ? kMain : kSmall, node);
  }

  /// Beside other uses, on any thread, but not beside anything else. What is used much is only
  /// looked at.
  static void use(Node& node) {
    std::atomic_ref<uint8_t> uses(node.uses);
    const uint8_t so_far = uses.load(std::memory_order_relaxed);
    // Of two at the same time one may be lost: it is used much then.
    if (so_far < kUsesMax) uses.store(so_far + 1, std::memory_order_relaxed);
  }

  void remove(Node& node) { unlink(queues_[node.queue], node); }

  /// Puts `fresh` into the place of `old`, which is then unlinked.
  void replace(Node& old, Node& fresh) {
    Queue& queue = queues_[old.queue];
    fresh.newer = old.newer;
    fresh.older = old.older;
    fresh.uses = old.uses;
    fresh.queue = old.queue;
    (old.newer ? old.newer->older : queue.newest) = &fresh;
    (old.older ? old.older->newer : queue.oldest) = &fresh;
    queue.bytes += fresh.bytes();
    queue.bytes -= old.bytes();
    if (hand_ == &old) hand_ = &fresh;
  }

  /// Unlinks and returns the entry that should leave; null if there is none.
  Node* evict() {
    Queue& small = queues_[kSmall];
    Queue& main = queues_[kMain];
    for (;;) {
      if (small.oldest && (small.bytes >= small_bytes_target_ || !main.oldest)) {
        Node& node = *small.oldest;
        unlink(small, node);
        if (node.uses < uses_to_stay_) {
          ghosts_.add(node.hash(), small.count + main.count);
          return &node;
        }
        node.uses = 0;
        push(kMain, node);
      } else if (main.oldest) {
        Node& node = *main.oldest;
        unlink(main, node);
        if (node.uses == 0) return &node;
        --node.uses;
        push(kMain, node);
      } else {
        return nullptr;
      }
    }
  }

  /// A walk over the nodes, the main queue's before the small one's and in each the newest first.
  /// It goes on where it was whatever happens between two steps; what comes or moves meanwhile may
  /// be passed by. Null at the end. There is one walk at a time.
  void begin_walk() {
    walked_ = kMain;
    hand_ = queues_[kMain].newest;
  }
  Node* walk() {
    if (!hand_ && walked_ == kMain) {
      walked_ = kSmall;
      hand_ = queues_[kSmall].newest;
    }
    return hand_ ? std::exchange(hand_, hand_->older) : nullptr;
  }
  static bool is_in_main(const Node& node) { return node.queue == kMain; }

  /// Of the linked nodes.
  size_t bytes() const { return queues_[kSmall].bytes + queues_[kMain].bytes; }
  size_t count() const { return queues_[kSmall].count + queues_[kMain].count; }
  /// Of the policy's own memory.
  size_t overhead_bytes() const { return ghosts_.bytes(); }

 private:
  static constexpr uint8_t kUsesMax = 3;

  enum : uint8_t { kSmall = 0, kMain = 1 };
  struct Queue {
    Node* newest = nullptr;
    Node* oldest = nullptr;
    size_t bytes = 0;
    size_t count = 0;
  };

  void push(uint8_t which, Node& node) {
    Queue& queue = queues_[which];
    node.queue = which;
    node.newer = nullptr;
    node.older = queue.newest;
    (queue.newest ? queue.newest->newer : queue.oldest) = &node;
    queue.newest = &node;
    queue.bytes += node.bytes();
    ++queue.count;
  }

  void unlink(Queue& queue, Node& node) {
    if (hand_ == &node) hand_ = node.older;
    (node.newer ? node.newer->older : queue.newest) = node.older;
    (node.older ? node.older->newer : queue.oldest) = node.newer;
    queue.bytes -= node.bytes();
    --queue.count;
  }

  const size_t small_bytes_target_;
  const uint8_t uses_to_stay_;
  Queue queues_[2];
  uint8_t walked_ = kMain;
  Node* hand_ = nullptr;
  GhostTable ghosts_;
};

}  // namespace millrace::cache
