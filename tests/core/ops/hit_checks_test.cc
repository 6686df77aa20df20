#include "core/ops/hit_checks.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "core/ops/wire_item.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// Has one item for every key, as of every LSN: right or stale.
class OneItemCache final : public ReadCache {
 public:
  Outcome find(std::string_view, Lsn published, ItemForm form, const Use& use,
               std::function<void()>) override {
    last_published = published;
    std::optional<ItemView> view;
    if (!item.empty()) view = ItemView(item);
    std::string body;
    render_wire_item(view, body);
    use({form == ItemForm::kWire ? body : item, 7,
         view ? static_cast<uint32_t>(charged_size(*view)) : 0, item.empty()});
    return Outcome::kHit;
  }
  bool find_expired(std::string_view, Lsn, ItemForm, const Use&) override { return false; }
  bool fill(std::string_view, std::optional<ItemView>, Lsn) override {
    ADD_FAILURE() << "no miss";
    return true;
  }
  void abandon(std::string_view) override { FAIL() << "no miss"; }
  void note_query(std::string_view) override {}

  std::string item;  // encoded; empty: absent
  Lsn last_published = 0;
};

/// Has one page for every question.
class OnePageCache final : public PageCache {
 public:
  Outcome find(const PageQuestion&, Lsn published,
               const std::function<void(const CachedPage&)>& use, std::function<void()>) override {
    last_published = published;
    use({body, 7, size});
    return Outcome::kHit;
  }
  bool fill(const PageQuestion&, std::string_view, PageSize, Lsn) override {
    ADD_FAILURE() << "no miss";
    return true;
  }
  void abandon(const PageQuestion&) override { FAIL() << "no miss"; }

  std::string body;
  PageSize size;
  Lsn last_published = 0;
};

/// Chooses all reads, or none, and remembers what came out.
class Recorder final : public HitChecks {
 public:
  bool chooses() override {
    if (before_choice) before_choice();
    return all;
  }
  void checked(const Result<bool>& equal, const CheckedHit& hit) override {
    results.push_back(std::string(hit.operation) + " " + hit.table.name + " " +
                      (equal ? *equal ? "equal" : "mismatch" : "unreadable"));
    last_key = hit.key;
    last_lsn = hit.lsn;
  }

  bool all = true;
  std::function<void()> before_choice;
  std::vector<std::string> results;
  std::string last_key;
  Lsn last_lsn = 0;
};

class HitChecksTest : public testing::Test {
 protected:
  HitChecksTest() {
    node.create_table("films");
    put(1);
    node.node().cache = &items;
    node.node().pages = &pages;
    node.node().hit_checks = &checks;
    items.item = item_of(1);
    pages.body = page_of(1);
    pages.size.read_bytes = static_cast<uint32_t>(charged_size(ItemView(items.item)));
  }
  void put(int n) {
    node.ok("PutItem",
            "{'TableName':'films','Item':{'pk':{'S':'a'},'n':{'N':'" + std::to_string(n) + "'}}}");
  }
  static std::string item_of(int n) {
    ItemTree item;
    item["pk"] = Value::string("a");
    item["n"] = Value::number(*Number::parse(std::to_string(n)));
    return encode_item(item);
  }
  static std::string page_of(int n) {
    return "{\"Items\":[{\"n\":{\"N\":\"" + std::to_string(n) +
           "\"},\"pk\":{\"S\":\"a\"}}],\"Count\":1,\"ScannedCount\":1}";
  }
  OpsNode::Answer get(const std::string& more = "") {
    return node.call("GetItem", "{'TableName':'films','Key':{'pk':{'S':'a'}}" + more + "}");
  }
  OpsNode::Answer batch() {
    return node.call("BatchGetItem", "{'RequestItems':{'films':{'Keys':[{'pk':{'S':'a'}}]}}}");
  }
  OpsNode::Answer scan() { return node.call("Scan", "{'TableName':'films'}"); }
  OpsNode::Answer query() {
    return node.call("Query",
                     "{'TableName':'films','KeyConditionExpression':'pk = :k',"
                     "'ExpressionAttributeValues':{':k':{'S':'a'}}}");
  }

