#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;

const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
const std::string kOne = "ValidationException: 1 validation error detected: Value ";
constexpr char kFailed[] = "ConditionalCheckFailedException: The conditional request failed";

// Parameters from before expressions, on an item of every type.
class Legacy : public testing::Test {
 protected:
  Legacy() {
    node.create_table("films");
    reset();
  }

  void reset() {
    node.ok("PutItem",
            "{'TableName':'films','Item':{'pk':{'S':'a'},'s':{'S':'hello'},'n':{'N':'2'},'b':{'B':"
            "'aGVsbG8='},'ss':{'SS':['x','y']},'ns':{'NS':['1','2']},'l':{'L':[{'N':'1'},{'S':'x'}]"
            "},'m':{'M':{'k':{'S':'v'}}},'t':{'BOOL':true},'z':{'NULL':true}}}");
  }
  static std::string key(const std::string& more) {
    return "{'TableName':'films','Key':{'pk':{'S':'a'}}" + more + "}";
  }
  // Whether Expected of one condition holds; the refusal if it is refused.
  std::string expected(const std::string& attribute, const std::string& condition) {
    return expected_all("{'" + attribute + "':{" + condition + "}}");
  }
  std::string expected_all(const std::string& conditions, const std::string& more = "") {
    OpsNode::Answer answer = node.call("UpdateItem", key(",'Expected':" + conditions + more));
    if (answer.status == 200) return "holds";
    std::string error = OpsNode::error_of(answer);
    return error == kFailed ? "fails" : error;
  }
  std::string compare(const std::string& attribute, const std::string& op,
                      const std::string& values) {
    return expected(attribute,
                    "'ComparisonOperator':'" + op + "','AttributeValueList':[" + values + "]");
  }
  // What one attribute is after an update of it, or the refusal.
  std::string updated(const std::string& attribute, const std::string& update) {
    reset();
    OpsNode::Answer answer =
        node.call("UpdateItem", key(",'AttributeUpdates':{'" + attribute + "':{" + update + "}}"));
    if (answer.status != 200) return OpsNode::error_of(answer);
    return node.ok("GetItem", key(",'AttributesToGet':['" + attribute + "']"));
  }

  OpsNode node;
};

TEST_F(Legacy, comparison_operators_hold_as_they_say) {
  struct Case {
    const char *attribute, *op, *values, *outcome;
  };
  for (const Case& c :
       std::initializer_list<Case>{{"s", "EQ", "{'S':'hello'}", "holds"},
                                   {"s", "EQ", "{'N':'2'}", "fails"},
                                   {"n", "EQ", "{'N':'2.0'}", "holds"},
                                   {"ss", "EQ", "{'SS':['y','x']}", "holds"},
                                   {"m", "EQ", "{'M':{'k':{'S':'v'}}}", "holds"},
                                   {"none", "EQ", "{'S':'hello'}", "fails"},
                                   {"s", "NE", "{'S':'x'}", "holds"},
                                   {"s", "NE", "{'N':'2'}", "holds"},
                                   {"none", "NE", "{'N':'2'}", "holds"},
                                   {"s", "NE", "{'S':'hello'}", "fails"},
                                   {"n", "LE", "{'N':'2'}", "holds"},
                                   {"n", "LT", "{'N':'2'}", "fails"},
                                   {"n", "LT", "{'N':'10'}", "holds"},
                                   {"n", "GE", "{'N':'2'}", "holds"},
                                   {"n", "GT", "{'N':'2'}", "fails"},
                                   {"n", "GT", "{'S':'1'}", "fails"},
                                   {"l", "GT", "{'N':'1'}", "fails"},
                                   {"z", "NOT_NULL", "", "holds"},
                                   {"none", "NOT_NULL", "", "fails"},
                                   {"none", "NULL", "", "holds"},
                                   {"z", "NULL", "", "fails"},
                                   {"s", "CONTAINS", "{'S':'ell'}", "holds"},
                                   {"b", "CONTAINS", "{'B':'ZWxs'}", "holds"},
                                   {"ss", "CONTAINS", "{'S':'y'}", "holds"},
                                   {"ns", "CONTAINS", "{'N':'2'}", "holds"},
                                   {"l", "CONTAINS", "{'S':'x'}", "holds"},
                                   {"l", "CONTAINS", "{'BOOL':true}", "fails"},
                                   {"none", "CONTAINS", "{'S':'x'}", "fails"},
                                   {"s", "NOT_CONTAINS", "{'S':'x'}", "holds"},
                                   {"s", "NOT_CONTAINS", "{'S':'ell'}", "fails"},
                                   {"n", "NOT_CONTAINS", "{'N':'2'}", "holds"},
                                   {"none", "NOT_CONTAINS", "{'S':'x'}", "fails"},
                                   {"s", "BEGINS_WITH", "{'S':'he'}", "holds"},
                                   {"b", "BEGINS_WITH", "{'B':'aGU='}", "holds"},
                                   {"n", "BEGINS_WITH", "{'S':'2'}", "fails"},
                                   {"n", "IN", "{'N':'1'},{'N':'2'}", "holds"},
                                   {"ns", "IN", "{'N':'1'},{'N':'2'}", "fails"},
                                   {"none", "IN", "{'N':'1'}", "fails"},
                                   {"n", "BETWEEN", "{'N':'2'},{'N':'10'}", "holds"},
                                   {"n", "BETWEEN", "{'N':'3'},{'N':'10'}", "fails"},
                                   {"s", "BETWEEN", "{'S':'hello'},{'S':'hello'}", "holds"}}) {
    EXPECT_EQ(compare(c.attribute, c.op, c.values), c.outcome)
        << c.attribute << " " << c.op << " " << c.values;
  }
}

