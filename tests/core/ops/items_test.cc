#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
const std::string kOne = "ValidationException: 1 validation error detected: Value ";
constexpr char kFailed[] = "ConditionalCheckFailedException: The conditional request failed";

class Items : public testing::Test {
 protected:
  Items() { node.create_table("films"); }

  static std::string of(const std::string& members) {
    return "{'TableName':'films'," + members + "}";
  }
  static std::string put(const std::string& attributes, const std::string& more = "") {
    return of("'Item':{'pk':{'S':'a'}" + (attributes.empty() ? "" : "," + attributes) + "}" + more);
  }
  static std::string key(const std::string& more = "") {
    return of("'Key':{'pk':{'S':'a'}}" + more);
  }
  std::string stored() { return node.ok("GetItem", key()); }
  Lsn lsn() { return node.engine().published_lsn(); }

  OpsNode node;
};

TEST_F(Items, a_write_is_answered_by_nothing_and_read_back) {
  EXPECT_EQ(node.ok("PutItem", put("'n':{'N':'1.50'}")), "{}");
  EXPECT_EQ(stored(), "{\"Item\":{\"n\":{\"N\":\"1.5\"},\"pk\":{\"S\":\"a\"}}}");
  EXPECT_EQ(node.ok("DeleteItem", key()), "{}");
  EXPECT_EQ(stored(), "{}");
}

TEST_F(Items, members_may_come_in_any_order) {
  node.ok("PutItem", "{'Item':{'pk':{'S':'a'}},'Whatever':[{'x':1}],'TableName':'films'}");
  EXPECT_EQ(node.ok("GetItem", "{'Key':{'pk':{'S':'a'}},'TableName':'films'}"),
            "{\"Item\":{\"pk\":{\"S\":\"a\"}}}");
}

TEST_F(Items, a_write_that_changes_nothing_makes_no_record) {
  node.ok("PutItem", put("'n':{'N':'1'}"));
  Lsn before = lsn();
  node.ok("PutItem", put("'n':{'N':'1.0'}"));
  node.ok("UpdateItem", key(",'UpdateExpression':'SET n=:n','ExpressionAttributeValues':"
                            "{':n':{'N':'1'}}"));
  node.ok("UpdateItem", key(",'UpdateExpression':'REMOVE nothing'"));
  node.ok("DeleteItem", of("'Key':{'pk':{'S':'nobody'}}"));
  EXPECT_EQ(lsn(), before);
  node.ok("PutItem", put("'n':{'N':'2'}"));
  EXPECT_EQ(lsn(), before + 1);
}

TEST_F(Items, return_values_of_put_and_delete) {
  EXPECT_EQ(node.ok("PutItem", put("'n':{'N':'1'}", ",'ReturnValues':'ALL_OLD'")), "{}");
  EXPECT_EQ(node.ok("PutItem", put("'n':{'N':'2'}", ",'ReturnValues':'ALL_OLD'")),
            "{\"Attributes\":{\"n\":{\"N\":\"1\"},\"pk\":{\"S\":\"a\"}}}");
  EXPECT_EQ(node.ok("DeleteItem", key(",'ReturnValues':'ALL_OLD'")),
            "{\"Attributes\":{\"n\":{\"N\":\"2\"},\"pk\":{\"S\":\"a\"}}}");
  EXPECT_EQ(node.ok("DeleteItem", key(",'ReturnValues':'ALL_OLD'")), "{}");
  EXPECT_EQ(node.refused("PutItem", put("", ",'ReturnValues':'ALL_NEW'")),
            "ValidationException: ReturnValues can only be ALL_OLD or NONE");
}

TEST_F(Items, return_values_of_update) {
  auto update = [&](const std::string& wanted) {
    node.ok("PutItem", put("'x':{'N':'1'},'y':{'S':'same'}"));
    return node.ok("UpdateItem",
                   key(",'UpdateExpression':'SET x=:x,z=:z','ExpressionAttributeValues':"
                       "{':x':{'N':'2'},':z':{'S':'new'}},'ReturnValues':'" +
                       wanted + "'"));
  };
  EXPECT_EQ(update("NONE"), "{}");
  EXPECT_EQ(update("ALL_OLD"),
            "{\"Attributes\":{\"pk\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"},\"y\":{\"S\":\"same\"}}}");
  EXPECT_EQ(update("ALL_NEW"),
            "{\"Attributes\":{\"pk\":{\"S\":\"a\"},\"x\":{\"N\":\"2\"},\"y\":{\"S\":\"same\"},"
            "\"z\":{\"S\":\"new\"}}}");
  EXPECT_EQ(update("UPDATED_OLD"), "{\"Attributes\":{\"x\":{\"N\":\"1\"}}}");
  EXPECT_EQ(update("UPDATED_NEW"), "{\"Attributes\":{\"x\":{\"N\":\"2\"},\"z\":{\"S\":\"new\"}}}");
  node.ok("DeleteItem", key());
  EXPECT_EQ(node.ok("UpdateItem", key(",'ReturnValues':'ALL_OLD'")), "{}");
}

