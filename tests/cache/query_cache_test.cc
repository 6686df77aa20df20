#include "cache/query_cache.h"

#include <gmock/gmock.h>

#include "cache_fixture.h"
#include "pages_fixture.h"

namespace millrace::cache {
namespace {

class QueryCachePages : public testing::Test {
 protected:
  QueryCachePages() {
    pages.create_scores();
    pages.put("ann", "chess", 1);
    pages.put("ann", "go", 2);
    pages.put("bob", "chess", 3);
  }
  std::string query(const std::string& request) { return pages.outcome("Query", request); }
  std::string scan(const std::string& more = "") {
    return pages.outcome("Scan", "{'TableName':'scores'" + more + "}");
  }
  void expect_void(const std::string& operation, const std::string& request,
                   const std::function<void()>& change) {
    pages.outcome(operation, request);
    EXPECT_EQ(pages.outcome(operation, request), "hit");
    change();
    EXPECT_EQ(pages.outcome(operation, request), "miss");
  }
  static std::string of_user(const std::string& user, const std::string& more = "") {
    return CachedPagesNode::query_of("user", user, more);
  }
  static std::string of_game(const std::string& game, const std::string& more = "") {
    return CachedPagesNode::query_of("game", game, ",'IndexName':'byGame'" + more);
  }