TEST_F(Legacy, exists_and_value_are_the_oldest_form) {
  EXPECT_EQ(expected("s", "'Value':{'S':'hello'}"), "holds");
  EXPECT_EQ(expected("s", "'Exists':true,'Value':{'S':'hello'}"), "holds");
  EXPECT_EQ(expected("s", "'Value':{'S':'bye'}"), "fails");
  EXPECT_EQ(expected("none", "'Value':{'S':'bye'}"), "fails");
  EXPECT_EQ(expected("none", "'Exists':false"), "holds");
  EXPECT_EQ(expected("s", "'Exists':false"), "fails");
  EXPECT_EQ(expected("n", "'Value':{'N':'3'},'ComparisonOperator':'LT'"), "holds");
}

TEST_F(Legacy, members_of_expected_that_do_not_go_together) {
  const std::string a = " for Attribute: a";
  EXPECT_EQ(expected("a", ""), kInvalid + "Value must be provided when Exists is null" + a);
  EXPECT_EQ(expected("a", "'Exists':true"),
            kInvalid + "Value must be provided when Exists is true" + a);
  EXPECT_EQ(expected("a", "'Exists':false,'Value':{'S':'x'}"),
            kInvalid + "Value cannot be used when Exists is false" + a);
  EXPECT_EQ(expected("a", "'Exists':true,'ComparisonOperator':'EQ'"),
            kInvalid + "Exists and ComparisonOperator cannot be used together" + a);
  EXPECT_EQ(expected("a", "'ComparisonOperator':'EQ'"),
            kInvalid + "Value or AttributeValueList must be used with ComparisonOperator: EQ" + a);
  EXPECT_EQ(expected("a", "'Value':{'S':'x'},'AttributeValueList':[]"),
            kInvalid + "Value and AttributeValueList cannot be used together" + a);
  EXPECT_EQ(expected("a", "'AttributeValueList':[]"),
            kInvalid + "AttributeValueList can only be used with a ComparisonOperator" + a);
  EXPECT_EQ(expected("a", "'ComparisonOperator':'eq','Value':{'S':'x'}"),
            kOne +
                "'eq' at 'expected.a.member.comparisonOperator' failed to satisfy constraint: "
                "Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, "
                "NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]");
}

