#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;

class Pages : public testing::Test {
 protected:
  Pages() { node.create_table("log", "N"); }

  static std::string of(const std::string& members) {
    return "{'TableName':'log'," + members + "}";
  }
  void put(const std::string& pk, const std::string& sk, const std::string& more = "") {
    node.ok("PutItem", of("'Item':{'pk':{'S':'" + pk + "'},'sk':{'N':'" + sk + "'}" + more + "}"));
  }
  void fill() {
    for (const char* sk : {"10", "-1", "1", "0", "1.5", "-2"}) put("a", sk);
    put("b", "7");
  }
  static std::string key(const std::string& pk, const std::string& sk) {
    return "{'pk':{'S':'" + pk + "'},'sk':{'N':'" + sk + "'}}";
  }
  static std::string query(const std::string& condition, const std::string& values,
                           const std::string& more = "") {
    return of("'KeyConditionExpression':'" + condition + "','ExpressionAttributeValues':{" +
              values + "}" + more);
  }
  /// The sort keys of an answer's items, in its order.
  static std::vector<std::string> sort_keys(const std::string& body) {
    std::vector<std::string> found;
    std::string mark = "\"sk\":{\"N\":\"";
    size_t end = std::min(body.find("],\"Count\""), body.size());
    for (size_t at = body.find(mark); at < end; at = body.find(mark, at + 1)) {
      size_t from = at + mark.size();
      found.push_back(body.substr(from, body.find('"', from) - from));
    }
    return found;
  }
  static std::string last_key(const std::string& body) {
    std::string mark = "\"LastEvaluatedKey\":";
    size_t at = body.find(mark);
    if (at == std::string::npos) return "";
    size_t from = at + mark.size();
    return body.substr(from, body.find("}}", from) + 2 - from);
  }

  OpsNode node;
  const std::string a = "':p':{'S':'a'}";
};

using Keys = std::vector<std::string>;

TEST_F(Pages, key_conditions_in_both_directions) {
  fill();
  struct Case {
    std::string condition, values;
    Keys expected;
  };
  std::string s = a + ",':s':{'N':'1'}";
  for (const Case& test : {
           Case{"pk = :p", a, {"-2", "-1", "0", "1", "1.5", "10"}},
           Case{"pk = :p AND sk = :s", s, {"1"}},
           Case{"pk = :p AND sk < :s", s, {"-2", "-1", "0"}},
           Case{"pk = :p AND sk <= :s", s, {"-2", "-1", "0", "1"}},
           Case{"pk = :p AND sk > :s", s, {"1.5", "10"}},
           Case{"sk >= :s AND pk = :p", s, {"1", "1.5", "10"}},
           Case{"pk = :p AND sk BETWEEN :t AND :s", s + ",':t':{'N':'-1'}", {"-1", "0", "1"}},
           Case{"pk = :p", "':p':{'S':'nobody'}", {}},
       }) {
    EXPECT_EQ(sort_keys(node.ok("Query", query(test.condition, test.values))), test.expected)
        << test.condition;
    Keys reversed(test.expected.rbegin(), test.expected.rend());
    EXPECT_EQ(sort_keys(node.ok("Query",
                                query(test.condition, test.values, ",'ScanIndexForward':false"))),
              reversed)
        << test.condition;
  }
}

TEST_F(Pages, limits_page_through_both_directions) {
  fill();
  for (std::string direction : {"true", "false"}) {
    Keys found;
    std::string start;
    for (int page = 0; page < 10; ++page) {
      std::string body =
          node.ok("Query", query("pk = :p", a,
                                 ",'Limit':2,'ScanIndexForward':" + direction +
                                     (start.empty() ? "" : ",'ExclusiveStartKey':" + start)));
      Keys keys = sort_keys(body);
      EXPECT_LE(keys.size(), 2u);
      found.insert(found.end(), keys.begin(), keys.end());
      start = last_key(body);
      if (start.empty()) break;
    }
    Keys expected{"-2", "-1", "0", "1", "1.5", "10"};
    if (direction == "false") std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(found, expected);
  }
}

