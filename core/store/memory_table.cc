#include "core/store/memory_table.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace millrace {
namespace {

constexpr uint32_t kRemoved = std::numeric_limits<uint32_t>::max();
constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kCacheLineBytes = 64;

// A walk goes so many versions on one by one, then by a seek: a hot key may have 100,000.
constexpr int kStepsMax = 8;

// Ordered as the bytes are, as far as they go.
uint64_t prefix_number(std::string_view key, size_t at) {
  char bytes[8] = {};
  if (key.size() > at) std::memcpy(bytes, key.data() + at, std::min<size_t>(8, key.size() - at));
  return get_big_endian64(bytes);
}

// Where a key at an LSN belongs.
struct Position {
  Position(std::string_view the_key, Lsn the_lsn)
      : prefix{prefix_number(the_key, 0), prefix_number(the_key, 8)}, key(the_key), lsn(the_lsn) {}
  uint64_t prefix[2];
  std::string_view key;
  Lsn lsn;
};

}  // namespace

// What a search compares and follows, a cache line for most; key and image are elsewhere.
struct MemoryTable::Node {
  Lsn lsn;
  uint64_t hash;
  std::atomic<Node*> next_in_bucket;
  uint64_t prefix[2];  // the key's first 16 bytes as numbers: table, and hash of the partition
  const char* bytes;   // key, then image
  uint32_t key_size;
  uint32_t image_size;  // kRemoved for a removal
  std::atomic<Node*> next[1];

  std::string_view key() const { return {bytes, key_size}; }
  Version version() const {
    if (image_size == kRemoved) return {lsn, std::nullopt};
    return {lsn, std::string_view(bytes + key_size, image_size)};
  }
  Node* after(int level) const { return next[level].load(std::memory_order_acquire); }
  bool before(const Position& other) const {
    if (prefix[0] != other.prefix[0]) return prefix[0] < other.prefix[0];
    if (prefix[1] != other.prefix[1]) return prefix[1] < other.prefix[1];
    int order = key().compare(other.key);
    return order < 0 || (order == 0 && lsn > other.lsn);
  }
  bool is_of(std::string_view other_key, uint64_t other_hash) const {
    return hash == other_hash && key() == other_key;
  }
  /// The version of the same key before this one: the next in order, if it is of the same key. What
  /// is inserted later comes before the newest version or belongs to another key.
  const Node* older() const {
    const Node* following = after(0);
    return following != nullptr && following->is_of(key(), hash) ? following : nullptr;
  }
};

MemoryTable::MemoryTable()
    : buckets_(static_cast<std::atomic<Node*>*>(std::calloc(kBuckets, sizeof(std::atomic<Node*>))),
               std::free),
      head_(new_node({}, 0, std::nullopt, kHeightMax)) {
  bytes_.store(0, std::memory_order_relaxed);
}

MemoryTable::~MemoryTable() = default;

char* MemoryTable::Arena::allocate(size_t size, size_t alignment) {
  if (size > kBlockBytes / 4) {
    blocks.push_back(std::make_unique_for_overwrite<char[]>(size));
    return blocks.back().get();
  }
  size_t skipped = -reinterpret_cast<uintptr_t>(free) % alignment;
  if (skipped + size > free_bytes) {
    blocks.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    free = blocks.back().get();
    free_bytes = kBlockBytes;
    skipped = -reinterpret_cast<uintptr_t>(free) % alignment;
  }
  char* result = free + skipped;
  free += skipped + size;
  free_bytes -= skipped + size;
  return result;
}

MemoryTable::Node* MemoryTable::new_node(std::string_view key, Lsn lsn,
                                         std::optional<std::string_view> image, int height) {
  static_assert(sizeof(Node) == kCacheLineBytes);
  const size_t node_bytes =
      sizeof(Node) + sizeof(std::atomic<Node*>) * static_cast<size_t>(height - 1);
  const size_t content_bytes = key.size() + (image ? image->size() : 0);
  char* bytes = contents_.allocate(content_bytes, 1);
  Node* node = new (nodes_.allocate(node_bytes, kCacheLineBytes))
      Node{lsn,
           xxh3_64(key),
           {},
           {prefix_number(key, 0), prefix_number(key, 8)},
           bytes,
           static_cast<uint32_t>(key.size()),
           image ? static_cast<uint32_t>(image->size()) : kRemoved,
           {}};
  for (int level = 0; level < height; ++level) {
    new (&node->next[level]) std::atomic<Node*>(nullptr);
  }
  if (!key.empty()) std::memcpy(bytes, key.data(), key.size());
  if (image && !image->empty()) std::memcpy(bytes + key.size(), image->data(), image->size());
  bytes_.fetch_add(node_bytes + content_bytes, std::memory_order_relaxed);
  return node;
}

int MemoryTable::random_height() {
  // xorshift64: one level in four goes one higher.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  int height = 1;
  for (uint64_t bits = random_; height < kHeightMax && (bits & 3) == 0; bits >>= 2) ++height;
  return height;
}