TEST_F(Legacy, operators_ask_for_their_number_and_types_of_values) {
  auto count = [](const std::string& op) {
    return kInvalid + "Invalid number of argument(s) for the " + op + " ComparisonOperator";
  };
  EXPECT_EQ(compare("a", "EQ", ""), count("EQ"));
  EXPECT_EQ(compare("a", "EQ", "{'S':'x'},{'S':'x'}"), count("EQ"));
  EXPECT_EQ(compare("a", "IN", ""), count("IN"));
  EXPECT_EQ(compare("a", "BETWEEN", "{'S':'x'}"), count("BETWEEN"));
  EXPECT_EQ(compare("a", "NULL", "{'S':'x'}"), count("NULL"));
  EXPECT_EQ(expected("a", "'ComparisonOperator':'NULL','Value':{'S':'x'}"), count("NULL"));
  EXPECT_EQ(compare("a", "IN", "{'S':'x'},{'N':'1'}"),
            kInvalid + "AttributeValues inside AttributeValueList must be of same type");
  for (auto [op, value, type] :
       std::initializer_list<std::array<const char*, 3>>{{"LT", "{'BOOL':true}", "BOOL"},
                                                         {"GE", "{'SS':['x']}", "SS"},
                                                         {"IN", "{'NULL':true}", "NULL"},
                                                         {"CONTAINS", "{'L':[]}", "L"},
                                                         {"NOT_CONTAINS", "{'M':{}}", "M"},
                                                         {"BEGINS_WITH", "{'N':'1'}", "N"}}) {
    EXPECT_EQ(compare("a", op, value), kInvalid + "ComparisonOperator " + op +
                                           " is not valid for " + type + " AttributeValue type");
  }
  EXPECT_EQ(compare("a", "BETWEEN", "{'N':'10'},{'N':'9'}"),
            "ValidationException: The BETWEEN condition was provided a range where the lower bound "
            "is greater than the upper bound");
  EXPECT_EQ(compare("a", "EQ", "{}"),
            "ValidationException: Supplied AttributeValue is empty, must contain exactly one of "
            "the supported datatypes");
  EXPECT_EQ(expected("a", "'Value':'x'"), "SerializationException: Unexpected field type");
}

TEST_F(Legacy, conditions_are_joined_by_and_unless_or_is_asked_for) {
  const std::string mixed = "{'s':{'Value':{'S':'hello'}},'n':{'Value':{'N':'99'}}}";
  EXPECT_EQ(expected_all(mixed), "fails");
  EXPECT_EQ(expected_all(mixed, ",'ConditionalOperator':'AND'"), "fails");
  EXPECT_EQ(expected_all(mixed, ",'ConditionalOperator':'OR'"), "holds");
  EXPECT_EQ(expected_all("{}"), "holds");
  EXPECT_EQ(expected_all("{}", ",'ConditionalOperator':'OR'"),
            "ValidationException: ConditionalOperator cannot be used without Filter or Expected");
  EXPECT_EQ(expected_all("{'s':{'Exists':false}}", ",'ConditionalOperator':'OR'"),
            "ValidationException: ConditionalOperator can only be used when Filter or Expected has "
            "two or more elements");
  EXPECT_THAT(expected_all(mixed, ",'ConditionalOperator':'XOR'"),
              HasSubstr("'XOR' at 'conditionalOperator' failed to satisfy constraint: Member must "
                        "satisfy enum value set: [OR, AND]"));
}

TEST_F(Legacy, updates_put_add_and_delete) {
  EXPECT_EQ(updated("s", "'Value':{'N':'1'}"), R"({"Item":{"s":{"N":"1"}}})");
  EXPECT_EQ(updated("s", "'Action':'DELETE'"), R"({"Item":{}})");
  EXPECT_EQ(updated("n", "'Action':'ADD','Value':{'N':'-0.5'}"), R"({"Item":{"n":{"N":"1.5"}}})");
  EXPECT_EQ(updated("new", "'Action':'ADD','Value':{'N':'3'}"), R"({"Item":{"new":{"N":"3"}}})");
  EXPECT_EQ(updated("ss", "'Action':'ADD','Value':{'SS':['a','x']}"),
            R"({"Item":{"ss":{"SS":["a","x","y"]}}})");
  EXPECT_EQ(updated("ss", "'Action':'DELETE','Value':{'SS':['x','q']}"),
            R"({"Item":{"ss":{"SS":["y"]}}})");
  EXPECT_EQ(updated("ss", "'Action':'DELETE','Value':{'SS':['x','y']}"), R"({"Item":{}})");
  // Only here ADD knows lists.
  EXPECT_EQ(updated("l", "'Action':'ADD','Value':{'L':[{'S':'q'}]}"),
            R"({"Item":{"l":{"L":[{"N":"1"},{"S":"x"},{"S":"q"}]}}})");
  EXPECT_EQ(updated("new", "'Action':'ADD','Value':{'L':[{'S':'q'}]}"),
            R"({"Item":{"new":{"L":[{"S":"q"}]}}})");
}

