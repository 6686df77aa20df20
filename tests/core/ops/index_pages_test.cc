#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;

// A table of scores with an index of each kind and projection, and one of many key attributes.
class IndexPages : public testing::Test {
 protected:
  IndexPages() {
    auto attribute = [](const std::string& name, const std::string& type) {
      return "{'AttributeName':'" + name + "','AttributeType':'" + type + "'}";
    };
    node.ok(
        "CreateTable",
        "{'TableName':'scores','BillingMode':'PAY_PER_REQUEST','KeySchema':[" +
            key("user", "HASH") + "," + key("game", "RANGE") + "],'AttributeDefinitions':[" +
            attribute("user", "S") + "," + attribute("game", "S") + "," + attribute("score", "N") +
            "," + attribute("day", "S") + "],'LocalSecondaryIndexes':[" +
            index("localAll", key("user", "HASH") + "," + key("score", "RANGE"), "ALL") + "," +
            index("localKeys", key("user", "HASH") + "," + key("day", "RANGE"), "KEYS_ONLY") +
            "],'GlobalSecondaryIndexes':[" +
            index("byGame", key("game", "HASH") + "," + key("score", "RANGE"), "ALL") + "," +
            index("byDay", key("day", "HASH"), "INCLUDE", ",'NonKeyAttributes':['level']") + "," +
            index("wide",
                  key("day", "HASH") + "," + key("game", "HASH") + "," + key("score", "RANGE") +
                      "," + key("user", "RANGE"),
                  "KEYS_ONLY") +
            "]}");
  }

  static std::string key(const std::string& name, const std::string& kind) {
    return "{'AttributeName':'" + name + "','KeyType':'" + kind + "'}";
  }
  static std::string index(const std::string& name, const std::string& keys,
                           const std::string& projection, const std::string& more = "") {
    return "{'IndexName':'" + name + "','KeySchema':[" + keys +
           "],'Projection':{'ProjectionType':'" + projection + "'" + more + "}}";
  }

  std::string put(const std::string& user, const std::string& game, const std::string& more,
                  const std::string& members = "") {
    return node.ok("PutItem", "{'TableName':'scores','Item':{'user':{'S':'" + user +
                                  "'},'game':{'S':'" + game + "'}" + more + "}" + members + "}");
  }
  static std::string score(int n) { return ",'score':{'N':'" + std::to_string(n) + "'}"; }
  static std::string day(const std::string& text) { return ",'day':{'S':'" + text + "'}"; }
  void fill() {
    put("ann", "chess", score(5) + day("mon") + ",'level':{'S':'x'},'note':{'S':'n1'}");
    put("ann", "go", score(-3) + day("tue"));
    put("bob", "chess", score(5) + day("mon") + ",'note':{'S':'n2'}");
    put("cid", "chess", score(12) + ",'level':{'S':'y'}");
    put("dan", "chess", day("mon"));
  }

  static std::string scan(const std::string& index_name, const std::string& more = "") {
    return "{'TableName':'scores','IndexName':'" + index_name + "'" + more + "}";
  }
  static std::string query(const std::string& index_name, const std::string& condition,
                           const std::string& values, const std::string& more = "") {
    return "{'TableName':'scores','IndexName':'" + index_name + "','KeyConditionExpression':'" +
           condition + "','ExpressionAttributeValues':{" + values + "}" + more + "}";
  }
  static std::string s(const std::string& name, const std::string& text) {
    return "'" + name + "':{'S':'" + text + "'}";
  }

