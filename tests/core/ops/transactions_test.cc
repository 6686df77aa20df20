#include <gmock/gmock.h>

#include "core/ops/tokens.h"
#include "core/store/log.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Transactions : public testing::Test {
 protected:
  Transactions() {
    node.create_table("one");
    node.create_table("two");
  }

  static std::string items(const std::string& actions, const std::string& more = "") {
    return "{'TransactItems':[" + actions + "]" + more + "}";
  }
  static std::string put(const std::string& table, const std::string& key,
                         const std::string& more = "") {
    return "{'Put':{'TableName':'" + table + "','Item':{'pk':{'S':'" + key + "'}}" + more + "}}";
  }
  static std::string add(const std::string& key, const std::string& amount) {
    return "{'Update':{'TableName':'one','Key':{'pk':{'S':'" + key +
           "'}},'UpdateExpression':'ADD n :n','ExpressionAttributeValues':{':n':{'N':'" + amount +
           "'}}}}";
  }
  std::string get(const std::string& table, const std::string& key) {
    return node.ok("GetItem", "{'TableName':'" + table + "','Key':{'pk':{'S':'" + key + "'}}}");
  }

  OpsNode node;
};

constexpr char kCancelled[] =
    "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for "
    "specific reasons ";

TEST_F(Transactions, all_actions_take_effect_in_one_entry) {
  node.ok("PutItem", "{'TableName':'one','Item':{'pk':{'S':'gone'}}}");
  node.ok("PutItem", "{'TableName':'two','Item':{'pk':{'S':'check'},'ok':{'BOOL':true}}}");
  EXPECT_EQ(node.ok("TransactWriteItems",
                    items(put("two", "new") + "," + add("count", "2") +
                          ",{'Delete':{'TableName':'one','Key':{'pk':{'S':'gone'}}}},"
                          "{'ConditionCheck':{'TableName':'two','Key':{'pk':{'S':'check'}},"
                          "'ConditionExpression':'attribute_exists(ok)'}}")),
            "{}");
  FramePtr frame = node.engine().log().frame_holding(node.engine().log().durable_lsn()).value();
  EntryView entry = *frame->begin();
  EXPECT_EQ(entry.change_count(), 3u);
  EXPECT_TRUE(entry.field(EntryField::kTransactionId).has_value());
  EXPECT_EQ(
      node.ok("TransactGetItems",
              "{'TransactItems':[{'Get':{'TableName':'two','Key':{'pk':{'S':'new'}}}},"
              "{'Get':{'TableName':'one','Key':{'pk':{'S':'count'}},'ProjectionExpression':'n'}},"
              "{'Get':{'TableName':'one','Key':{'pk':{'S':'gone'}}}},"
              "{'Get':{'TableName':'two','Key':{'pk':{'S':'check'}},"
              "'ProjectionExpression':'nothing'}}]}"),
      "{\"Responses\":[{\"Item\":{\"pk\":{\"S\":\"new\"}}},{\"Item\":{\"n\":{\"N\":\"2\"}}},"
      "{},{}]}");
}

TEST_F(Transactions, one_failed_condition_cancels_all_and_is_told_by_position) {
  node.ok("PutItem", "{'TableName':'one','Item':{'pk':{'S':'there'},'n':{'N':'7'}}}");
  OpsNode::Answer answer = node.call("TransactWriteItems",
                                     items(put("one", "new") + "," +
                                           put("one", "there",
                                               ",'ConditionExpression':'attribute_not_exists(pk)',"
                                               "'ReturnValuesOnConditionCheckFailure':'ALL_OLD'")));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\","
            "\"Message\":\"Transaction cancelled, please refer cancellation reasons for specific "
            "reasons [None, ConditionalCheckFailed]\",\"CancellationReasons\":[{\"Code\":\"None\"},"
            "{\"Code\":\"ConditionalCheckFailed\",\"Message\":\"The conditional request failed\","
            "\"Item\":{\"n\":{\"N\":\"7\"},\"pk\":{\"S\":\"there\"}}}]}");
  EXPECT_EQ(get("one", "new"), "{}");
}