TEST_F(Legacy, updates_that_cannot_be) {
  EXPECT_EQ(updated("s", "'Action':'ADD'"),
            kInvalid + "Only DELETE action is allowed when no attribute value is specified");
  EXPECT_EQ(updated("s", "'Action':'ADD','Value':{'S':'x'}"),
            kInvalid + "ADD action is not supported for the type S");
  EXPECT_EQ(updated("l", "'Action':'DELETE','Value':{'L':[]}"),
            kInvalid + "DELETE action with value is not supported for the type L");
  for (const char* update :
       {"'Action':'ADD','Value':{'NS':['1']}", "'Action':'ADD','Value':{'N':'1'}",
        "'Action':'DELETE','Value':{'NS':['1']}"}) {
    EXPECT_EQ(updated("ss", update), "ValidationException: Type mismatch for attribute to update");
  }
  EXPECT_EQ(updated("pk", "'Value':{'S':'b'}"),
            kInvalid + "Cannot update attribute pk. This attribute is part of the key");
  EXPECT_EQ(updated("s", "'Action':'SET','Value':{'S':'b'}"),
            kOne +
                "'SET' at 'attributeUpdates.s.member.action' failed to satisfy constraint: Member "
                "must satisfy enum value set: [ADD, DELETE, PUT]");
}

TEST_F(Legacy, an_update_makes_an_item_unless_it_only_deletes) {
  auto update = [&](const std::string& pk, const std::string& updates) {
    const std::string request = "{'TableName':'films','Key':{'pk':{'S':'" + pk + "'}}";
    node.ok("UpdateItem", request + ",'AttributeUpdates':{" + updates + "}}");
    return node.ok("GetItem", request + "}");
  };
  EXPECT_EQ(update("b", ""), R"({"Item":{"pk":{"S":"b"}}})");
  EXPECT_EQ(update("c", "'x':{'Action':'DELETE'}"), "{}");
  EXPECT_EQ(update("c", "'x':{'Action':'DELETE','Value':{'SS':['a']}}"), "{}");
  EXPECT_EQ(update("d", "'x':{'Action':'ADD','Value':{'N':'1'}}"),
            R"({"Item":{"pk":{"S":"d"},"x":{"N":"1"}}})");
}

TEST_F(Legacy, returned_values_follow_the_updates) {
  const std::string updates =
      ",'AttributeUpdates':{'n':{'Action':'ADD','Value':{'N':'1'}},'s':{'Action':'DELETE'}},"
      "'ReturnValues':";
  EXPECT_EQ(node.ok("UpdateItem", key(updates + "'UPDATED_NEW'")),
            R"({"Attributes":{"n":{"N":"3"}}})");
  reset();
  EXPECT_EQ(node.ok("UpdateItem", key(updates + "'UPDATED_OLD'")),
            R"({"Attributes":{"n":{"N":"2"},"s":{"S":"hello"}}})");
}