const MemoryTable::Node* MemoryTable::seek(std::string_view key, Lsn lsn, Node** previous) const {
  const Position position(key, lsn);
  Node* node = head_;
  for (int level = height_.load(std::memory_order_relaxed) - 1;; --level) {
    Node* next = node->after(level);
    while (next != nullptr && next->before(position)) {
      node = next;
      next = node->after(level);
    }
    if (previous != nullptr) previous[level] = node;
    // The very node that was compared: reading the link again could give one inserted since.
    if (level == 0) return next;
  }
}

const MemoryTable::Node* MemoryTable::seek_before(std::string_view key, Lsn lsn) const {
  const Position position(key, lsn);
  Node* node = head_;
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
    for (Node* next = node->after(level); next != nullptr && next->before(position);
         next = node->after(level)) {
      node = next;
    }
  }
  return node == head_ ? nullptr : node;
}

const MemoryTable::Node* MemoryTable::last() const {
  Node* node = head_;
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
    for (Node* next = node->after(level); next != nullptr; next = node->after(level)) node = next;
  }
  return node == head_ ? nullptr : node;
}

void MemoryTable::insert(std::string_view key, Lsn lsn, std::optional<std::string_view> image) {
  if (!image) ++removals_;
  Node* previous[kHeightMax];
  seek(key, lsn, previous);
  int height = random_height();
  int old_height = height_.load(std::memory_order_relaxed);
  for (int level = old_height; level < height; ++level) previous[level] = head_;
  // A reader that sees the new height before the links finds null links at head_: an empty level.
  if (height > old_height) height_.store(height, std::memory_order_relaxed);
  Node* node = new_node(key, lsn, image, height);
  for (int level = 0; level < height; ++level) {
    node->next[level].store(previous[level]->after(level), std::memory_order_relaxed);
    previous[level]->next[level].store(node, std::memory_order_release);
  }
  link_newest(node);
}

void MemoryTable::link_newest(Node* node) {
  std::atomic<Node*>* link = &buckets_[node->hash % kBuckets];
  Node* other = link->load(std::memory_order_relaxed);
  while (other != nullptr && !other->is_of(node->key(), node->hash)) {
    link = &other->next_in_bucket;
    other = link->load(std::memory_order_relaxed);
  }
  // A reader that stands at the version replaced goes on from it as before: its link stays.
  Node* next = other == nullptr ? nullptr : other->next_in_bucket.load(std::memory_order_relaxed);
  node->next_in_bucket.store(next, std::memory_order_relaxed);
  link->store(node, std::memory_order_release);
}

std::optional<MemoryTable::Version> MemoryTable::get(std::string_view key, Lsn lsn) const {
  uint64_t hash = xxh3_64(key);
  const Node* node = buckets_[hash % kBuckets].load(std::memory_order_acquire);
  while (node != nullptr && !node->is_of(key, hash)) {
    node = node->next_in_bucket.load(std::memory_order_acquire);
  }
  while (node != nullptr && node->lsn > lsn) node = node->older();
  if (node == nullptr) return std::nullopt;
  return node->version();
}

MemoryTable::Walk::Walk(const MemoryTable& table, Lsn lsn) : table_(table), lsn_(lsn) {}

// Moves on from a node that is the first of its key at or after the wanted one to the newest
// version that is visible at lsn_, skipping keys that have none.
void MemoryTable::Walk::settle() {
  auto* node = static_cast<const Node*>(node_);
  for (int steps = 0; node != nullptr && node->lsn > lsn_; ++steps) {
    node = steps < kStepsMax ? node->after(0) : table_.seek(node->key(), lsn_, nullptr);
  }
  node_ = node;
}

void MemoryTable::Walk::seek(std::string_view key) {
  node_ = table_.seek(key, std::numeric_limits<Lsn>::max(), nullptr);
  settle();
}

void MemoryTable::Walk::seek_before(std::string_view key) {
  const Node* node =
      key.empty() ? table_.last() : table_.seek_before(key, std::numeric_limits<Lsn>::max());
  // `node` is the oldest version of its key; the newest visible one precedes or equals it.
  while (node != nullptr && node->lsn > lsn_) {
    node = table_.seek_before(node->key(), std::numeric_limits<Lsn>::max());
  }
  node_ = node == nullptr ? nullptr : table_.seek(node->key(), lsn_, nullptr);
}

void MemoryTable::Walk::next() {
  auto* node = static_cast<const Node*>(node_);
  std::string_view key = node->key();
  int steps = 0;
  do {
    // Behind all of its versions, for none has LSN 0.
    node = steps++ < kStepsMax ? node->after(0) : table_.seek(key, 0, nullptr);
  } while (node != nullptr && node->key() == key);
  node_ = node;
  settle();
}

void MemoryTable::Walk::previous() {
  std::string_view key = static_cast<const Node*>(node_)->key();
  seek_before(key);
}

std::string_view MemoryTable::Walk::key() const { return static_cast<const Node*>(node_)->key(); }

MemoryTable::Version MemoryTable::Walk::version() const {
  return static_cast<const Node*>(node_)->version();
}

bool MemoryTable::Walk::has_older() const {
  return static_cast<const Node*>(node_)->older() != nullptr;
}

}  // namespace millrace