  /// "user/game" of an answer's items, in its order.
  static std::vector<std::string> keys_of(const std::string& body) {
    std::vector<std::string> found;
    const std::string game = "\"game\":{\"S\":\"", user = "\"user\":{\"S\":\"";
    size_t end = std::min(body.find("],\"Count\""), body.size());
    for (size_t at = body.find(game); at < end; at = body.find(game, at + 1)) {
      size_t of_game = at + game.size(), of_user = body.find(user, at) + user.size();
      found.push_back(body.substr(of_user, body.find('"', of_user) - of_user) + "/" +
                      body.substr(of_game, body.find('"', of_game) - of_game));
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
  const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
  const std::string kStart = "ValidationException: The provided starting key is invalid";
};

using Keys = std::vector<std::string>;

TEST_F(IndexPages, are_in_the_order_of_the_index) {
  fill();
  const std::string chess = s(":g", "chess");
  EXPECT_EQ(keys_of(node.ok("Query", query("byGame", "game = :g", chess))),
            (Keys{"ann/chess", "bob/chess", "cid/chess"}));
  EXPECT_EQ(
      keys_of(node.ok("Query", query("byGame", "game = :g", chess, ",'ScanIndexForward':false"))),
      (Keys{"cid/chess", "bob/chess", "ann/chess"}));
  EXPECT_EQ(keys_of(node.ok(
                "Query", query("byGame", "game = :g AND score > :n", chess + ",':n':{'N':'5'}"))),
            (Keys{"cid/chess"}));
  EXPECT_EQ(keys_of(node.ok("Query", query("localAll", "#u = :u", s(":u", "ann"),
                                           ",'ExpressionAttributeNames':{'#u':'user'},"
                                           "'ConsistentRead':true"))),
            (Keys{"ann/go", "ann/chess"}));
  EXPECT_EQ(keys_of(node.ok("Query", query("wide", "#d = :d AND game = :g AND score = :n",
                                           s(":d", "mon") + "," + chess + ",':n':{'N':'5.0'}",
                                           ",'ExpressionAttributeNames':{'#d':'day'}"))),
            (Keys{"ann/chess", "bob/chess"}));
  EXPECT_EQ(keys_of(node.ok("Scan", scan("byDay"))).size(), 4u);
}

TEST_F(IndexPages, give_what_the_index_projects_and_look_up_the_rest_of_local_ones) {
  fill();
  const std::string names = ",'ExpressionAttributeNames':{'#d':'day'}";
  EXPECT_EQ(
      node.ok("Query", query("byDay", "#d = :d", s(":d", "mon"), ",'Limit':1" + names)),
      "{\"Items\":[{\"day\":{\"S\":\"mon\"},\"game\":{\"S\":\"chess\"},\"level\":{\"S\":\"x\"},"
      "\"user\":{\"S\":\"ann\"}}],\"Count\":1,\"ScannedCount\":1,\"LastEvaluatedKey\":"
      "{\"day\":{\"S\":\"mon\"},\"game\":{\"S\":\"chess\"},\"user\":{\"S\":\"ann\"}}}");

  const std::string user = ",'ExpressionAttributeNames':{'#u':'user'}";
  auto local = [&](const std::string& more) {
    return node.ok("Query", query("localKeys", "#u = :u", s(":u", "bob"), more));
  };
  const std::string keys =
      "{\"Items\":[{\"day\":{\"S\":\"mon\"},\"game\":{\"S\":\"chess\"},\"user\":{\"S\":\"bob\"}}],"
      "\"Count\":1,\"ScannedCount\":1}";
  EXPECT_EQ(local(user), keys);
  EXPECT_EQ(local(user + ",'Select':'ALL_PROJECTED_ATTRIBUTES'"), keys);
  EXPECT_EQ(
      local(user + ",'Select':'ALL_ATTRIBUTES'"),
      "{\"Items\":[{\"day\":{\"S\":\"mon\"},\"game\":{\"S\":\"chess\"},\"note\":{\"S\":\"n2\"}"
      ",\"score\":{\"N\":\"5\"},\"user\":{\"S\":\"bob\"}}],\"Count\":1,\"ScannedCount\":1}");
  EXPECT_EQ(local(user + ",'ProjectionExpression':'note'"),
            "{\"Items\":[{\"note\":{\"S\":\"n2\"}}],\"Count\":1,\"ScannedCount\":1}");
  EXPECT_EQ(local(user + ",'Select':'COUNT'"), "{\"Count\":1,\"ScannedCount\":1}");
}

TEST_F(IndexPages, of_global_indexes_never_give_more_than_they_project) {
  fill();
  const std::string names = ",'ExpressionAttributeNames':{'#d':'day'}";
  const std::string not_all = kInvalid +
                              "Select type ALL_ATTRIBUTES is not supported for global secondary "
                              "index byDay because its projection type is not ALL";
  EXPECT_EQ(node.refused("Query", query("byDay", "#d = :d", s(":d", "mon"),
                                        names + ",'Select':'ALL_ATTRIBUTES'")),
            not_all);
  EXPECT_EQ(node.refused("Scan", scan("byDay", ",'Select':'ALL_ATTRIBUTES'")), not_all);
  EXPECT_EQ(keys_of(node.ok("Scan", scan("byGame", ",'Select':'ALL_ATTRIBUTES'"))).size(), 4u);
  const std::string missing = kInvalid + "Global secondary index byDay does not project ";
  EXPECT_EQ(node.refused("Query", query("byDay", "#d = :d", s(":d", "mon"),
                                        names + ",'ProjectionExpression':'game, note, score'")),
            missing + "[note, score]");
  EXPECT_EQ(node.refused("Scan", scan("byDay", ",'ProjectionExpression':'note.a'")),
            missing + "[note]");
  EXPECT_EQ(node.refused("Query",
                         query("byGame", "game = :g", s(":g", "chess"), ",'ConsistentRead':true")),
            "ValidationException: Consistent reads are not supported on global secondary indexes");
  EXPECT_EQ(node.refused("Scan", scan("byGame", ",'ConsistentRead':true")),
            "ValidationException: Consistent reads are not supported on global secondary indexes");
}

TEST_F(IndexPages, filters_see_entries_and_name_no_key_of_the_index) {
  fill();
  auto filtered = [&](const std::string& index_name, const std::string& filter) {
    return query(
        index_name, "game = :g", s(":g", "chess"),
        ",'FilterExpression':'" + filter + "'" +
            (filter.find('#') == std::string::npos ? ""
                                                   : ",'ExpressionAttributeNames':{'#u':'user'}"));
  };
  EXPECT_THAT(node.ok("Query", filtered("byGame", "attribute_exists(note)")),
              HasSubstr("\"Count\":2,\"ScannedCount\":3"));
  // The table's key is no key of the index.
  EXPECT_THAT(node.ok("Query", filtered("byGame", "#u <> :g")),
              HasSubstr("\"Count\":3,\"ScannedCount\":3"));
  EXPECT_EQ(node.refused("Query", filtered("byGame", "score > :g AND game = :g")),
            "ValidationException: Filter Expression can only contain non-primary key attributes: "
            "Primary key attribute: game");
  EXPECT_EQ(node.refused("Query", filtered("byGame", "attribute_exists(score)")),
            "ValidationException: Filter Expression can only contain non-primary key attributes: "
            "Primary key attribute: score");
  const std::string names = ",'ExpressionAttributeNames':{'#d':'day','#u':'user'}";
  EXPECT_EQ(node.refused("Query", query("byDay", "#d = :d", s(":d", "mon"),
                                        names + ",'FilterExpression':'attribute_exists(note) AND "
                                                "#u <> :d'")),
            kInvalid +
                "Secondary index byDay does not project one or more filter attributes: "
                "[note]");
  EXPECT_EQ(
      node.refused("Query", query("localKeys", "#u = :u", s(":u", "ann"),
                                  ",'ExpressionAttributeNames':{'#u':'user'},'FilterExpression':"
                                  "'attribute_exists(note)'")),
      kInvalid +
          "Secondary index localKeys does not project one or more filter attributes: "
          "[note]");
  // Of a scan what is not there is absent.
  EXPECT_THAT(node.ok("Scan", scan("byDay", ",'FilterExpression':'attribute_exists(note)'")),
              HasSubstr("\"Count\":0,\"ScannedCount\":4"));
}

TEST_F(IndexPages, start_keys_have_the_keys_of_index_and_table) {
  fill();
  auto from = [&](const std::string& start, const std::string& condition = "game = :g",
                  const std::string& more = "") {
    return query("byGame", condition,
                 s(":g", "chess") + (condition.size() > 10 ? ",':n':{'N':'5'}" : ""),
                 ",'ExclusiveStartKey':{" + start + "}" + more);
  };
  const std::string bob = s("user", "bob") + "," + s("game", "chess");
  EXPECT_EQ(keys_of(node.ok("Query", from(bob + score(5)))), (Keys{"cid/chess"}));
  EXPECT_EQ(
      keys_of(node.ok("Query", from(bob + score(5), "game = :g", ",'ScanIndexForward':false"))),
      (Keys{"ann/chess"}));
  // It needs not be there.
  EXPECT_EQ(keys_of(node.ok("Query", from(bob + score(6)))), (Keys{"cid/chess"}));
  for (const std::string& start : {bob, bob + score(5) + day("mon"), bob + day("mon")}) {
    EXPECT_EQ(node.refused("Query", from(start)), kStart);
    EXPECT_EQ(node.refused("Scan", scan("byGame", ",'ExclusiveStartKey':{" + start + "}")), kStart);
  }
  const std::string mismatch =
      "ValidationException: The provided key element does not match the schema";
  EXPECT_EQ(node.refused("Query", from(bob + ",'score':{'S':'5'}")), mismatch);
  EXPECT_EQ(
      node.refused("Scan", scan("byGame", ",'ExclusiveStartKey':{" + bob + ",'score':{'S':'5'}}")),
      mismatch);
  const std::string prefixed = kStart + ": The provided key element does not match the schema";
  for (const std::string& start : {"'user':{'N':'1'}," + s("game", "chess") + score(5),
                                   s("other", "bob") + "," + s("game", "chess") + score(5)}) {
    EXPECT_EQ(node.refused("Query", from(start)), prefixed);
    EXPECT_EQ(node.refused("Scan", scan("byGame", ",'ExclusiveStartKey':{" + start + "}")),
              prefixed);
  }
  const std::string go = s("user", "bob") + "," + s("game", "go") + score(5);
  EXPECT_EQ(node.refused("Query", from(go)),
            "ValidationException: The provided starting key is outside query boundaries based on "
            "provided conditions");
  EXPECT_EQ(node.refused("Query", from(go, "game = :g AND score <= :n")),
            "ValidationException: The query can return at most one row and cannot be restarted");
  EXPECT_EQ(
      node.refused("Query", from(go, "game = :g AND score < :n")),
      "ValidationException: The provided starting key does not match the range key predicate");
  EXPECT_EQ(node.refused("Query", query("byGame", "score = :n", "':n':{'N':'5'}",
                                        ",'ExclusiveStartKey':{" + go + "}")),
            "ValidationException: Query condition missed key schema element: game");
}

TEST_F(IndexPages, of_indexes_that_are_not_there_are_refused) {
  const std::string missing =
      "ValidationException: The table does not have the specified index: byNone";
  EXPECT_EQ(node.refused("Query", query("byNone", "game = :g", s(":g", "go"))), missing);
  EXPECT_EQ(node.refused("Scan", scan("byNone")), missing);
  EXPECT_EQ(node.refused("Scan", scan("a;")),
            "ValidationException: 2 validation errors detected: Value 'a;' at 'indexName' failed "
            "to satisfy constraint: Member must satisfy regular expression pattern: "
            "[a-zA-Z0-9_.-]+; Value 'a;' at 'indexName' failed to satisfy constraint: Member must "
            "have length greater than or equal to 3");
}

TEST_F(IndexPages, of_indexes_that_are_being_made_are_refused_until_they_are_filled) {
  fill();
  node.ok("UpdateTable",
          "{'TableName':'scores','AttributeDefinitions':[{'AttributeName':'note',"
          "'AttributeType':'S'}],'GlobalSecondaryIndexUpdates':[{'Create':" +
              index("byNote", key("note", "HASH"), "ALL") + "}]}");
  const std::string filling =
      "ValidationException: Cannot read from backfilling global secondary index: byNote";
  EXPECT_EQ(node.refused("Scan", scan("byNote")), filling);
  EXPECT_EQ(node.refused("Query", query("byNote", "note = :n", s(":n", "n1"))), filling);
  EXPECT_EQ(keys_of(node.ok("Scan", scan("byDay"))).size(), 4u);
}

TEST_F(IndexPages, paths_may_not_lead_into_keys) {
  const std::string scalars =
      "ValidationException: Key attributes must be scalars; list random access '[]' and map lookup "
      "'.' are not allowed: ";
  EXPECT_EQ(node.refused("Scan", "{'TableName':'scores','ProjectionExpression':'game.a'}"),
            scalars + "Key: game");
  EXPECT_EQ(node.refused("Scan",
                         "{'TableName':'scores','FilterExpression':'attribute_exists(score[0])'}"),
            scalars + "IndexKey: score");
  const std::string ann = "{" + s("user", "ann") + "," + s("game", "go") + "}";
  EXPECT_EQ(node.refused("GetItem", "{'TableName':'scores','Key':" + ann +
                                        ",'ProjectionExpression':'score.a'}"),
            scalars + "IndexKey: score");
  EXPECT_EQ(node.refused("BatchGetItem", "{'RequestItems':{'scores':{'Keys':[" + ann +
                                             "],'ProjectionExpression':'game[1]'}}}"),
            scalars + "Key: game");
}

TEST_F(IndexPages, reads_are_charged_to_the_index_and_look_ups_to_the_table) {
  const std::string big = ",'note':{'S':'" + std::string(4100, 'x') + "'}";
  put("ann", "chess", score(1) + day("mon") + big);
  put("ann", "go", score(2) + day("mon") + big);
  put("ann", "halma", score(3) + day("mon"));
  auto read = [&](const std::string& index_name, const std::string& more) {
    std::string body = node.ok(
        "Query", query(index_name, "#u = :u", s(":u", "ann"),
                       ",'ExpressionAttributeNames':{'#u':'user'},'Select':'COUNT'" + more));
    return body.substr(body.find("\"TableName\""));
  };
  const std::string total = ",'ReturnConsumedCapacity':'TOTAL'";
  const std::string indexes = ",'ReturnConsumedCapacity':'INDEXES'";
  EXPECT_EQ(read("localAll", total), "\"TableName\":\"scores\",\"CapacityUnits\":1.5}}");
  EXPECT_EQ(read("localAll", indexes + ",'ConsistentRead':true"),
            "\"TableName\":\"scores\",\"CapacityUnits\":3.0,\"Table\":{\"CapacityUnits\":0.0},"
            "\"LocalSecondaryIndexes\":{\"localAll\":{\"CapacityUnits\":3.0}}}}");
  EXPECT_EQ(read("localKeys", indexes),
            "\"TableName\":\"scores\",\"CapacityUnits\":0.5,\"Table\":{\"CapacityUnits\":0.0},"
            "\"LocalSecondaryIndexes\":{\"localKeys\":{\"CapacityUnits\":0.5}}}}");
  // Each item that is looked up is rounded, not their sum.
  std::string body = node.ok(
      "Query", query("localKeys", "#u = :u", s(":u", "ann"),
                     ",'ExpressionAttributeNames':{'#u':'user'},'ProjectionExpression':'note',"
                     "'ConsistentRead':true" +
                         indexes));
  EXPECT_THAT(body,
              HasSubstr("\"CapacityUnits\":6.0,\"Table\":{\"CapacityUnits\":5.0},"
                        "\"LocalSecondaryIndexes\":{\"localKeys\":{\"CapacityUnits\":1.0}}}"));
  EXPECT_THAT(node.ok("Scan", scan("byDay", indexes)),
              HasSubstr("\"CapacityUnits\":0.5,\"Table\":{\"CapacityUnits\":0.0},"
                        "\"GlobalSecondaryIndexes\":{\"byDay\":{\"CapacityUnits\":0.5}}}"));
  EXPECT_THAT(node.ok("Scan", "{'TableName':'scores'" + indexes + "}"),
              Not(HasSubstr("SecondaryIndexes")));
}

TEST_F(IndexPages, writes_are_charged_for_the_entries_that_they_change) {
  const std::string indexes = ",'ReturnConsumedCapacity':'INDEXES'";
  auto units = [](const std::string& total, const std::string& table, const std::string& more) {
    return "{\"ConsumedCapacity\":{\"TableName\":\"scores\",\"CapacityUnits\":" + total +
           ",\"Table\":{\"CapacityUnits\":" + table + "}" + more + "}}";
  };
  const std::string one = "{\"CapacityUnits\":1.0}", two = "{\"CapacityUnits\":2.0}";
  EXPECT_EQ(put("ann", "go", "", indexes), units("1.0", "1.0", ""));
  const std::string by_day = ",\"LocalSecondaryIndexes\":{\"localKeys\":" + one +
                             "},\"GlobalSecondaryIndexes\":{\"byDay\":" + one + "}";
  EXPECT_EQ(put("ann", "go", day("mon"), indexes), units("3.0", "1.0", by_day));
  EXPECT_EQ(put("ann", "go", day("mon"), indexes), units("1.0", "1.0", ""));
  // Another note is of no concern to indexes that do not project it.
  EXPECT_EQ(put("ann", "go", day("mon") + ",'note':{'S':'n'}", indexes), units("1.0", "1.0", ""));
  EXPECT_EQ(put("ann", "go", day("mon") + ",'level':{'S':'n'}", indexes),
            units("2.0", "1.0", ",\"GlobalSecondaryIndexes\":{\"byDay\":" + one + "}"));
  // Another key: one entry goes, one comes.
  EXPECT_EQ(put("ann", "go", day("tue"), indexes),
            units("5.0", "1.0",
                  ",\"LocalSecondaryIndexes\":{\"localKeys\":" + two +
                      "},\"GlobalSecondaryIndexes\":{\"byDay\":" + two + "}"));
  const std::string ann =
      "'TableName':'scores','Key':{" + s("user", "ann") + "," + s("game", "go") + "}";
  EXPECT_EQ(node.ok("UpdateItem", "{" + ann +
                                      ",'UpdateExpression':'REMOVE #d',"
                                      "'ExpressionAttributeNames':{'#d':'day'},"
                                      "'ReturnConsumedCapacity':'TOTAL'}"),
            "{\"ConsumedCapacity\":{\"TableName\":\"scores\",\"CapacityUnits\":3.0}}");
  put("ann", "go", day("mon"));
  EXPECT_EQ(node.ok("DeleteItem", "{" + ann + indexes + "}"), units("3.0", "1.0", by_day));
  EXPECT_EQ(node.ok("DeleteItem", "{" + ann + indexes + "}"), units("1.0", "1.0", ""));
}

TEST_F(IndexPages, batches_and_transactions_sum_by_index) {
  const std::string indexes = "'ReturnConsumedCapacity':'INDEXES',";
  auto item = [&](const std::string& user, const std::string& more) {
    return "{" + s("user", user) + "," + s("game", "go") + more + "}";
  };
  EXPECT_EQ(
      node.ok("BatchWriteItem", "{" + indexes + "'RequestItems':{'scores':[{'PutRequest':{'Item':" +
                                    item("ann", day("mon")) +
                                    "}},{'PutRequest':{'Item':" + item("bob", "") + "}}]}}"),
      "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[{\"TableName\":\"scores\","
      "\"CapacityUnits\":4.0,\"Table\":{\"CapacityUnits\":2.0},"
      "\"LocalSecondaryIndexes\":{\"localKeys\":{\"CapacityUnits\":1.0}},"
      "\"GlobalSecondaryIndexes\":{\"byDay\":{\"CapacityUnits\":1.0}}}]}");
  // A transaction costs the table twice, and an index as much as any write.
  const std::string four = "{\"CapacityUnits\":4.0,\"WriteCapacityUnits\":4.0}";
  const std::string two = "{\"CapacityUnits\":2.0,\"WriteCapacityUnits\":2.0}";
  EXPECT_EQ(node.ok("TransactWriteItems",
                    "{" + indexes + "'TransactItems':[{'Put':{'TableName':'scores','Item':" +
                        item("cid", day("mon")) + "}},{'Put':{'TableName':'scores','Item':" +
                        item("dan", day("mon")) + "}}]}"),
            "{\"ConsumedCapacity\":[{\"TableName\":\"scores\",\"CapacityUnits\":8.0,"
            "\"WriteCapacityUnits\":8.0,\"Table\":" +
                four + ",\"LocalSecondaryIndexes\":{\"localKeys\":" + two +
                "},\"GlobalSecondaryIndexes\":{\"byDay\":" + two + "}}]}");
}

TEST_F(IndexPages, hold_a_megabyte_of_what_they_read) {
  const std::string big = ",'note':{'S':'" + std::string(300'000, 'x') + "'}";
  for (const char* user : {"a", "b", "c", "d", "e"}) put(user, "go", score(1) + day("mon") + big);
  std::string body = node.ok("Query", query("byGame", "game = :g", s(":g", "go")));
  EXPECT_EQ(keys_of(body).size(), 4u);
  EXPECT_EQ(last_key(body),
            "{\"game\":{\"S\":\"go\"},\"score\":{\"N\":\"1\"},\"user\":{\"S\":\"d\"}}");
  EXPECT_EQ(keys_of(node.ok("Scan", scan("byDay"))).size(), 5u);
  // Items that entries are looked up for count too, so that a page is bounded.
  for (const char* game : {"1", "2", "3", "4", "5"}) put("z", game, day("tue") + big);
  body = node.ok("Query", query("localKeys", "#u = :u", s(":u", "z"),
                                ",'ExpressionAttributeNames':{'#u':'user'},"
                                "'Select':'ALL_ATTRIBUTES'"));
  EXPECT_EQ(keys_of(body).size(), 4u);
  EXPECT_EQ(last_key(body),
            "{\"day\":{\"S\":\"tue\"},\"game\":{\"S\":\"4\"},\"user\":{\"S\":\"z\"}}");
}

}  // namespace
}  // namespace millrace
