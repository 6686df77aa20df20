#include "cache/s3_fifo.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

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

/// What a walk that is begun now passes, at most `count`.
std::vector<uint64_t> walked(S3Fifo<Node>& policy, size_t count) {
  std::vector<uint64_t> ids;
  while (ids.size() < count) {
    Node* node = policy.walk();
    if (!node) break;
    ids.push_back(node->id);
  }
  return ids;
}

TEST(S3Fifo, AWalkGoesOnWhereItWasWhateverLeavesOrIsReplaced) {
  S3Fifo<Node> policy(100);
  std::vector<Node> nodes(6);
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].id = i;
    policy.insert(nodes[i], true);
  }
  policy.begin_walk();
  EXPECT_EQ(walked(policy, 10), (std::vector<uint64_t>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(policy.walk(), nullptr);
  policy.begin_walk();
  EXPECT_EQ(walked(policy, 2), (std::vector<uint64_t>{5, 4}));
  policy.remove(nodes[3]);
  Node fresh;
  fresh.id = 20;
  policy.replace(nodes[2], fresh);
  Node newcomer;
  newcomer.id = 30;
  policy.insert(newcomer, true);
  EXPECT_EQ(walked(policy, 10), (std::vector<uint64_t>{20, 1, 0}));
}

TEST(S3Fifo, AWalkPassesTheMainQueueFirst) {
  S3Fifo<Node> policy(20);
  std::vector<Node> nodes(3);
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].id = i;
    policy.insert(nodes[i], true);
  }
  policy.use(nodes[0]);
  while (policy.count() > 2) EXPECT_EQ(policy.evict(), &nodes[1]);
  policy.begin_walk();
  EXPECT_EQ(walked(policy, 10), (std::vector<uint64_t>{0, 2}));
  EXPECT_TRUE(policy.is_in_main(nodes[0]));
  EXPECT_FALSE(policy.is_in_main(nodes[2]));
}

}  // namespace
}  // namespace millrace::cache