TEST_F(Pages, the_start_key_needs_not_exist_but_must_fit) {
  fill();
  auto from = [&](const std::string& start, const std::string& more = "") {
    return query("pk = :p", a, ",'ExclusiveStartKey':" + start + more);
  };
  EXPECT_EQ(sort_keys(node.ok("Query", from(key("a", "0.5")))), (Keys{"1", "1.5", "10"}));
  EXPECT_EQ(node.refused("Query", from(key("b", "7"))),
            "ValidationException: The provided starting key is outside query boundaries based on "
            "provided conditions");
  // Query and Scan have words of their own for the same fault.
  EXPECT_EQ(node.refused("Query", from("{'pk':{'S':'a'}}")),
            "ValidationException: The provided starting key is invalid");
  EXPECT_EQ(
      node.refused("Scan", of("'ExclusiveStartKey':{'pk':{'S':'a'}}")),
      "ValidationException: The provided starting key is invalid: The provided key element does "
      "not match the schema");
  EXPECT_EQ(node.refused("Query", from("{'pk':{'S':'a'},'sk':{'S':'1'}}")),
            "ValidationException: The provided key element does not match the schema");
  EXPECT_EQ(node.refused("Query", query("pk = :p AND sk < :s", a + ",':s':{'N':'5'}",
                                        ",'ExclusiveStartKey':" + key("b", "1"))),
            "ValidationException: The query can return at most one row and cannot be restarted");
  EXPECT_EQ(
      node.refused("Query", query("pk = :p AND sk > :s", a + ",':s':{'N':'5'}",
                                  ",'ExclusiveStartKey':" + key("a", "1"))),
      "ValidationException: The provided starting key does not match the range key predicate");
}

TEST_F(Pages, a_page_holds_a_megabyte) {
  std::string big = ",'big':{'S':'" + std::string(300'000, 'x') + "'}";
  for (const char* sk : {"0", "1", "2", "3", "4"}) put("a", sk, big);
  std::string body = node.ok("Query", query("pk = :p", a));
  EXPECT_EQ(sort_keys(body), (Keys{"0", "1", "2", "3"}));
  EXPECT_EQ(last_key(body), "{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"3\"}}");
  body = node.ok("Scan", of("'Select':'COUNT'"));
  EXPECT_THAT(body, HasSubstr("{\"Count\":4,\"ScannedCount\":4,\"LastEvaluatedKey\":"));
  body = node.ok("Scan", of("'ExclusiveStartKey':" + last_key(body)));
  EXPECT_EQ(sort_keys(body), (Keys{"4"}));
  EXPECT_EQ(last_key(body), "");
}

TEST_F(Pages, filters_count_what_they_pass_and_what_they_scanned) {
  for (int n = 0; n < 6; ++n)
    put("a", std::to_string(n),
        ",'even':{'BOOL':" + std::string(n % 2 == 0 ? "true" : "false") + "}");
  std::string filter = ",'FilterExpression':'even = :t','ProjectionExpression':'sk'";
  std::string body = node.ok("Query", query("pk = :p", a + ",':t':{'BOOL':true}", filter));
  EXPECT_EQ(body,
            "{\"Items\":[{\"sk\":{\"N\":\"0\"}},{\"sk\":{\"N\":\"2\"}},{\"sk\":{\"N\":\"4\"}}],"
            "\"Count\":3,\"ScannedCount\":6}");
  body = node.ok("Scan", of("'FilterExpression':'pk = :p AND even = :t','Limit':3,"
                            "'ExpressionAttributeValues':{" +
                            a + ",':t':{'BOOL':true}}"));
  EXPECT_EQ(sort_keys(body), (Keys{"0", "2"}));
  EXPECT_THAT(body, HasSubstr("\"Count\":2,\"ScannedCount\":3,\"LastEvaluatedKey\":"));
  EXPECT_EQ(node.refused("Query",
                         query("pk = :p", a + ",':s':{'N':'1'}", ",'FilterExpression':'sk = :s'")),
            "ValidationException: Filter Expression can only contain non-primary key attributes: "
            "Primary key attribute: sk");
}

TEST_F(Pages, counts_and_capacity) {
  fill();
  EXPECT_EQ(node.ok("Query", query("pk = :p", a, ",'Select':'COUNT'")),
            "{\"Count\":6,\"ScannedCount\":6}");
  EXPECT_THAT(node.ok("Query", query("pk = :p", a, ",'ReturnConsumedCapacity':'TOTAL'")),
              HasSubstr("\"CapacityUnits\":0.5"));
  EXPECT_THAT(node.ok("Query", query("pk = :p", a,
                                     ",'ReturnConsumedCapacity':'INDEXES','ConsistentRead':true")),
              HasSubstr("\"CapacityUnits\":1.0,\"Table\":{\"CapacityUnits\":1.0}"));
}

