#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Batches : public testing::Test {
 protected:
  Batches() {
    node.create_table("one");
    node.create_table("two");
  }

  static std::string put(const std::string& key) {
    return "{'PutRequest':{'Item':{'pk':{'S':'" + key + "'}}}}";
  }
  static std::string remove(const std::string& key) {
    return "{'DeleteRequest':{'Key':{'pk':{'S':'" + key + "'}}}}";
  }
  static std::string puts(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + put("k" + std::to_string(i));
    return text;
  }
  static std::string keys(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += (i == 0 ? "{'pk':{'S':'k" : ",{'pk':{'S':'k") + std::to_string(i) + "'}}";
    return text;
  }
  std::string count(const std::string& table) {
    return node.ok("Scan", "{'TableName':'" + table + "','Select':'COUNT'}");
  }

  OpsNode node;
};

TEST_F(Batches, write_and_read_several_tables) {
  node.ok("PutItem", "{'TableName':'two','Item':{'pk':{'S':'gone'}}}");
  EXPECT_EQ(node.ok("BatchWriteItem", "{'RequestItems':{'one':[" + puts(3) + "],'two':[" +
                                          remove("gone") + "," + put("k0") + "]}}"),
            "{\"UnprocessedItems\":{}}");
  EXPECT_EQ(node.ok("BatchGetItem",
                    "{'RequestItems':{'one':{'Keys':[{'pk':{'S':'k2'}},{'pk':{'S':'nobody'}}]},"
                    "'two':{'Keys':[{'pk':{'S':'gone'}},{'pk':{'S':'k0'}}],'ConsistentRead':true,"
                    "'ProjectionExpression':'#p','ExpressionAttributeNames':{'#p':'pk'}}}}"),
            "{\"Responses\":{\"one\":[{\"pk\":{\"S\":\"k2\"}}],\"two\":[{\"pk\":{\"S\":\"k0\"}}]},"
            "\"UnprocessedKeys\":{}}");
}

TEST_F(Batches, capacity_is_summed_by_table) {
  EXPECT_EQ(node.ok("BatchWriteItem", "{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'two':[" +
                                          puts(1) + "],'one':[" + puts(3) + "]}}"),
            "{\"UnprocessedItems\":{},\"ConsumedCapacity\":["
            "{\"TableName\":\"one\",\"CapacityUnits\":3.0},"
            "{\"TableName\":\"two\",\"CapacityUnits\":1.0}]}");
  EXPECT_THAT(node.ok("BatchGetItem",
                      "{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'one':"
                      "{'Keys':[" +
                          keys(3) + "]}}}"),
              HasSubstr("\"ConsumedCapacity\":[{\"TableName\":\"one\",\"CapacityUnits\":1.5}]"));
}

TEST_F(Batches, sizes_are_limited) {
  node.ok("BatchWriteItem", "{'RequestItems':{'one':[" + puts(25) + "]}}");
  EXPECT_THAT(node.ok("BatchGetItem", "{'RequestItems':{'one':{'Keys':[" + keys(100) + "]}}}"),
              HasSubstr("\"UnprocessedKeys\":{}"));
  std::string refused =
      node.refused("BatchWriteItem", "{'RequestItems':{'two':[" + puts(26) + "]}}");
  EXPECT_THAT(refused,
              StartsWith("ValidationException: 1 validation error detected: Value '{two=["));
  EXPECT_THAT(refused,
              HasSubstr("]}' at 'requestItems' failed to satisfy constraint: Map value must "
                        "satisfy constraint: [Member must have length less than or equal to "
                        "25, Member must have length greater than or equal to 1]"));
  EXPECT_EQ(count("two"), "{\"Count\":0,\"ScannedCount\":0}");
  EXPECT_EQ(
      node.refused("BatchGetItem", "{'RequestItems':{'one':{'Keys':[" + keys(101) + "]}}}"),
      "ValidationException: 1 validation error detected: Value at 'RequestItems.one.member.Keys' "
      "failed to satisfy constraint: Member must have length less than or equal to 100");
  for (const char* operation : {"BatchWriteItem", "BatchGetItem"}) {
    EXPECT_EQ(node.refused(operation, "{'RequestItems':{}}"),
              "ValidationException: The requestItems parameter is required for " +
                  std::string(operation));
  }
}

TEST_F(Batches, an_empty_list_is_refused) {
  EXPECT_EQ(node.refused("BatchWriteItem", "{'RequestItems':{'one':[],'two':[" + puts(1) + "]}}"),
            "ValidationException: 1 validation error detected: Value "
            "'{one=[], two=[WriteRequest(putRequest=PutRequest(item={"
            "pk=AttributeValue()}))]}' at 'requestItems' failed to satisfy constraint: Map "
            "value must satisfy constraint: [Member must have length less than or equal to 25, "
            "Member must have length greater than or equal to 1]");
  EXPECT_EQ(count("two"), "{\"Count\":0,\"ScannedCount\":0}");
  EXPECT_EQ(
      node.refused("BatchGetItem", "{'RequestItems':{'one':{'Keys':[]}}}"),
      "ValidationException: 1 validation error detected: Value at 'RequestItems.one.member.Keys' "
      "failed to satisfy constraint: Member must have length greater than or equal to 1");
}