TEST_F(Transactions, a_wrong_item_or_update_cancels_with_its_reason) {
  OpsNode::Answer answer = node.call(
      "TransactWriteItems",
      items(put("one", "a") + ",{'Put':{'TableName':'one','Item':{'x':{'S':'no key'}}}}"));
  EXPECT_EQ(OpsNode::error_of(answer), std::string(kCancelled) + "[None, ValidationError]");
  EXPECT_THAT(answer.body, HasSubstr("{\"Code\":\"ValidationError\",\"Message\":\"One or more "
                                     "parameter values were invalid: Missing the key pk in the "
                                     "item\"}"));
  node.ok("PutItem", "{'TableName':'one','Item':{'pk':{'S':'s'},'n':{'S':'text'}}}");
  EXPECT_EQ(node.refused("TransactWriteItems", items(add("s", "1") + "," + put("one", "b"))),
            std::string(kCancelled) + "[ValidationError, None]");
  EXPECT_EQ(get("one", "a"), "{}");
  EXPECT_EQ(get("one", "b"), "{}");
  EXPECT_EQ(node.refused("TransactGetItems",
                         "{'TransactItems':[{'Get':{'TableName':'one','Key':{'x':{'S':'a'}}}}]}"),
            std::string(kCancelled) + "[ValidationError]");
}

TEST_F(Transactions, requests_of_the_wrong_shape_are_refused) {
  auto refused = [&](const std::string& actions) {
    return node.refused("TransactWriteItems", items(actions));
  };
  for (const char* operation : {"TransactWriteItems", "TransactGetItems"}) {
    EXPECT_EQ(
        node.refused(operation, items("")),
        "ValidationException: 1 validation error detected: Value '[]' at 'transactItems' failed "
        "to satisfy constraint: Member must have length greater than or equal to 1");
  }
  std::string many;
  for (int i = 0; i < 101; ++i) many += (i == 0 ? "" : ",") + put("one", "k" + std::to_string(i));
  EXPECT_THAT(refused(many),
              HasSubstr("at 'transactItems' failed to satisfy constraint: Member must "
                        "have length less than or equal to 100"));
  EXPECT_EQ(refused(put("one", "a") + "," + put("one", "a")),
            "ValidationException: Transaction request cannot include multiple operations on one "
            "item");
  EXPECT_EQ(refused(put("one", "a") + "," + put("none", "a")),
            "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(refused("{}"),
            "ValidationException: Invalid Request: TransactWriteRequest should contain Delete or "
            "Put or Update request");
  EXPECT_EQ(refused("{'Put':{'TableName':'one','Item':{'pk':{'S':'a'}}},"
                    "'Delete':{'TableName':'one','Key':{'pk':{'S':'b'}}}}"),
            "ValidationException: TransactItems can only contain one of Check, Put, Update or "
            "Delete");
  EXPECT_EQ(
      refused("{'Put':{'TableName':'one','Item':{'pk':{'S':''}}}}"),
      "ValidationException: One or more parameter values are not valid. The AttributeValue for "
      "a key attribute cannot contain an empty string value. Key: pk");
  EXPECT_EQ(refused("{'ConditionCheck':{'TableName':'one','Key':{'pk':{'S':'a'}}}}"),
            "ValidationException: 1 validation error detected: Value null at "
            "'transactItems.1.member.conditionCheck.conditionExpression' failed to satisfy "
            "constraint: Member must not be null");
  EXPECT_EQ(get("one", "a"), "{}");
}

TEST_F(Transactions, a_token_makes_a_repeat_harmless_also_after_a_restart) {
  std::string token = ",'ClientRequestToken':'tok'";
  node.ok("TransactWriteItems", items(add("count", "1"), token));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(node.ok("TransactWriteItems",
                      items(add("count", "1"), token + ",'ReturnConsumedCapacity':'TOTAL'")),
              "{\"ConsumedCapacity\":[{\"TableName\":\"one\",\"CapacityUnits\":2.0,"
              "\"ReadCapacityUnits\":2.0}]}");
    EXPECT_THAT(node.refused("TransactWriteItems", items(add("count", "2"), token)),
                StartsWith("IdempotentParameterMismatchException: "));
    EXPECT_THAT(get("one", "count"), HasSubstr("\"n\":{\"N\":\"1\"}"));
    node.restart();
  }
  node.clock.advance(kTokenLifetimeMs);
  node.ok("TransactWriteItems", items(add("count", "2"), token));
  EXPECT_THAT(get("one", "count"), HasSubstr("\"n\":{\"N\":\"3\"}"));
}

TEST_F(Transactions, a_token_protects_what_a_request_means) {
  auto request = [](const std::string& table, const std::string& values, const std::string& space) {
    return "{'ClientRequestToken':'tok','TransactItems':[{'Update':{'Key':{'pk':{'S':'count'}}," +
           space + "'TableName':'" + table +
           "','UpdateExpression':'ADD n :n SET m = :m','ExpressionAttributeValues':{" + values +
           "}}}]}";
  };
  const std::string n = "':n':{'N':'1'}", m = "':m':{'S':'x'}";
  node.ok("TransactWriteItems", request("one", n + "," + m, ""));
  node.ok("TransactWriteItems", request("one", m + " , ':n':{'N':'1.0'}", "  "));
  node.ok("TransactWriteItems", request(node.catalog().table_arn("one"), n + "," + m, ""));
  EXPECT_THAT(get("one", "count"), HasSubstr("\"n\":{\"N\":\"1\"}"));
  EXPECT_THAT(node.refused("TransactWriteItems", request("two", n + "," + m, "")),
              StartsWith("IdempotentParameterMismatchException: "));
  EXPECT_THAT(node.refused("TransactWriteItems", request("one", n + ",':m':{'S':'y'}", "")),
              StartsWith("IdempotentParameterMismatchException: "));
}