TEST_F(Legacy, expressions_and_what_was_before_them_do_not_meet) {
  const std::string mixed =
      "ValidationException: Can not use both expression and non-expression parameters in the same "
      "request: Non-expression parameters: ";
  EXPECT_EQ(node.refused("UpdateItem",
                         key(",'ConditionalOperator':'AND','Expected':{},'AttributeUpdates':{},"
                             "'ConditionExpression':'x','UpdateExpression':'y'")),
            mixed +
                "{AttributeUpdates, Expected, ConditionalOperator} Expression parameters: "
                "{UpdateExpression, ConditionExpression}");
  EXPECT_EQ(node.refused("GetItem", key(",'AttributesToGet':['a'],'ProjectionExpression':'a'")),
            mixed + "{AttributesToGet} Expression parameters: {ProjectionExpression}");
  EXPECT_EQ(node.refused("Query",
                         "{'TableName':'films','KeyConditions':{},'KeyConditionExpression':'x',"
                         "'QueryFilter':{},'AttributesToGet':['a']}"),
            mixed +
                "{AttributesToGet, QueryFilter, KeyConditions} Expression parameters: "
                "{KeyConditionExpression}");
  EXPECT_EQ(node.refused("Scan", "{'TableName':'films','ScanFilter':{},'FilterExpression':'x'}"),
            mixed + "{ScanFilter} Expression parameters: {FilterExpression}");
  // KeyConditions leave the other parts of a query to expressions.
  EXPECT_THAT(
      node.ok("Query",
              "{'TableName':'films','KeyConditions':{'pk':{'ComparisonOperator':'EQ',"
              "'AttributeValueList':[{'S':'a'}]}},'FilterExpression':'n=:n','ProjectionExpression':"
              "'n','ExpressionAttributeValues':{':n':{'N':'2'}}}"),
      HasSubstr(R"("Items":[{"n":{"N":"2"}}])"));
}

TEST_F(Legacy, attributes_to_get_are_top_level_names) {
  EXPECT_EQ(node.ok("GetItem", key(",'AttributesToGet':['n','none','s.x']")),
            R"({"Item":{"n":{"N":"2"}}})");
  EXPECT_EQ(node.refused("GetItem", key(",'AttributesToGet':['n','n']")),
            kInvalid + "Duplicate value in attribute name: n");
  EXPECT_EQ(node.refused("GetItem", key(",'AttributesToGet':[]")),
            kOne +
                "'[]' at 'attributesToGet' failed to satisfy constraint: Member must have length "
                "greater than or equal to 1");
  EXPECT_EQ(
      node.ok("BatchGetItem",
              "{'RequestItems':{'films':{'Keys':[{'pk':{'S':'a'}}],'AttributesToGet':['n']}}}"),
      R"({"Responses":{"films":[{"n":{"N":"2"}}]},"UnprocessedKeys":{}})");
  EXPECT_EQ(node.refused("Scan", "{'TableName':'films','AttributesToGet':['n'],'Select':'COUNT'}"),
            "ValidationException: Cannot specify the AttributesToGet when choosing to get only the "
            "Count");
}

class LegacyQuery : public testing::Test {
 protected:
  LegacyQuery() {
    node.create_table("orders", "N");
    for (int i = 1; i <= 5; ++i) {
      node.ok("PutItem", "{'TableName':'orders','Item':{'pk':{'S':'a'},'sk':{'N':'" +
                             std::to_string(i) + "'},'v':{'N':'" + std::to_string(i * 10) + "'}}}");
    }
  }
  static std::string condition(const std::string& op, const std::string& values) {
    return "{'ComparisonOperator':'" + op + "','AttributeValueList':[" + values + "]}";
  }
  // The sort keys that a query gives, or the refusal.
  std::string query(const std::string& more, const std::string& pk = "{'S':'a'}") {
    return keys_of(node.call("Query",
                             "{'TableName':'orders','AttributesToGet':['sk'],"
                             "'KeyConditions':{'pk':" +
                                 condition("EQ", pk) + more + "}"));
  }
  std::string by_sort(const std::string& op, const std::string& values) {
    return query(",'sk':" + condition(op, values) + "}");
  }
  static std::string keys_of(const OpsNode::Answer& answer) {
    if (answer.status != 200) return OpsNode::error_of(answer);
    std::string keys;
    for (size_t i = 0; i + 1 < answer.body.size(); ++i) {
      if (answer.body.compare(i, 5, "\"N\":\"") == 0) keys += answer.body[i + 5];
    }
    return keys;
  }

  OpsNode node;
};

