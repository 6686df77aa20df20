#include <gmock/gmock.h>

#include <map>

#include "core/ops/read_cache.h"
#include "core/ops/wire_item.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Answers find() as told, and remembers what it was asked.
class ScriptedCache final : public ReadCache {
 public:
  Outcome find(std::string_view key, Lsn published, ItemForm form, const Use& use,
               std::function<void()> resume) override {
    ++finds;
    last_published = published;
    auto found = items.find(key);
    if (found != items.end()) {
      const std::string& item = found->second;
      const bool absent = item.empty();
      std::string body;
      render_wire_item(absent ? std::nullopt : std::optional(ItemView(item)), body);
      use({form == ItemForm::kWire ? body : item, 7,
           absent ? 0 : static_cast<uint32_t>(charged_size(ItemView(item))), absent});
      return Outcome::kHit;
    }
    if (next == Outcome::kWaiting && resume) {
      next = Outcome::kBusy;
      resumes.push_back(std::move(resume));
      return Outcome::kWaiting;
    }
    return next;
  }
  bool find_expired(std::string_view, Lsn published, ItemForm form, const Use& use) override {
    if (expired.empty()) return false;
    last_published = published;
    std::string body;
    render_wire_item(ItemView(expired), body);
    use({form == ItemForm::kWire ? body : expired, 7,
         static_cast<uint32_t>(charged_size(ItemView(expired))), false});
    return true;
  }
  bool fill(std::string_view key, std::optional<ItemView> item, Lsn view_lsn) override {
    items[std::string(key)] = item ? item->encoded() : "";
    filled_at = view_lsn;
    return fits;
  }
  void abandon(std::string_view) override { ++abandoned; }
  void note_query(std::string_view) override {}

  /// Encoded; empty: absent.
  std::map<std::string, std::string, std::less<>> items;
  std::string expired;  // of every key; empty: nothing
  std::vector<std::function<void()>> resumes;
  Outcome next = Outcome::kMiss;
  bool fits = true;
  int finds = 0, abandoned = 0;
  Lsn last_published = 0, filled_at = 0;
};