TEST_F(Items, update_makes_an_item_unless_it_only_removes) {
  node.ok("UpdateItem", key(",'UpdateExpression':'REMOVE x'"));
  EXPECT_EQ(stored(), "{}");
  node.ok("UpdateItem", key(",'UpdateExpression':'ADD n :n','ExpressionAttributeValues':"
                            "{':n':{'N':'5'}}"));
  EXPECT_EQ(stored(), "{\"Item\":{\"n\":{\"N\":\"5\"},\"pk\":{\"S\":\"a\"}}}");
  node.ok("DeleteItem", key());
  node.ok("UpdateItem", key());
  EXPECT_EQ(stored(), "{\"Item\":{\"pk\":{\"S\":\"a\"}}}");
}

TEST_F(Items, a_failed_condition_writes_nothing_and_shows_the_item_when_asked) {
  node.ok("PutItem", put("'n':{'N':'1'}"));
  Lsn before = lsn();
  std::string condition = ",'ConditionExpression':'attribute_not_exists(pk)'";
  EXPECT_EQ(node.refused("PutItem", put("", condition)), kFailed);
  OpsNode::Answer answer =
      node.call("PutItem", put("", condition + ",'ReturnValuesOnConditionCheckFailure':'ALL_OLD'"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
            "\"message\":\"The conditional request failed\","
            "\"Item\":{\"n\":{\"N\":\"1\"},\"pk\":{\"S\":\"a\"}}}");
  std::string values = ",'ExpressionAttributeValues':{':n':{'N':'2'}}";
  EXPECT_EQ(node.refused("DeleteItem", key(",'ConditionExpression':'n = :n'" + values)), kFailed);
  EXPECT_EQ(node.refused("UpdateItem", key(",'ConditionExpression':'n = :n','UpdateExpression':"
                                           "'REMOVE n'" +
                                           values)),
            kFailed);
  EXPECT_EQ(node.refused("DeleteItem", of("'Key':{'pk':{'S':'nobody'}},'ConditionExpression':"
                                          "'attribute_exists(pk)'")),
            kFailed);
  EXPECT_EQ(lsn(), before);
}

TEST_F(Items, consumed_capacity) {
  std::string total = ",'ReturnConsumedCapacity':'TOTAL'";
  EXPECT_EQ(node.ok("PutItem", put("", total)),
            "{\"ConsumedCapacity\":{\"TableName\":\"films\",\"CapacityUnits\":1.0}}");
  std::string big = "'t':{'S':'" + std::string(3000, 'x') + "'}";
  EXPECT_THAT(node.ok("PutItem", put(big, total)), HasSubstr("\"CapacityUnits\":3.0"));
  EXPECT_THAT(node.ok("PutItem", put("", total)), HasSubstr("\"CapacityUnits\":3.0"));
  EXPECT_EQ(node.ok("GetItem", key(",'ReturnConsumedCapacity':'INDEXES'")),
            "{\"Item\":{\"pk\":{\"S\":\"a\"}},\"ConsumedCapacity\":{\"TableName\":\"films\","
            "\"CapacityUnits\":0.5,\"Table\":{\"CapacityUnits\":0.5}}}");
  EXPECT_THAT(node.ok("GetItem", key(total + ",'ConsistentRead':true")),
              HasSubstr("\"CapacityUnits\":1.0"));
  EXPECT_EQ(node.ok("GetItem", of("'Key':{'pk':{'S':'nobody'}}" + total)),
            "{\"ConsumedCapacity\":{\"TableName\":\"films\",\"CapacityUnits\":0.5}}");
  EXPECT_EQ(node.ok("PutItem", put("", ",'ReturnConsumedCapacity':'NONE'")), "{}");
  EXPECT_EQ(node.ok("PutItem", put("", ",'ReturnItemCollectionMetrics':'SIZE'")), "{}");
}

TEST_F(Items, projections_of_get) {
  node.ok("PutItem",
          put("'m':{'M':{'x':{'N':'1'},'y':{'N':'2'}}},'l':{'L':[{'N':'1'},{'N':'2'}]}"));
  EXPECT_EQ(node.ok("GetItem", key(",'ProjectionExpression':'m.#y, l[1], nothing',"
                                   "'ExpressionAttributeNames':{'#y':'y'}")),
            "{\"Item\":{\"l\":{\"L\":[{\"N\":\"2\"}]},\"m\":{\"M\":{\"y\":{\"N\":\"2\"}}}}}");
  EXPECT_EQ(node.ok("GetItem", key(",'ProjectionExpression':'nothing'")), "{\"Item\":{}}");
}

TEST_F(Items, items_over_400_kb_are_refused) {
  size_t most = 400 * 1024 - 2 - 1 - 3;
  auto big = [&](size_t size) { return "'big':{'S':'" + std::string(size, 'x') + "'}"; };
  node.ok("PutItem", put(big(most)));
  EXPECT_EQ(node.refused("PutItem", put(big(most + 1))),
            "ValidationException: Item size has exceeded the maximum allowed size");
  EXPECT_EQ(node.refused("UpdateItem",
                         key(",'UpdateExpression':'SET more=:m','ExpressionAttributeValues':"
                             "{':m':{'S':'xx'}}")),
            "ValidationException: Item size to update has exceeded the maximum allowed size");
}

TEST_F(Items, keys_must_fit_the_schema) {
  EXPECT_EQ(node.refused("PutItem", of("'Item':{'x':{'S':'a'}}")),
            kInvalid + "Missing the key pk in the item");
  EXPECT_EQ(node.refused("PutItem", of("'Item':{'pk':{'N':'1'}}")),
            kInvalid + "Type mismatch for key pk expected: S actual: N");
  std::string empty =
      "ValidationException: One or more parameter values are not valid. The AttributeValue for a "
      "key "
      "attribute cannot contain an empty string value. Key: pk";
  EXPECT_EQ(node.refused("PutItem", of("'Item':{'pk':{'S':''}}")), empty);
  for (const char* operation : {"GetItem", "DeleteItem", "UpdateItem"}) {
    for (const char* wrong :
         {"'x':{'S':'a'}", "'pk':{'N':'1'}", "'pk':{'S':'a'},'x':{'S':'a'}", ""}) {
      EXPECT_EQ(node.refused(operation, of("'Key':{" + std::string(wrong) + "}")),
                "ValidationException: The provided key element does not match the schema")
          << operation << wrong;
    }
    EXPECT_EQ(node.refused(operation, of("'Key':{'pk':{'S':''}}")), empty);
    EXPECT_EQ(node.refused(operation, of("'Key':{'pk':{'S':'" + std::string(2049, 'x') + "'}}")),
              kInvalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes");
  }
}

TEST_F(Items, key_attributes_are_not_updated) {
  EXPECT_EQ(node.refused("UpdateItem", key(",'UpdateExpression':'SET pk=:p',"
                                           "'ExpressionAttributeValues':{':p':{'S':'b'}}")),
            kInvalid + "Cannot update attribute pk. This attribute is part of the key");
  EXPECT_EQ(node.refused("UpdateItem", key(",'UpdateExpression':'REMOVE pk'")),
            kInvalid + "Cannot update attribute pk. This attribute is part of the key");
}

TEST_F(Items, unknown_tables) {
  for (const char* operation : {"GetItem", "DeleteItem", "UpdateItem"}) {
    EXPECT_EQ(node.refused(operation, "{'TableName':'absent','Key':{'pk':{'S':'a'}}}"),
              "ResourceNotFoundException: Requested resource not found");
  }
  EXPECT_EQ(node.refused("PutItem", "{'TableName':'absent','Item':{'pk':{'S':'a'}}}"),
            "ResourceNotFoundException: Requested resource not found");
}

TEST_F(Items, constraints_of_the_model_are_listed) {
  EXPECT_EQ(node.refused("PutItem", "{'Item':{'pk':{'S':'a'}}}"),
            kOne + "null at 'tableName' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(node.refused("PutItem", "{'TableName':'films'}"),
            kOne + "null at 'item' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(node.refused("PutItem", "{'TableName':'','Item':{}}"),
            kOne +
                "'' at 'tableName' failed to satisfy constraint: Member must have length greater "
                "than or equal to 1");
  EXPECT_EQ(node.refused("PutItem", "{'TableName':'" + std::string(256, 'a') + "','Item':{}}"),
            kOne + "'" + std::string(256, 'a') +
                "' at 'tableName' failed to satisfy constraint: "
                "Member must have length less than or equal to 255");
  EXPECT_EQ(
      node.refused("PutItem", put("",
                                  ",'ReturnValues':'x','ReturnConsumedCapacity':'y',"
                                  "'ReturnItemCollectionMetrics':'z'")),
      "ValidationException: 3 validation errors detected: Value 'y' at "
      "'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value "
      "set: [INDEXES, TOTAL, NONE]; Value 'x' at 'returnValues' failed to satisfy constraint: "
      "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, "
      "UPDATED_NEW]; Value 'z' at 'returnItemCollectionMetrics' failed to satisfy constraint: "
      "Member must satisfy enum value set: [SIZE, NONE]");
  EXPECT_EQ(
      node.refused("GetItem", "{}"),
      "ValidationException: 2 validation errors detected: Value null at 'key' failed to "
      "satisfy constraint: Member must not be null; Value null at 'tableName' failed to satisfy "
      "constraint: Member must not be null");
  // Without its key an update is refused with all that is wrong, its table's name among it.
  EXPECT_EQ(
      node.refused("UpdateItem",
                   "{'TableName':'','ReturnValues':'x','ReturnConsumedCapacity':'y',"
                   "'ConditionalOperator':'z'}"),
      "ValidationException: 5 validation errors detected: Value 'y' at 'returnConsumedCapacity' "
      "failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; "
      "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than "
      "or equal to 1; Value 'x' at 'returnValues' failed to satisfy constraint: Member must "
      "satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]; Value 'z' at "
      "'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: "
      "[OR, AND]; Value null at 'key' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(node.refused("UpdateItem", "{'TableName':'','ReturnValues':'x','Key':{}}"),
            kOne +
                "'' at 'tableName' failed to satisfy constraint: Member must have length greater "
                "than or equal to 1");
  // A name is refused before the item is looked at.
  EXPECT_THAT(node.refused("PutItem", "{'TableName':'a b','Item':{'pk':{}}}"),
              StartsWith(kOne + "'a b' at 'tableName'"));
}

TEST_F(Items, expression_parameters_need_expressions) {
  EXPECT_EQ(node.refused("PutItem", put("", ",'ExpressionAttributeValues':{':a':{'N':'1'}}")),
            "ValidationException: ExpressionAttributeValues can only be specified when using "
            "expressions: ConditionExpression is null");
  EXPECT_EQ(node.refused("UpdateItem", key(",'ExpressionAttributeValues':{':a':{'N':'1'}}")),
            "ValidationException: ExpressionAttributeValues can only be specified when using "
            "expressions: UpdateExpression and ConditionExpression are null");
  EXPECT_EQ(node.refused("GetItem", key(",'ExpressionAttributeNames':{'#a':'a'}")),
            "ValidationException: ExpressionAttributeNames can only be specified when using "
            "expressions");
  EXPECT_EQ(
      node.refused("PutItem", put("",
                                  ",'ConditionExpression':'attribute_exists(#a)',"
                                  "'ExpressionAttributeNames':{'#a':'a','#b':'b'}")),
      "ValidationException: Value provided in ExpressionAttributeNames unused in expressions: "
      "keys: {#b}");
  EXPECT_EQ(node.refused("PutItem", put("", ",'ConditionExpression':''")),
            "ValidationException: Invalid ConditionExpression: The expression can not be empty;");
}

TEST_F(Items, bodies_that_are_not_the_shape_of_a_request) {
  for (const char* body :
       {"", "hi", "{", "[1]", "{\"TableName\":}", "{} {}", "{}{",
        "{\"TableName\":\"films\",\"Item\":{\"pk\":{\"S\":\"a\"}}", "{\"a\":\"\xff\xfe\"}"}) {
    OpsNode::Answer answer = node.call_raw("PutItem", body);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body, "{\"__type\":\"com.amazon.coral.service#SerializationException\"}")
        << body;
  }
  auto refused = [&](const std::string& members) {
    return node.refused("PutItem", "{" + members + "}");
  };
  std::string kind = "SerializationException: ";
  EXPECT_EQ(refused("'TableName':23"), kind + "NUMBER_VALUE cannot be converted to String");
  EXPECT_EQ(refused("'TableName':2.5"), kind + "DECIMAL_VALUE cannot be converted to String");
  EXPECT_EQ(refused("'TableName':true"), kind + "TRUE_VALUE cannot be converted to String");
  EXPECT_EQ(refused("'TableName':[]"),
            kind + "Unrecognized collection type class java.lang.String");
  EXPECT_EQ(refused("'TableName':{}"), kind + "Start of structure or map found where not expected");
  EXPECT_EQ(refused("'Item':'x'"), kind + "Unexpected field type");
  EXPECT_EQ(refused("'Item':[]"),
            kind +
                "Unrecognized collection type java.util.Map<java.lang.String, "
                "com.amazonaws.dynamodb.v20120810.AttributeValue>");
  EXPECT_EQ(refused("'Item':{'a':'x'}"), kind + "Unexpected value type in payload");
  EXPECT_EQ(node.refused("GetItem", key(",'ConsistentRead':'maybe'")),
            kind + "Unexpected token received from parser");
  EXPECT_EQ(node.ok("GetItem", key(",'ConsistentRead':null,'ProjectionExpression':null")), "{}");
  std::string deep =
      "{\"TableName\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(node.call_raw("PutItem", deep).body, HasSubstr("SerializationException"));
}

}  // namespace
}  // namespace millrace