  ManualClock clock;
  QueryCache cache{QueryCacheOptions{}, clock};
  CachedPagesNode pages{cache, cache};
};

TEST_F(QueryCachePages, the_second_of_two_equal_pages_hits) {
  EXPECT_EQ(query(of_user("ann")), "miss");
  EXPECT_EQ(query(of_user("ann")), "hit");
  EXPECT_EQ(scan(), "miss");
  EXPECT_EQ(scan(), "hit");
  const QueryCacheStatistics statistics = cache.statistics();
  EXPECT_EQ(statistics.queries.hits, 1u);
  EXPECT_EQ(statistics.queries.misses, 1u);
  EXPECT_EQ(statistics.scans.hits, 1u);
  EXPECT_EQ(statistics.scans.misses, 1u);
  EXPECT_EQ(statistics.entries, 2u);
}

TEST_F(QueryCachePages, a_change_voids_the_queries_of_its_partition_alone) {
  query(of_user("ann"));
  query(of_user("bob"));
  pages.put("ann", "chess", 5);
  EXPECT_EQ(query(of_user("ann")), "miss");
  EXPECT_EQ(query(of_user("bob")), "hit");
  EXPECT_EQ(cache.statistics().voids, 1u);
}

TEST_F(QueryCachePages, a_write_that_changes_nothing_voids_nothing) {
  query(of_user("ann"));
  pages.put("ann", "chess", 1);
  EXPECT_EQ(query(of_user("ann")), "hit");
}

TEST_F(QueryCachePages, any_change_of_the_table_voids_its_scans) {
  expect_void("Scan", "{'TableName':'scores'}", [&] { pages.put("cat", "go", 1); });
  expect_void("Scan", "{'TableName':'scores','Segment':1,'TotalSegments':4}",
              [&] { pages.put("dan", "go", 1); });
  expect_void("Scan", "{'TableName':'scores','IndexName':'byGame','Select':'COUNT'}",
              [&] { pages.put("eve", "go", 1); });
}

TEST_F(QueryCachePages, a_query_of_an_index_is_void_once_its_entries_change) {
  query(of_game("chess"));
  pages.put("ann", "chess", 1, ",'level':{'N':'7'}");  // not in the index
  EXPECT_EQ(query(of_game("chess")), "hit");
  expect_void("Query", of_game("chess"), [&] { pages.put("ann", "chess", 9); });
  expect_void("Query", of_game("chess"), [&] { pages.put("cat", "chess", 1); });
  expect_void("Query", of_game("chess"), [&] {
    pages.node.ok("DeleteItem",
                  "{'TableName':'scores','Key':{'user':{'S':'cat'},'game':{'S':'chess'}}}");
  });
}

TEST_F(QueryCachePages, a_page_completed_from_the_table_is_void_once_an_item_changes) {
  int level = 0;
  auto change = [&] {
    pages.put("ann", "chess", 1, ",'level':{'N':'" + std::to_string(++level) + "'}");
  };
  expect_void("Query", of_user("ann", ",'IndexName':'localKeys','Select':'ALL_ATTRIBUTES'"),
              change);
  expect_void("Scan", "{'TableName':'scores','IndexName':'localKeys','Select':'ALL_ATTRIBUTES'}",
              change);
  const std::string keys_alone = of_user("ann", ",'IndexName':'localKeys'");
  query(keys_alone);
  change();
  EXPECT_EQ(query(keys_alone), "hit");
}

TEST_F(QueryCachePages, batches_transactions_and_updates_void) {
  expect_void("Query", of_user("ann"), [&] {
    pages.node.ok("BatchWriteItem", "{'RequestItems':{'scores':[{'PutRequest':{'Item':" +
                                        CachedPagesNode::score_of("ann", "chess", 20) + "}}]}}");
  });
  expect_void("Query", of_user("ann"), [&] {
    pages.node.ok("TransactWriteItems", "{'TransactItems':[{'Put':{'TableName':'scores','Item':" +
                                            CachedPagesNode::score_of("ann", "chess", 21) +
                                            "}},{'Put':{'TableName':'scores','Item':" +
                                            CachedPagesNode::score_of("bob", "go", 1) + "}}]}");
  });
  expect_void("Query", of_game("chess"), [&] {
    pages.node.ok("UpdateItem",
                  "{'TableName':'scores','Key':{'user':{'S':'ann'},'game':{'S':'chess'}},"
                  "'UpdateExpression':'SET score = :s','ExpressionAttributeValues':{':s':{'N':'22'}"
                  "}}");
  });
}

TEST_F(QueryCachePages, deletion_of_expired_items_voids) {
  pages.node.ok("UpdateTimeToLive",
                "{'TableName':'scores','TimeToLiveSpecification':{'Enabled':true,"
                "'AttributeName':'until'}}");
  pages.put("ann", "chess", 1, ",'until':{'N':'1700000001'}");
  expect_void("Query", of_user("ann"), [&] {
    pages.node.clock.advance(24 * 3'600'000);
    pages.node.work();
  });
}

TEST_F(QueryCachePages, an_index_or_table_made_again_starts_with_nothing) {
  query(of_game("chess"));
  pages.node.ok("UpdateTable",
                "{'TableName':'scores','GlobalSecondaryIndexUpdates':[{'Delete':{'IndexName':"
                "'byGame'}}]}");
  pages.node.work();
  EXPECT_EQ(pages.node.call("Query", of_game("chess")).status, 400);
  pages.node.ok("UpdateTable",
                "{'TableName':'scores','AttributeDefinitions':[{'AttributeName':'game',"
                "'AttributeType':'S'},{'AttributeName':'score','AttributeType':'N'}],"
                "'GlobalSecondaryIndexUpdates':[{'Create':" +
                    CachedPagesNode::by_game() + "}]}");
  pages.node.work();
  EXPECT_EQ(query(of_game("chess")), "miss");
  query(of_user("ann"));
  pages.node.ok("DeleteTable", "{'TableName':'scores'}");
  pages.node.work();
  pages.create_scores();
  EXPECT_EQ(query(of_user("ann")), "miss");
  EXPECT_EQ(query(of_game("chess")), "miss");
}

TEST_F(QueryCachePages, strong_reads_go_past_it_and_do_not_fill) {
  const std::string strong = of_user("ann", ",'ConsistentRead':true");
  const OpsNode::Answer answer = pages.node.call("Query", strong);
  EXPECT_THAT(answer.headers, testing::EndsWith("; why=consistent\r\n"));
  EXPECT_EQ(query(strong), "bypass");
  EXPECT_EQ(query(of_user("ann")), "miss");
  EXPECT_THAT(pages.uncached("Query", strong).headers, testing::EndsWith("; why=off\r\n"));
}

TEST_F(QueryCachePages, requests_that_mean_the_same_share_a_page) {
  const std::string one =
      "{'TableName':'scores','KeyConditionExpression':'#u = :u','FilterExpression':'score > :s',"
      "'ExpressionAttributeNames':{'#u':'user'},"
      "'ExpressionAttributeValues':{':u':{'S':'ann'},':s':{'N':'1'}}}";
  const std::string other =
      "{ 'ExpressionAttributeValues' : {':b':{'N':'1'},':a':{'S':'ann'}},"
      "'ExpressionAttributeNames':{'#n':'score','#user':'user'},'ScanIndexForward':true,"
      "'FilterExpression':'(#n>:b)','KeyConditionExpression':'#user=:a','TableName':'scores'}";
  EXPECT_EQ(query(one), "miss");
  EXPECT_EQ(query(other), "hit");
}

TEST_F(QueryCachePages, requests_that_mean_different_things_do_not) {
  for (const std::string& more : {
           std::string(),
           std::string(",'Limit':1"),
           std::string(",'Limit':2"),
           std::string(",'ScanIndexForward':false"),
           std::string(",'Select':'COUNT'"),
           std::string(",'ProjectionExpression':'score'"),
           std::string(",'ProjectionExpression':'game'"),
           std::string(",'ProjectionExpression':'game, score'"),
           std::string(",'IndexName':'localKeys'"),
           std::string(",'IndexName':'localKeys','Select':'ALL_ATTRIBUTES'"),
           std::string(",'FilterExpression':'attribute_exists(score)'"),
           std::string(",'FilterExpression':'attribute_exists(stage)'"),
           std::string(",'FilterExpression':'attribute_not_exists(stage)'"),
           std::string(",'ExclusiveStartKey':{'user':{'S':'ann'},'game':{'S':'chess'}}"),
       }) {
    EXPECT_EQ(query(of_user("ann", more)), "miss") << more;
    EXPECT_EQ(query(of_user("ann", more)), "hit") << more;
  }
}

TEST_F(QueryCachePages, a_hit_shows_the_capacity_of_a_read_of_the_store) {
  pages.put("ann", "go", 2, ",'more':{'S':'" + std::string(9000, 'x') + "'}");
  for (const std::string& more : {std::string(), std::string(",'IndexName':'localKeys'"),
                                  std::string(",'IndexName':'localKeys','Select':"
                                              "'ALL_ATTRIBUTES'")}) {
    EXPECT_EQ(query(of_user("ann", more)), "miss");
    EXPECT_EQ(query(of_user("ann", more + ",'ReturnConsumedCapacity':'TOTAL'")), "hit");
    EXPECT_EQ(query(of_user("ann", more + ",'ReturnConsumedCapacity':'INDEXES'")), "hit");
  }
  query(of_game("go", ",'ReturnConsumedCapacity':'INDEXES'"));
  EXPECT_EQ(query(of_game("go")), "hit");
}

TEST_F(QueryCachePages, hits_leave_the_capacity_out_if_they_are_told_to) {
  pages.node.node().capacity_of_hits = false;
  const std::string request = of_user("ann", ",'ReturnConsumedCapacity':'TOTAL'");
  EXPECT_THAT(pages.node.call("Query", request).body, testing::HasSubstr("ConsumedCapacity"));
  EXPECT_EQ(pages.node.call("Query", request).body, pages.uncached("Query", of_user("ann")).body);
}

TEST_F(QueryCachePages, a_page_expires_at_its_time_to_live) {
  query(of_user("ann"));
  clock.advance_s(262);
  EXPECT_EQ(query(of_user("ann")), "hit");
  clock.advance_s(38);
  EXPECT_EQ(query(of_user("ann")), "miss");
  EXPECT_EQ(cache.statistics().expirations, 1u);
}

TEST_F(QueryCachePages, a_miss_says_why) {
  const auto why = [this](const std::string& request) {
    const std::string header = pages.node.call("Query", request).headers;
    const size_t at = header.find("; why=");
    return at == std::string::npos ? "" : header.substr(at + 6, header.size() - at - 8);
  };
  EXPECT_EQ(why(of_user("ann")), "");
  pages.put("ann", "chess", 5);
  EXPECT_EQ(why(of_user("ann")), "changed");
  clock.advance_s(300);
  EXPECT_EQ(why(of_user("ann")), "expired");
  QueryCache small(QueryCacheOptions{.bytes_max = 64u << 10, .shards = 1}, clock);
  pages.node.node().pages = &small;
  for (int i = 0; i < 100; ++i) pages.put("bob", std::string(200, 'g') + std::to_string(i), i);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(why(of_user("bob")), "too-large");
  pages.node.node().pages = &cache;
}

TEST_F(QueryCachePages, a_table_is_cached_by_its_policy) {
  const Generation scores = pages.node.node().catalog.find("scores")->generation;
  cache.set_policies({{scores, {.query_ttl_s = 20}}});
  query(of_user("ann"));
  EXPECT_EQ(query(of_user("ann")), "hit");
  clock.advance_s(20);
  EXPECT_EQ(query(of_user("ann")), "miss");
  cache.set_policies({{scores, {.enabled = false}}});
  const std::string by_game = pages.query_of("game", "chess", ",'IndexName':'byGame'");
  for (const std::string& request : {of_user("ann"), by_game}) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(query(request), "bypass");
  }
}

TEST_F(QueryCachePages, the_pages_of_a_table_are_counted_and_dropped) {
  const Generation scores = pages.node.node().catalog.find("scores")->generation;
  const std::string requests[] = {of_user("ann"), of_user("bob"),
                                  pages.query_of("game", "chess", ",'IndexName':'byGame'")};
  for (const std::string& request : requests) query(request);
  EXPECT_EQ(cache.table_shares().at(scores).entries, 3u);
  EXPECT_GT(cache.table_shares().at(scores).bytes, 0u);
  pages.put("ann", "chess", 77);
  query(requests[0]);
  EXPECT_EQ(cache.table_shares().at(scores).entries, 3u) << "one took the place of another";
  EXPECT_EQ(cache.clear(scores + 1'000'000), 0u);
  EXPECT_EQ(cache.clear(scores), 3u);
  EXPECT_TRUE(cache.table_shares().empty());
  for (const std::string& request : requests) EXPECT_EQ(query(request), "miss");
}

// The rules alone, one page asked for by its key.
class QueryCacheRules : public testing::Test {
 protected:
  PageCache::Outcome find(Lsn published, std::function<void()> resume = {}) {
    return cache.find(
        question, published, [&](const CachedPage& page) { body = page.body; }, std::move(resume));
  }
  void change(Lsn lsn) { cache.on_commit(frame_of(lsn, {{key_named("ann"), item_of(lsn)}})); }

