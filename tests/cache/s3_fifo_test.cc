#include "cache/s3_fifo.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include "core/base/random.h"

namespace millrace::cache {
namespace {

struct Node {
  Node* newer = nullptr;
  Node* older = nullptr;
  uint8_t uses = 0;
  uint8_t queue = 0;
  uint64_t id = 0;
  size_t size = 1;
  size_t bytes() const { return size; }
  uint64_t hash() const { return id * 0x9e3779b97f4a7c15u; }
};

/// A cache of `capacity` nodes of size one.
class Nodes {
 public:
  explicit Nodes(size_t capacity) : capacity_(capacity), policy_(capacity) {}

  bool contains(uint64_t id) const { return nodes_.contains(id); }
  void read(uint64_t id) {
    if (auto it = nodes_.find(id); it != nodes_.end()) return policy_.use(*it->second);
    insert(id, true);
  }
  void write(uint64_t id) { insert(id, false); }

 private:
  void insert(uint64_t id, bool by_read) {
    auto node = std::make_unique<Node>();
    node->id = id;
    policy_.insert(*node, by_read);
    nodes_[id] = std::move(node);
    while (policy_.bytes() > capacity_) nodes_.erase(policy_.evict()->id);
  }

  size_t capacity_;
  S3Fifo<Node> policy_;
  std::map<uint64_t, std::unique_ptr<Node>> nodes_;
};

TEST(S3Fifo, WhatIsUsedAgainOutlivesAScan) {
  Nodes nodes(100);
  for (uint64_t id = 0; id < 50; ++id) nodes.read(id);
  for (uint64_t id = 0; id < 50; ++id) nodes.read(id);
  for (uint64_t id = 1000; id < 2000; ++id) nodes.read(id);
  for (uint64_t id = 0; id < 50; ++id) EXPECT_TRUE(nodes.contains(id)) << id;
}

TEST(S3Fifo, WhatIsReadAgainSoonAfterItLeftStays) {
  Nodes nodes(100);
  for (uint64_t id = 0; id < 120; ++id) nodes.read(id);
  ASSERT_FALSE(nodes.contains(0));
  nodes.read(0);
  for (uint64_t id = 1000; id < 1090; ++id) nodes.read(id);
  EXPECT_TRUE(nodes.contains(0));
}

TEST(S3Fifo, WhatIsOnlyWrittenAgainDoesNotStay) {
  Nodes nodes(100);
  for (uint64_t id = 0; id < 120; ++id) nodes.write(id);
  ASSERT_FALSE(nodes.contains(0));
  nodes.write(0);
  for (uint64_t id = 1000; id < 1200; ++id) nodes.write(id);
  EXPECT_FALSE(nodes.contains(0));
}

TEST(S3Fifo, AnEmptyPolicyEvictsNothing) {
  S3Fifo<Node> policy(10);
  EXPECT_EQ(policy.evict(), nullptr);
}

TEST(S3Fifo, RandomOperationsKeepItsBooks) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    S3Fifo<Node> policy(200);
    std::map<uint64_t, std::unique_ptr<Node>> linked;
    size_t bytes = 0;
    for (int i = 0; i < 5000; ++i) {
      const uint64_t id = random.below(100);
      auto it = linked.find(id);
      if (it == linked.end()) {
        auto node = std::make_unique<Node>();
        node->id = id;
        node->size = 1 + random.below(20);
        bytes += node->size;
        policy.insert(*node, random.one_in(2));
        linked[id] = std::move(node);
      } else if (random.one_in(4)) {
        bytes -= it->second->size;
        policy.remove(*it->second);
        linked.erase(it);
      } else if (random.one_in(3)) {
        auto fresh = std::make_unique<Node>();
        fresh->id = id;
        fresh->size = 1 + random.below(20);
        bytes += fresh->size - it->second->size;
        policy.replace(*it->second, *fresh);
        it->second = std::move(fresh);
      } else {
        policy.use(*it->second);
      }
      while (policy.bytes() > 200) {
        Node* victim = policy.evict();
        ASSERT_NE(victim, nullptr);
        bytes -= victim->size;
        ASSERT_EQ(linked.erase(victim->id), 1u);
      }
      ASSERT_EQ(policy.bytes(), bytes);
      ASSERT_EQ(policy.count(), linked.size());
    }
    while (Node* victim = policy.evict()) ASSERT_EQ(linked.erase(victim->id), 1u);
    EXPECT_TRUE(linked.empty());
    EXPECT_EQ(policy.bytes(), 0u);
  }
}

}  // namespace
}  // namespace millrace::cache
