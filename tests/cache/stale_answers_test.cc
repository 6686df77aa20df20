// What a whole node counts of answers by expired items, which it gives while its store cannot be
// read.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "../core/ops/ops_node.h"
#include "cache/item_cache.h"

namespace millrace::cache {
namespace {

TEST(StaleAnswers, AreCountedApartFromHits) {
  OpsNode node;
  ItemCache cache({.policy = {.item_ttl_s = 60, .stale_if_error_s = 600}}, node.clock);
  node.engine().add_observer(&cache);
  node.node().cache = &cache;
  node.create_table("films");
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'}}}");
  const std::string get = "{'TableName':'films','Key':{'pk':{'S':'a'}}}";
  const std::string batch = "{'RequestItems':{'films':{'Keys':[{'pk':{'S':'a'}}]}}}";
  node.ok("GetItem", get);
  node.ok("BatchGetItem", batch);
  EXPECT_EQ(cache.statistics().hits, 2u);
  EXPECT_EQ(cache.statistics().misses, 0u);

  struct Alarm final : RequestObserver {
    void on_answer(const Operation&, int, int64_t) override {}
    void on_damage(const Error&) override { ++told; }
    int told = 0;
  } alarm;
  node.node().observer = &alarm;
  node.clock.advance(61'000);
  node.damage_tables();
  for (const auto& [operation, request] :
       {std::pair("GetItem", get), std::pair("BatchGetItem", batch)}) {
    const OpsNode::Answer answer = node.call(operation, request);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.headers.find("; why=stale-if-error"), std::string::npos) << answer.headers;
  }
  EXPECT_EQ(alarm.told, 2) << "that it could be answered does not mend the store";
  node.node().observer = nullptr;
  const ItemCacheStatistics statistics = cache.statistics();
  EXPECT_EQ(statistics.stale_answers, 2u);
  EXPECT_EQ(statistics.hits, 2u);
  EXPECT_EQ(statistics.misses, 2u) << "each tried the store first";
}

}  // namespace
}  // namespace millrace::cache