class GetItemCache : public testing::Test {
 protected:
  using Outcome = ReadCache::Outcome;
  GetItemCache() {
    node.create_table("films");
    node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'},'n':{'N':'1'}}}");
    node.node().cache = &cache;
  }
  OpsNode::Answer get(const std::string& more = "", const std::string& key = "a") {
    return node.call("GetItem",
                     "{'TableName':'films','Key':{'pk':{'S':'" + key + "'}}" + more + "}");
  }
  OpsNode::Answer batch(const std::string& keys, const std::string& more = "") {
    std::string list;
    for (char key : keys)
      list += (list.empty() ? "{'pk':{'S':'" : ",{'pk':{'S':'") + std::string(1, key) + "'}}";
    return node.call("BatchGetItem",
                     "{'RequestItems':{'films':{'Keys':[" + list + "]" + more + "}}}");
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

TEST_F(GetItemCache, a_miss_says_why) {
  const std::string miss = "x-millrace-cache: miss; lsn=" + lsn();
  cache.next = Outcome::kMissExpired;
  EXPECT_EQ(get().headers, miss + "; why=expired\r\n");
  cache.items.clear();
  cache.fits = false;
  for (const Outcome outcome : {Outcome::kMiss, Outcome::kMissExpired}) {
    cache.next = outcome;
    cache.items.clear();
    EXPECT_EQ(get().headers, miss + "; why=too-large\r\n");
  }
  EXPECT_EQ(batch("b").headers, miss + "; hits=0; keys=1\r\n");
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
  EXPECT_EQ(cache.finds, finds);
  node.node().cache = nullptr;
  EXPECT_EQ(get().headers, header("off"));
}

TEST_F(GetItemCache, projections_and_consumed_capacity_are_answered_from_the_cached_item) {
  get();
  get("", "nobody");
  auto hit = [&](const std::string& more, const std::string& key = "a") {
    OpsNode::Answer answer = get(more, key);
    EXPECT_THAT(answer.headers, StartsWith("x-millrace-cache: hit")) << more;
    node.node().cache = nullptr;
    EXPECT_EQ(answer.body, get(more, key).body) << more;
    node.node().cache = &cache;
    return answer.body;
  };
  EXPECT_EQ(hit(",'ProjectionExpression':'n'"), "{\"Item\":{\"n\":{\"N\":\"1\"}}}");
  EXPECT_EQ(hit(",'AttributesToGet':['n']"), "{\"Item\":{\"n\":{\"N\":\"1\"}}}");
  hit(",'ProjectionExpression':'elsewhere'");
  hit(",'ProjectionExpression':'n'", "nobody");
  hit(",'ReturnConsumedCapacity':'TOTAL'");
  hit(",'ReturnConsumedCapacity':'INDEXES'");
  hit(",'ReturnConsumedCapacity':'TOTAL'", "nobody");
  hit(",'ReturnConsumedCapacity':'TOTAL','ProjectionExpression':'n'");
  hit(",'ReturnConsumedCapacity':'TOTAL','ProjectionExpression':'n'", "nobody");
}

TEST_F(GetItemCache, hits_leave_consumed_capacity_out_if_told_so) {
  node.node().capacity_of_hits = false;
  EXPECT_THAT(get(",'ReturnConsumedCapacity':'TOTAL'").body, HasSubstr("\"CapacityUnits\":0.5"));
  EXPECT_EQ(get(",'ReturnConsumedCapacity':'TOTAL'").body, kItem);
  EXPECT_THAT(node.ok("BatchGetItem",
                      "{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'films':{"
                      "'Keys':[{'pk':{'S':'a'}},{'pk':{'S':'b'}}]}}}"),
              HasSubstr("\"ConsumedCapacity\":[{\"TableName\":\"films\",\"CapacityUnits\":0.5}]"));
  EXPECT_THAT(node.ok("BatchGetItem",
                      "{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'films':{"
                      "'Keys':[{'pk':{'S':'a'}},{'pk':{'S':'b'}}]}}}"),
              Not(HasSubstr("ConsumedCapacity")));
}

TEST_F(GetItemCache, a_table_that_is_not_cached_is_said_to_be_off) {
  cache.next = ReadCache::Outcome::kOff;
  EXPECT_EQ(get().headers, "x-millrace-cache: bypass; lsn=" + lsn() + "; why=off\r\n");
  EXPECT_EQ(batch("a").headers,
            "x-millrace-cache: bypass; lsn=" + lsn() + "; why=off; hits=0; keys=1\r\n");
}

TEST_F(GetItemCache, a_batch_takes_what_is_cached_and_fills_what_is_not) {
  get();
  auto header = [&](const std::string& begin, const std::string& end) {
    return "x-millrace-cache: " + begin + "; lsn=" + lsn() + "; " + end + "\r\n";
  };
  OpsNode::Answer answer = batch("ab");
  EXPECT_EQ(answer.headers, header("miss", "hits=1; keys=2"));
  EXPECT_EQ(batch("ab").headers, header("hit", "hits=2; keys=2"));
  EXPECT_EQ(batch("ab").body, answer.body);
  EXPECT_EQ(cache.last_published, node.engine().published_lsn());
  EXPECT_THAT(batch("ab", ",'ProjectionExpression':'n'").body,
              HasSubstr("[{\"n\":{\"N\":\"1\"}}]"));
  EXPECT_EQ(batch("a", ",'ConsistentRead':true").headers,
            header("bypass", "why=consistent; hits=0; keys=1"));
  node.node().cache = nullptr;
  EXPECT_EQ(batch("ab").headers, header("bypass", "why=off; hits=0; keys=2"));
  EXPECT_EQ(batch("ab").body, answer.body);
}

TEST_F(GetItemCache, a_client_may_have_its_answer_from_the_store) {
  get();
  HttpRequest http;
  http.no_cache = true;
  for (const char* operation : {"GetItem", "BatchGetItem"}) {
    std::string request = R"({"TableName":"films","Key":{"pk":{"S":"a"}}})";
    if (operation[0] == 'B') request = R"({"RequestItems":{"films":{"Keys":[{"pk":{"S":"a"}}]}}})";
    const std::string padded = request + std::string(HttpRequest::kBodyPadding, ' ');
    std::string headers;
    node.operations()
        .find(std::string("DynamoDB_20120810.") + operation)
        ->run(node.node(), Request{std::string_view(padded).substr(0, request.size()), &http},
              Reply([&](int, std::string_view more, std::string_view) { headers = more; }));
    EXPECT_THAT(headers, HasSubstr("bypass; lsn=" + lsn() + "; why=no-cache"));
  }
}

TEST_F(GetItemCache, a_bypass_reads_the_store_and_does_not_fill) {
  for (const auto& [outcome, why] :
       {std::pair(ReadCache::Outcome::kNewer, "newer"), {ReadCache::Outcome::kBusy, "busy"}}) {
    cache.next = outcome;
    const std::string header = "x-millrace-cache: bypass; lsn=" + lsn() + "; why=" + why;
    OpsNode::Answer answer = get();
    EXPECT_EQ(answer.body, kItem);
    EXPECT_EQ(answer.headers, header + "\r\n");
    EXPECT_EQ(batch("a").headers, header + "; hits=0; keys=1\r\n");
    EXPECT_TRUE(cache.items.empty());
  }
}

TEST_F(GetItemCache, an_expired_item_answers_while_the_store_cannot_be_read) {
  get();
  const std::string item = cache.items.begin()->second;
  cache.items.clear();
  node.damage_tables();
  EXPECT_EQ(get().status, 500);
  EXPECT_EQ(batch("a").status, 500);
  EXPECT_EQ(cache.abandoned, 2);

  cache.expired = item;
  const std::string header = "x-millrace-cache: hit; lsn=" + lsn() + "; why=stale-if-error";
  for (auto outcome : {ReadCache::Outcome::kMiss, ReadCache::Outcome::kBusy}) {
    cache.next = outcome;
    cache.last_published = 0;
    const OpsNode::Answer answer = get();
    EXPECT_EQ(answer.body, kItem);
    EXPECT_EQ(answer.headers, header + "\r\n");
    EXPECT_EQ(cache.last_published, node.engine().published_lsn());
    EXPECT_EQ(get(",'ProjectionExpression':'n'").body, "{\"Item\":{\"n\":{\"N\":\"1\"}}}");
    EXPECT_EQ(batch("a").headers, header + "; hits=1; keys=1\r\n");
    EXPECT_THAT(batch("a").body, HasSubstr("\"n\":{\"N\":\"1\"}"));
  }
  EXPECT_EQ(get(",'ConsistentRead':true").status, 500);
  cache.next = ReadCache::Outcome::kOff;
  EXPECT_EQ(get().status, 500);
  EXPECT_EQ(batch("a").status, 500);
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