TEST_F(Pages, segments_of_a_scan_cover_the_table_once) {
  for (int n = 0; n < 60; ++n) put("p" + std::to_string(n), std::to_string(n));
  for (int total : {1, 2, 3, 7}) {
    std::vector<std::string> found;
    for (int segment = 0; segment < total; ++segment) {
      std::string start;
      do {
        std::string body =
            node.ok("Scan", of("'Limit':9,'Segment':" + std::to_string(segment) +
                               ",'TotalSegments':" + std::to_string(total) +
                               (start.empty() ? "" : ",'ExclusiveStartKey':" + start)));
        Keys keys = sort_keys(body);
        found.insert(found.end(), keys.begin(), keys.end());
        start = last_key(body);
      } while (!start.empty());
    }
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found.size(), 60u) << total;
    EXPECT_EQ(std::unique(found.begin(), found.end()), found.end()) << total;
  }
}

TEST_F(Pages, wrong_parameters_are_refused) {
  std::string one = "ValidationException: 1 validation error detected: Value ";
  EXPECT_EQ(node.refused("Query", query("pk = :p", a, ",'Limit':0")),
            one +
                "at 'Limit' failed to satisfy constraint: Member must have value greater than or "
                "equal to 1");
  EXPECT_EQ(node.refused("Scan", of("'Limit':0")),
            one +
                "'0' at 'limit' failed to satisfy constraint: Member must have value greater than "
                "or equal to 1");
  EXPECT_EQ(node.refused("Scan", of("'Select':'x'")),
            one +
                "'x' at 'select' failed to satisfy constraint: Member must satisfy enum value set: "
                "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]");
  EXPECT_EQ(
      node.refused("Scan", of("'Segment':0")),
      "ValidationException: The TotalSegments parameter is required but was not present in the "
      "request when Segment parameter is present");
  EXPECT_EQ(node.refused("Scan", of("'TotalSegments':4")),
            "ValidationException: The Segment parameter is required but was not present in the "
            "request when parameter TotalSegments is present");
  EXPECT_EQ(
      node.refused("Scan", of("'TotalSegments':5,'Segment':5")),
      "ValidationException: The Segment parameter is zero-based and must be less than parameter "
      "TotalSegments: Segment: 5 is not less than TotalSegments: 5");
  EXPECT_EQ(
      node.refused("Query", of("'Limit':1")),
      "ValidationException: Either the KeyConditions or KeyConditionExpression parameter must "
      "be specified in the request.");
  EXPECT_EQ(node.refused("Query", query("pk = :p", a, ",'IndexName':'byX'")),
            "ValidationException: The table does not have the specified index: byX");
  EXPECT_EQ(node.refused("Query", query("sk = :s", "':s':{'N':'1'}")),
            "ValidationException: Query condition missed key schema element: pk");
  EXPECT_EQ(node.refused("Scan", of("'Select':'SPECIFIC_ATTRIBUTES'")),
            "ValidationException: Must specify the AttributesToGet or ProjectionExpression when "
            "choosing to get SPECIFIC_ATTRIBUTES");
  EXPECT_EQ(
      node.refused("Scan", of("'Select':'COUNT','ProjectionExpression':'pk'")),
      "ValidationException: Cannot specify the ProjectionExpression when choosing to get only "
      "the Count");
  EXPECT_EQ(node.refused("Scan", "{'TableName':'none'}"),
            "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(node.refused("Scan", of("'Limit':'5'")),
            "SerializationException: STRING_VALUE cannot be converted to Integer");
}

TEST_F(Pages, of_a_table_without_a_sort_key_have_one_item_and_never_go_on) {
  node.create_table("plain");
  node.ok("PutItem", "{'TableName':'plain','Item':{'pk':{'S':'a'}}}");
  auto query_plain = [&](const std::string& more) {
    return "{'TableName':'plain','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{" +
           a + "}" + more + "}";
  };
  EXPECT_EQ(node.ok("Query", query_plain(",'Limit':1")),
            "{\"Items\":[{\"pk\":{\"S\":\"a\"}}],\"Count\":1,\"ScannedCount\":1}");
  EXPECT_EQ(node.refused("Query", query_plain(",'ExclusiveStartKey':{'pk':{'S':'a'}}")),
            "ValidationException: The provided exclusive start key is invalid: ExclusiveStartKey: "
            "{pk=AttributeValue: {S:a}}");
  EXPECT_EQ(last_key(node.ok("Scan", "{'TableName':'plain','Limit':1}")), "{\"pk\":{\"S\":\"a\"}}");
}

TEST_F(Pages, a_page_is_of_one_moment) {
  fill();
  ViewPtr before = node.engine().view();
  put("a", "99");
  EXPECT_EQ(sort_keys(node.ok("Query", query("pk = :p", a))).back(), "99");
}

}  // namespace
}  // namespace millrace