TEST_F(Transactions, a_cancelled_transaction_does_not_use_its_token) {
  std::string token = ",'ClientRequestToken':'tok'";
  std::string guarded = put("one", "a", ",'ConditionExpression':'attribute_exists(pk)'");
  EXPECT_THAT(node.refused("TransactWriteItems", items(guarded, token)), StartsWith(kCancelled));
  node.ok("PutItem", "{'TableName':'one','Item':{'pk':{'S':'a'},'x':{'N':'1'}}}");
  node.ok("TransactWriteItems", items(guarded, token));
  EXPECT_EQ(get("one", "a"), "{\"Item\":{\"pk\":{\"S\":\"a\"}}}");
}

TEST_F(Transactions, expired_tokens_are_purged_in_bounded_commands) {
  for (int i = 0; i < 20; ++i) {
    node.ok("TransactWriteItems",
            items(add("count", "1"), ",'ClientRequestToken':'t" + std::to_string(i) + "'"));
  }
  auto expired = [&](size_t most) {
    std::string from;
    return expired_tokens_command(*node.engine().view(), node.clock.wall_ms(), most, from).value();
  };
  EXPECT_EQ(expired(8), nullptr);
  node.clock.advance(kTokenLifetimeMs);
  Lsn before = node.engine().published_lsn();
  node.submit(expired(8));
  node.commit();
  EXPECT_EQ(node.engine().published_lsn(), before + 8);
  // The others go beside the next transaction with a token.
  node.ok("TransactWriteItems", items(add("count", "1"), ",'ClientRequestToken':'last'"));
  node.commit();
  EXPECT_EQ(expired(100), nullptr);
}

TEST_F(Transactions, expired_tokens_go_faster_than_new_ones_come) {
  auto transact = [&](int count, const std::string& prefix) {
    for (int i = 0; i < count; ++i) {
      node.ok("TransactWriteItems",
              items(put("one", "a"), ",'ClientRequestToken':'" + prefix + std::to_string(i) + "'"));
      node.clock.advance(1);
    }
    node.commit();
  };
  transact(3000, "old");
  node.clock.advance(kTokenLifetimeMs);
  transact(600, "new");
  std::string begin;
  append_generation_prefix(kTokenGeneration, begin);
  auto range = node.engine().view()->range(begin, prefix_successor(begin), false);
  size_t tokens = 0;
  for (; range->valid(); range->next()) ++tokens;
  EXPECT_EQ(tokens, 600u);
}

TEST_F(Transactions, a_token_is_at_most_36_characters) {
  std::string token(37, 'x');
  EXPECT_EQ(
      node.refused("TransactWriteItems",
                   items(put("one", "a"), ",'ClientRequestToken':'" + token + "'")),
      "ValidationException: 1 validation error detected: Value '" + token +
          "' at 'clientRequestToken' failed to satisfy constraint: Member must have length less "
          "than or equal to 36");
}

TEST_F(Transactions, capacity_is_doubled) {
  EXPECT_EQ(
      node.ok("TransactWriteItems", items(put("one", "a") + "," + put("two", "b"),
                                          ",'ReturnConsumedCapacity':'INDEXES'")),
      "{\"ConsumedCapacity\":[{\"TableName\":\"one\",\"CapacityUnits\":2.0,"
      "\"WriteCapacityUnits\":2.0,\"Table\":{\"CapacityUnits\":2.0,\"WriteCapacityUnits\":2.0}},"
      "{\"TableName\":\"two\",\"CapacityUnits\":2.0,\"WriteCapacityUnits\":2.0,"
      "\"Table\":{\"CapacityUnits\":2.0,\"WriteCapacityUnits\":2.0}}]}");
  EXPECT_THAT(node.ok("TransactGetItems",
                      "{'ReturnConsumedCapacity':'TOTAL','TransactItems':[{'Get':"
                      "{'TableName':'one','Key':{'pk':{'S':'a'}}}}]}"),
              HasSubstr("\"CapacityUnits\":2.0,\"ReadCapacityUnits\":2.0"));
}

}  // namespace
}  // namespace millrace