TEST_F(LegacyQuery, key_conditions_choose_a_partition_and_a_range) {
  EXPECT_EQ(query("}"), "12345");
  EXPECT_EQ(query("}", "{'S':'b'}"), "");
  EXPECT_EQ(query("},'ScanIndexForward':false"), "54321");
  EXPECT_EQ(by_sort("EQ", "{'N':'2'}"), "2");
  EXPECT_EQ(by_sort("LT", "{'N':'3'}"), "12");
  EXPECT_EQ(by_sort("LE", "{'N':'3'}"), "123");
  EXPECT_EQ(by_sort("GT", "{'N':'3'}"), "45");
  EXPECT_EQ(by_sort("GE", "{'N':'3'}"), "345");
  EXPECT_EQ(by_sort("BETWEEN", "{'N':'2'},{'N':'4'}"), "234");
}

TEST_F(LegacyQuery, key_conditions_that_no_key_answers) {
  const std::string not_indexable =
      "ValidationException: Attempted conditional constraint is not an indexable operation";
  EXPECT_EQ(by_sort("NE", "{'N':'2'}"), not_indexable);
  EXPECT_EQ(by_sort("IN", "{'N':'2'}"), not_indexable);
  EXPECT_EQ(by_sort("NOT_NULL", ""), not_indexable);
  EXPECT_EQ(by_sort("CONTAINS", "{'S':'2'}"), not_indexable);
  EXPECT_EQ(by_sort("EQ", "{'S':'2'}"),
            kInvalid + "Condition parameter type does not match schema type");
  EXPECT_EQ(by_sort("BEGINS_WITH", "{'N':'2'}"),
            kInvalid + "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type");
  EXPECT_EQ(by_sort("BETWEEN", "{'N':'4'},{'N':'2'}"),
            "ValidationException: The BETWEEN condition was provided a range where the lower bound "
            "is greater than the upper bound");
  EXPECT_EQ(query(",'v':" + condition("EQ", "{'N':'2'}") + "}"),
            "ValidationException: Query condition missed key schema element: sk");
  auto refused = [&](const std::string& conditions) {
    return node.refused("Query", "{'TableName':'orders','KeyConditions':{" + conditions + "}}");
  };
  EXPECT_EQ(refused("'pk':" + condition("GT", "{'S':'a'}")),
            "ValidationException: Query key condition not supported");
  EXPECT_EQ(refused("'sk':" + condition("EQ", "{'N':'1'}")),
            "ValidationException: Query condition missed key schema element: pk");
  EXPECT_EQ(refused(""), "ValidationException: Conditions can be of length 1 or 2 only");
  EXPECT_EQ(refused("'pk':{}"),
            kOne +
                "null at 'keyConditions.pk.member.comparisonOperator' failed to satisfy "
                "constraint: Member must not be null");
}

TEST_F(LegacyQuery, filters_see_what_the_key_has_chosen) {
  const std::string twenty = condition("GE", "{'N':'20'}"), forty = condition("LT", "{'N':'40'}");
  EXPECT_EQ(query("},'QueryFilter':{'v':" + twenty + "}"), "2345");
  EXPECT_EQ(query("},'ConditionalOperator':'OR','QueryFilter':{'v':" + forty +
                  ",'none':{'ComparisonOperator':'NOT_NULL'}}"),
            "123");
  EXPECT_EQ(query("},'QueryFilter':{'sk':" + condition("EQ", "{'N':'1'}") + "}"),
            "ValidationException: QueryFilter can only contain non-primary key attributes: Primary "
            "key attribute: sk");
  EXPECT_EQ(query("},'ConditionalOperator':'OR'"),
            "ValidationException: ConditionalOperator cannot be used without Filter or Expected");
  EXPECT_EQ(keys_of(node.call("Scan",
                              "{'TableName':'orders','AttributesToGet':['sk'],'ScanFilter':"
                              "{'sk':" +
                                  condition("GT", "{'N':'3'}") + "}}")),
            "45");
  // The filter is looked at before the key conditions are missed, and the table last.
  EXPECT_EQ(
      node.refused("Query", "{'TableName':'none','QueryFilter':{'v':" + condition("EQ", "") + "}}"),
      kInvalid + "Invalid number of argument(s) for the EQ ComparisonOperator");
  EXPECT_EQ(node.refused("Query", "{'TableName':'none','QueryFilter':{}}"),
            "ValidationException: Either the KeyConditions or KeyConditionExpression parameter "
            "must be specified in the request.");
}

}  // namespace
}  // namespace millrace