  ManualClock clock;
  QueryCache cache{QueryCacheOptions{.bytes_max = 1u << 20, .shards = 1}, clock};
  PageQuestion question{
      PageQuestion::Kind::kScan, "page", {kTestGeneration, {}}, {}, kTestGeneration};
  std::string body;
};

TEST_F(QueryCacheRules, nothing_above_the_published_lsn_is_served) {
  EXPECT_EQ(find(5), PageCache::Outcome::kMiss);
  cache.fill(question, "{}", {}, 7);
  EXPECT_EQ(find(6), PageCache::Outcome::kNewer);
  EXPECT_EQ(find(7), PageCache::Outcome::kHit);
}

TEST_F(QueryCacheRules, a_slow_fill_does_not_bring_back_the_past) {
  find(5);
  change(6);
  cache.fill(question, "old", {}, 5);
  EXPECT_EQ(cache.statistics().fills_refused, 1u);
  EXPECT_EQ(find(6), PageCache::Outcome::kMiss);
  cache.fill(question, "new", {}, 6);
  EXPECT_EQ(find(6), PageCache::Outcome::kHit);
  EXPECT_EQ(body, "new");
}

TEST_F(QueryCacheRules, a_change_told_and_not_published_voids) {
  find(5);
  cache.fill(question, "old", {}, 5);
  change(6);
  EXPECT_EQ(find(5), PageCache::Outcome::kMissChanged);
  cache.fill(question, "old", {}, 5);
  EXPECT_NE(find(5), PageCache::Outcome::kHit);
}

TEST_F(QueryCacheRules, misses_of_one_page_share_a_read) {
  EXPECT_EQ(find(5), PageCache::Outcome::kMiss);
  int resumed = 0;
  EXPECT_EQ(find(5, [&] { ++resumed; }), PageCache::Outcome::kWaiting);
  EXPECT_EQ(find(5), PageCache::Outcome::kBusy) << "it cannot wait";
  cache.fill(question, "{}", {}, 5);
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(find(5), PageCache::Outcome::kHit);
}

TEST_F(QueryCacheRules, a_failed_read_lets_the_waiting_go_on) {
  find(5);
  int resumed = 0;
  find(5, [&] { ++resumed; });
  cache.abandon(question);
  EXPECT_EQ(resumed, 1);
  EXPECT_NE(find(5), PageCache::Outcome::kHit);
}

TEST_F(QueryCacheRules, the_limit_holds_and_large_pages_are_not_kept) {
  for (int i = 0; i < 200; ++i) {
    question.key = "page " + std::to_string(i);
    find(5);
    cache.fill(question, std::string(20'000, 'x'), {}, 5);
    EXPECT_LE(cache.statistics().bytes, 1u << 20);
  }
  EXPECT_GT(cache.statistics().evictions, 0u);
  EXPECT_GT(cache.statistics().evicted_bytes, 20'000 * cache.statistics().evictions);
  question.key = "large";
  find(5);
  cache.fill(question, std::string(400'000, 'x'), {}, 5);
  EXPECT_NE(find(5), PageCache::Outcome::kHit);
  const size_t entries = cache.statistics().entries;
  EXPECT_EQ(cache.table_shares().at(kTestGeneration).entries, entries);
  EXPECT_EQ(cache.clear(), entries);
  EXPECT_EQ(cache.statistics().entries, 0u);
}

}  // namespace
}  // namespace millrace::cache
