#include <gmock/gmock.h>

#include <map>

#include "core/model/item_json.h"
#include "core/ops/read_cache.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Answers find() as told, and remembers what it was asked.
class ScriptedCache final : public ReadCache {
 public:
  Outcome find(std::string_view key, Lsn published,
               const std::function<void(const CachedAnswer&)>& use,
               std::function<void()> resume) override {
    ++finds;
    last_published = published;
    auto found = bodies.find(key);
    if (found != bodies.end()) {
      use({found->second, 7, false});
      return Outcome::kHit;
    }
    if (next == Outcome::kWaiting) {
      next = Outcome::kBypass;
      resumes.push_back(std::move(resume));
      return Outcome::kWaiting;
    }
    return next;
  }
  void fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) override {
    std::string body = "{";
    if (item) {
      body += "\"Item\":";
      render_item(*item, body);
    }
    bodies[std::string(key)] = body + "}";
    filled_at = view_lsn;
  }
  void abandon(std::string_view) override { ++abandoned; }

  std::map<std::string, std::string, std::less<>> bodies;
  std::vector<std::function<void()>> resumes;
  Outcome next = Outcome::kMiss;
  int finds = 0, abandoned = 0;
  Lsn last_published = 0, filled_at = 0;
};

class GetItemCache : public testing::Test {
 protected:
  GetItemCache() {
    node.create_table("films");
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'},'n':{'N':'1'}}}");
    node.node().cache = &cache;
  }
  OpsNode::Answer get(const std::string& more = "", const std::string& key = "a") {
    return node.call("GetItem",
                     "{'TableName':'films','Key':{'pk':{'S':'" + key + "'}}" + more + "}");
  }
  std::string lsn() { return std::to_string(node.engine().published_lsn()); }

  OpsNode node;
  ScriptedCache cache;
};

constexpr char kItem[] = "{\"Item\":{\"n\":{\"N\":\"1\"},\"pk\":{\"S\":\"a\"}}}";

TEST_F(GetItemCache, a_miss_fills_and_the_next_read_hits) {
  OpsNode::Answer answer = get();
  EXPECT_EQ(answer.body, kItem);
  EXPECT_EQ(answer.headers, "x-millrace-cache: miss; lsn=" + lsn() + "\r\n");
  EXPECT_EQ(cache.filled_at, node.engine().published_lsn());
  answer = get();
  EXPECT_EQ(answer.body, kItem);
  EXPECT_EQ(answer.headers, "x-millrace-cache: hit; lsn=" + lsn() + "\r\n");
  EXPECT_EQ(cache.last_published, node.engine().published_lsn());
}

TEST_F(GetItemCache, absence_is_filled_too) {
  EXPECT_EQ(get("", "nobody").body, "{}");
  EXPECT_THAT(get("", "nobody").headers, StartsWith("x-millrace-cache: hit"));
}

TEST_F(GetItemCache, reads_that_the_cache_cannot_serve_go_past_it) {
  get();
  int finds = cache.finds;
  auto header = [&](const std::string& why) {
    return "x-millrace-cache: bypass; lsn=" + lsn() + "; why=" + why + "\r\n";
  };
  EXPECT_EQ(get(",'ConsistentRead':true").headers, header("consistent"));
  EXPECT_EQ(get(",'ProjectionExpression':'n'").headers, header("projection"));
  EXPECT_EQ(get(",'ProjectionExpression':'n'").body, "{\"Item\":{\"n\":{\"N\":\"1\"}}}");
  EXPECT_EQ(get(",'ReturnConsumedCapacity':'TOTAL'").headers, header("capacity"));
  EXPECT_EQ(cache.finds, finds);
  node.node().cache = nullptr;
  EXPECT_EQ(get().headers, header("off"));
}

TEST_F(GetItemCache, a_bypass_reads_the_store_and_does_not_fill) {
  cache.next = ReadCache::Outcome::kBypass;
  OpsNode::Answer answer = get();
  EXPECT_EQ(answer.body, kItem);
  EXPECT_EQ(answer.headers, "x-millrace-cache: bypass; lsn=" + lsn() + "; why=cache\r\n");
  EXPECT_TRUE(cache.bodies.empty());
}

TEST_F(GetItemCache, a_waiting_read_goes_on_when_it_is_resumed) {
  cache.next = ReadCache::Outcome::kWaiting;
  std::string request = "{\"TableName\":\"films\",\"Key\":{\"pk\":{\"S\":\"a\"}}}";
  std::string padded = request + std::string(HttpRequest::kBodyPadding, ' ');
  std::vector<OpsNode::Answer> answers;
  node.operations()
      .find("DynamoDB_20120810.GetItem")
      ->run(node.node(), Request{std::string_view(padded).substr(0, request.size())},
            Reply([&](int status, std::string_view headers, std::string_view body) {
              answers.push_back({status, std::string(headers), std::string(body)});
            }));
  EXPECT_TRUE(answers.empty());
  padded.assign(padded.size(), '!');  // the request is gone by then
  ASSERT_EQ(cache.resumes.size(), 1u);
  cache.resumes[0]();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body, kItem);
}

TEST_F(GetItemCache, hits_allocate_no_reader_state_that_could_leak_into_the_next) {
  get();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(get().body, kItem);
    EXPECT_EQ(get("", "other").body, "{}");
  }
}

}  // namespace
}  // namespace millrace