  OpsNode node;
  OneItemCache items;
  OnePageCache pages;
  Recorder checks;
};

TEST_F(HitChecksTest, right_hits_are_found_equal_and_served) {
  for (const std::string more :
       {"", ",'ProjectionExpression':'n'", ",'ReturnConsumedCapacity':'TOTAL'"}) {
    EXPECT_THAT(get(more).headers, StartsWith("x-millrace-cache: hit")) << more;
  }
  node.node().capacity_of_hits = false;
  EXPECT_THAT(get(",'ReturnConsumedCapacity':'TOTAL'").headers, HasSubstr("hit"));
  EXPECT_THAT(batch().headers, StartsWith("x-millrace-cache: hit"));
  EXPECT_THAT(query().headers, StartsWith("x-millrace-cache: hit"));
  EXPECT_THAT(scan().headers, StartsWith("x-millrace-cache: hit"));
  EXPECT_THAT(checks.results,
              ElementsAre("GetItem films equal", "GetItem films equal", "GetItem films equal",
                          "GetItem films equal", "BatchGetItem films equal", "Query films equal",
                          "Scan films equal"));
}

TEST_F(HitChecksTest, a_stale_hit_is_found_and_the_stores_answer_takes_its_place) {
  put(2);
  const std::string lsn = std::to_string(node.engine().published_lsn());
  const std::string bypass = "x-millrace-cache: bypass; lsn=" + lsn + "; why=mismatch";
  EXPECT_THAT(get().body, HasSubstr("\"N\":\"2\""));
  EXPECT_EQ(get().headers, bypass + "\r\n");
  EXPECT_FALSE(checks.last_key.empty());
  EXPECT_EQ(std::to_string(checks.last_lsn), lsn);
  EXPECT_THAT(get(",'ProjectionExpression':'n'").body, HasSubstr("\"N\":\"2\""));
  const OpsNode::Answer answer = batch();
  EXPECT_THAT(answer.body, HasSubstr("\"N\":\"2\""));
  EXPECT_EQ(answer.headers, bypass + "; hits=0; keys=1\r\n");
  EXPECT_EQ(query().body, page_of(2));
  EXPECT_TRUE(checks.last_key.empty());
  EXPECT_EQ(scan().body, page_of(2));
  EXPECT_EQ(scan().headers, bypass + "\r\n");
  EXPECT_EQ(checks.results.size(), 7u);
  for (const std::string& result : checks.results) EXPECT_THAT(result, HasSubstr("mismatch"));
}

TEST_F(HitChecksTest, absence_that_is_no_more_and_an_item_that_is_gone_are_stale) {
  items.item.clear();
  EXPECT_THAT(get().body, HasSubstr("Item"));
  EXPECT_THAT(batch().body, HasSubstr("\"N\""));
  items.item = item_of(1);
  node.ok("DeleteItem", "{'TableName':'films','Key':{'pk':{'S':'a'}}}");
  EXPECT_EQ(get().body, "{}");
  EXPECT_THAT(checks.results, ElementsAre("GetItem films mismatch", "BatchGetItem films mismatch",
                                          "GetItem films mismatch"));
  items.item.clear();
  EXPECT_THAT(get().headers, StartsWith("x-millrace-cache: hit"));
  EXPECT_EQ(checks.results.back(), "GetItem films equal");
}

TEST_F(HitChecksTest, a_page_of_another_size_is_wrong) {
  ++pages.size.read_bytes;
  EXPECT_EQ(scan().body, page_of(1));
  EXPECT_THAT(checks.results, ElementsAre("Scan films mismatch"));
}

TEST_F(HitChecksTest, the_cache_is_asked_as_of_the_view) {
  get();
  EXPECT_EQ(items.last_published, checks.last_lsn);
  scan();
  EXPECT_EQ(pages.last_published, checks.last_lsn);
}

TEST_F(HitChecksTest, reads_that_are_not_chosen_are_not_checked) {
  checks.all = false;
  put(2);
  EXPECT_THAT(get().body, HasSubstr("\"N\":\"1\""));
  batch();
  scan();
  EXPECT_THAT(checks.results, IsEmpty());
}

}  // namespace
}  // namespace millrace