TEST_F(Batches, what_is_no_table_name_is_refused_as_a_key_of_the_map) {
  const std::string constraint =
      " at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member "
      "must have length less than or equal to 255, Member must have length greater than or equal "
      "to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]";
  const std::string unknown_capacity =
      "Value 'x' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy "
      "enum value set: [INDEXES, TOTAL, NONE]";
  const std::string error = "ValidationException: 1 validation error detected: ";
  EXPECT_EQ(node.refused("BatchGetItem",
                         "{'RequestItems': {'one': {'Keys': [{'pk': {'S': 'a b'}}]}, 'a!b': "
                         "{'Keys': [{'pk':{'S':'a'}}]}}}"),
            error +
                "Value '{\"one\":{\"Keys\":[{\"pk\":{\"S\":\"a b\"}}]},\"a!b\":"
                "{\"Keys\":[{\"pk\":{\"S\":\"a\"}}]}}'" +
                constraint);
  for (const std::string& name : {std::string("ab"), std::string(256, 'a')}) {
    EXPECT_EQ(node.refused("BatchGetItem", "{'ReturnConsumedCapacity':'x','RequestItems':{'" +
                                               name + "':{'Keys':[{'pk':{'S':'a'}}]}}}"),
              "ValidationException: 2 validation errors detected: Value '{\"" + name +
                  "\":{\"Keys\":[{\"pk\":{\"S\":\"a\"}}]}}'" + constraint + "; " +
                  unknown_capacity);
  }
  const std::string writes = "'RequestItems':{'a!b':[" + put("a") + "," + remove("b") + "]}}";
  EXPECT_EQ(node.refused("BatchWriteItem", "{" + writes),
            error +
                "Value '{a!b=[WriteRequest(putRequest=PutRequest(item={pk=AttributeValue()})), "
                "WriteRequest(deleteRequest=DeleteRequest(key={pk=AttributeValue()}))]}'" +
                constraint);
  // An enumeration is reported alone.
  EXPECT_EQ(node.refused("BatchWriteItem", "{'ReturnConsumedCapacity':'x'," + writes),
            error + unknown_capacity);
}

TEST_F(Batches, a_key_twice_is_refused) {
  std::string message = "ValidationException: Provided list of item keys contains duplicates";
  EXPECT_EQ(node.refused("BatchWriteItem",
                         "{'RequestItems':{'one':[" + put("a") + "," + remove("a") + "]}}"),
            message);
  EXPECT_EQ(node.refused("BatchGetItem",
                         "{'RequestItems':{'one':{'Keys':[" + keys(1) + "," + keys(1) + "]}}}"),
            message);
}

TEST_F(Batches, one_wrong_write_refuses_all) {
  auto refused = [&](const std::string& bad) {
    std::string error =
        node.refused("BatchWriteItem", "{'RequestItems':{'one':[" + puts(2) + "," + bad + "]}}");
    EXPECT_EQ(count("one"), "{\"Count\":0,\"ScannedCount\":0}");
    return error;
  };
  EXPECT_EQ(refused("{'PutRequest':{'Item':{'x':{'S':'a'}}}}"),
            "ValidationException: The provided key element does not match the schema");
  EXPECT_EQ(refused("{'PutRequest':{'Item':{'pk':{'N':'1'}}}}"),
            "ValidationException: The provided key element does not match the schema");
  EXPECT_THAT(refused("{'PutRequest':{'Item':{'pk':{'S':''}}}}"),
              HasSubstr("cannot contain an empty string value. Key: pk"));
  EXPECT_THAT(refused("{'PutRequest':{'Item':{'pk':{'S':'a'},'n':{'N':'x'}}}}"),
              HasSubstr("cannot be converted to a numeric value"));
  EXPECT_THAT(refused("{}"), StartsWith("ValidationException: Supplied AttributeValue has more"));
  EXPECT_EQ(refused("{'PutRequest':{'Item':{'pk':{'S':'a'},'b':{'S':'" + std::string(410'000, 'x') +
                    "'}}}}"),
            "ValidationException: Item size has exceeded the maximum allowed size");
  EXPECT_EQ(node.refused("BatchWriteItem",
                         "{'RequestItems':{'one':[" + puts(1) + "],'none':[" + puts(1) + "]}}"),
            "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(count("one"), "{\"Count\":0,\"ScannedCount\":0}");
}

TEST_F(Batches, what_does_not_fit_an_answer_is_left_over_and_can_be_asked_for_again) {
  std::string big(390'000, 'x');
  for (int i = 0; i < 50; ++i) {
    node.ok("PutItem", "{'TableName':'one','Item':{'pk':{'S':'k" + std::to_string(i) +
                           "'},'big':{'S':'" + big + "'}}}");
  }
  std::string body = node.ok(
      "BatchGetItem",
      "{'RequestItems':{'one':{'ProjectionExpression':'#p','ExpressionAttributeNames':{'#p':'pk'},"
      "'Keys':[" +
          keys(50) + "]}}}");
  size_t left = body.find("\"UnprocessedKeys\":");
  std::string first = body.substr(0, left);
  std::string again = body.substr(left + std::string("\"UnprocessedKeys\":").size());
  again.pop_back();
  EXPECT_THAT(again, StartsWith("{\"one\":{\"ProjectionExpression\":\"#p\","
                                "\"ExpressionAttributeNames\":{\"#p\":\"pk\"},\"Keys\":[{\"pk\":"));
  std::string second = node.ok("BatchGetItem", "{\"RequestItems\":" + again + "}");
  EXPECT_THAT(second, HasSubstr("\"UnprocessedKeys\":{}"));
  for (int i = 0; i < 50; ++i) {
    std::string key = "{\"pk\":{\"S\":\"k" + std::to_string(i) + "\"}}";
    EXPECT_NE(first.find(key) == std::string::npos, second.find(key) == std::string::npos) << key;
  }
}

}  // namespace
}  // namespace millrace
