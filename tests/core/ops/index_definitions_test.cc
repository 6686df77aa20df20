#include <gmock/gmock.h>

#include "core/ops/index.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";

std::string attributes(const std::string& names) {
  std::string list;
  for (char name : names) {
    if (!list.empty()) list += ',';
    list += std::string("{'AttributeName':'") + name + "','AttributeType':'S'}";
  }
  return "'AttributeDefinitions':[" + list + "]";
}

// "abC": a and b are partition attributes, c a sort attribute.
std::string key_schema(const std::string& names) {
  std::string list;
  for (char name : names) {
    if (!list.empty()) list += ',';
    const bool sort = name < 'a';
    list += std::string("{'AttributeName':'") + static_cast<char>(sort ? name + 32 : name) +
            "','KeyType':'" + (sort ? "RANGE" : "HASH") + "'}";
  }
  return "'KeySchema':[" + list + "]";
}

std::string index(const std::string& name, const std::string& key,
                  const std::string& projection = "{'ProjectionType':'ALL'}",
                  const std::string& more = "") {
  return "{'IndexName':'" + name + "'," + key_schema(key) + ",'Projection':" + projection + more +
         "}";
}

// A table with partition key p and sort key s.
std::string table(const std::string& defined, const std::string& more,
                  const std::string& key = "pS") {
  return "{'TableName':'films','BillingMode':'PAY_PER_REQUEST'," + key_schema(key) + "," +
         attributes(defined) + more + "}";
}
std::string global(const std::string& indexes) {
  return ",'GlobalSecondaryIndexes':[" + indexes + "]";
}
std::string local(const std::string& indexes) {
  return ",'LocalSecondaryIndexes':[" + indexes + "]";
}

class IndexDefinitions : public testing::Test {
 protected:
  std::string refused(const std::string& request) { return node_.refused("CreateTable", request); }
  OpsNode node_;
};

TEST_F(IndexDefinitions, are_shown_as_the_service_does) {
  const std::string created = node_.ok(
      "CreateTable",
      table("psabcd", local(index("byA", "pA")) +
                          global(index("wide", "abCD",
                                       "{'ProjectionType':'INCLUDE','NonKeyAttributes':"
                                       "['z','y']}") +
                                 "," + index("keys", "b", "{'ProjectionType':'KEYS_ONLY'}"))));
  EXPECT_THAT(created, HasSubstr("\"IndexStatus\":\"CREATING\""));
  EXPECT_THAT(created, Not(HasSubstr("WarmThroughput")));
  for (int start = 0; start < 2; ++start) {
    const std::string described = node_.ok("DescribeTable", "{'TableName':'films'}");
    EXPECT_THAT(
        described,
        HasSubstr(
            "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"wide\",\"KeySchema\":["
            "{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"b\",\"KeyType\":"
            "\"HASH\"},{\"AttributeName\":\"c\",\"KeyType\":\"RANGE\"},{\"AttributeName\":\"d\","
            "\"KeyType\":\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"INCLUDE\","
            "\"NonKeyAttributes\":[\"y\",\"z\"]},\"IndexStatus\":\"ACTIVE\","
            "\"ProvisionedThroughput\":{\"NumberOfDecreasesToday\":0,\"ReadCapacityUnits\":0,"
            "\"WriteCapacityUnits\":0},\"IndexSizeBytes\":0,\"ItemCount\":0,\"IndexArn\":\"arn:aws:"
            "dynamodb:us-east-1:000000000000:table/films/index/wide\",\"WarmThroughput\":{"
            "\"ReadUnitsPerSecond\":12000,\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":4000}},"
            "{\"IndexName\":\"keys\",\"KeySchema\":[{\"AttributeName\":\"b\",\"KeyType\":"
            "\"HASH\"}],\"Projection\":{\"ProjectionType\":\"KEYS_ONLY\"}"));
    EXPECT_THAT(
        described,
        HasSubstr("\"LocalSecondaryIndexes\":[{\"IndexName\":\"byA\",\"KeySchema\":["
                  "{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"a\","
                  "\"KeyType\":\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"ALL\"},"
                  "\"IndexSizeBytes\":0,\"ItemCount\":0,\"IndexArn\":\"arn:aws:dynamodb:us-east-1:"
                  "000000000000:table/films/index/byA\"}]"));
    EXPECT_THAT(described,
                HasSubstr("\"AttributeDefinitions\":[{\"AttributeName\":\"a\",\"AttributeType\":"
                          "\"S\"},{\"AttributeName\":\"b\""));
    node_.restart();
  }
}

TEST_F(IndexDefinitions, have_generations_that_nothing_else_has) {
  std::set<Generation> seen;
  for (int round = 0; round < 3; ++round) {
    node_.ok("CreateTable",
             table("psab", local(index("byA", "pA")) +
                               global(index("byB", "b") + "," + index("byX", "bP"))));
    const TablePtr found = node_.catalog().find("films");
    EXPECT_TRUE(seen.insert(found->generation).second);
    for (const Index& each : found->indexes) EXPECT_TRUE(seen.insert(each.generation).second);
    node_.ok("DeleteTable", "{'TableName':'films'}");
    node_.restart();
  }
  EXPECT_EQ(seen.size(), 12u);
}

TEST_F(IndexDefinitions, warm_throughput_is_shown_once_the_table_is_described) {
  const std::string created = node_.ok(
      "CreateTable", table("psa", global(index("byA", "a", "{'ProjectionType':'ALL'}",
                                               ",'WarmThroughput':{'ReadUnitsPerSecond':13000,"
                                               "'WriteUnitsPerSecond':5000}"))));
  EXPECT_THAT(created, Not(HasSubstr("WarmThroughput")));
  EXPECT_THAT(node_.ok("DescribeTable", "{'TableName':'films'}"),
              HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":13000,\"Status\":\"ACTIVE\","
                        "\"WriteUnitsPerSecond\":5000}"));
}

TEST_F(IndexDefinitions, a_provisioned_index_shows_its_units) {
  node_.ok("CreateTable",
           "{'TableName':'films','ProvisionedThroughput':{'ReadCapacityUnits':5,"
           "'WriteCapacityUnits':6}," +
               key_schema("p") + "," + attributes("pa") +
               global(index("byA", "a", "{'ProjectionType':'ALL'}",
                            ",'ProvisionedThroughput':{'ReadCapacityUnits':7,"
                            "'WriteCapacityUnits':8}")) +
               "}");
  EXPECT_THAT(node_.ok("DescribeTable", "{'TableName':'films'}"),
              HasSubstr("\"ReadCapacityUnits\":7,\"WriteCapacityUnits\":8}"));
}

TEST_F(IndexDefinitions, constraints_are_listed_together) {
  EXPECT_EQ(refused(table("ps", local("{}"))),
            "ValidationException: 3 validation errors detected: Value null at "
            "'localSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must "
            "not be null; Value null at 'localSecondaryIndexes.1.member.keySchema' failed to "
            "satisfy constraint: Member must not be null; Value null at "
            "'localSecondaryIndexes.1.member.projection' failed to satisfy constraint: Member must "
            "not be null");
  EXPECT_THAT(refused(table("ps", global(index("h;", "a")))),
              HasSubstr("2 validation errors detected: Value 'h;' at "
                        "'globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: "
                        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "));
  // Global indexes before local ones, however the request has them.
  const std::string both = refused(table("ps", local("{}") + global("{}")));
  EXPECT_LT(both.find("globalSecondaryIndexes"), both.find("localSecondaryIndexes"));
  EXPECT_THAT(both, HasSubstr("localSecondaryIndexes"));
  EXPECT_THAT(refused(table("ps", local(index("byA", "pAB")))),
              HasSubstr("at 'localSecondaryIndexes.1.member.keySchema' failed to satisfy "
                        "constraint: Member must have length less than or equal to 2"));
  EXPECT_THAT(
      refused(table("psa", global(index("byA", "a",
                                        "{'ProjectionType':'all','NonKeyAttributes':"
                                        "[]}")))),
      HasSubstr("Value 'all' at 'globalSecondaryIndexes.1.member.projection.projectionType' failed "
                "to satisfy constraint: Member must satisfy enum value set: [ALL, INCLUDE, "
                "KEYS_ONLY]; Value '[]' at "
                "'globalSecondaryIndexes.1.member.projection.nonKeyAttributes' failed to satisfy "
                "constraint: Member must have length greater than or equal to 1"));
  std::string names;
  for (int i = 0; i < 21; ++i) names += (i > 0 ? ",'n" : "'n") + std::to_string(i) + "'";
  EXPECT_THAT(refused(table("psa", global(index("byA", "a",
                                                "{'ProjectionType':'INCLUDE','NonKeyAttributes':[" +
                                                    names + "]}")))),
              HasSubstr("Member must have length less than or equal to 20"));
  EXPECT_THAT(refused(table("psa", global("{'IndexName':'byA','KeySchema':[{'AttributeName':'a',"
                                          "'KeyType':'SORT'}],'Projection':{}}"))),
              HasSubstr("Value 'SORT' at 'globalSecondaryIndexes.1.member.keySchema.1.member."
                        "keyType' failed to satisfy constraint: Member must satisfy enum value "
                        "set: [HASH, RANGE]"));
  EXPECT_THAT(refused(table("psa", ",'GlobalSecondaryIndexes':{}")),
              testing::StartsWith("SerializationException"));
}

TEST_F(IndexDefinitions, attributes_are_defined_exactly_if_a_key_uses_them) {
  EXPECT_EQ(refused(table("psab", global(index("byA", "a", "{}")))),
            kInvalid +
                "Some AttributeDefinitions are not used. AttributeDefinitions: [p, s, a, b], keys "
                "used: [p, s, a]");
  EXPECT_EQ(refused(table("ps", global(index("byQ", "q", "{}")))),
            kInvalid +
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [q], "
                "AttributeDefinitions: [p, s]");
  EXPECT_EQ(refused(table("pss", "")), "ValidationException: Attribute Name is duplicated: s");
}

TEST_F(IndexDefinitions, local_indexes_share_the_tables_partition_key) {
  EXPECT_EQ(refused(table("p", ",'LocalSecondaryIndexes':[]", "p")),
            kInvalid + "List of LocalSecondaryIndexes is empty");
  EXPECT_EQ(refused(table("pa", local(index("byA", "pA")), "p")),
            kInvalid +
                "Table KeySchema does not have a range key, which is required when specifying a "
                "LocalSecondaryIndex");
  EXPECT_EQ(refused(table("ps", local(index("byA", "S")))),
            "ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key "
            "type");
  EXPECT_EQ(refused(table("ps", local(index("byA", "ps")))),
            "ValidationException: Invalid KeySchema: The second KeySchemaElement is not a RANGE "
            "key type");
  EXPECT_EQ(refused(table("ps", local(index("byA", "pP")))),
            "ValidationException: Both the Hash Key and the Range Key element in the KeySchema "
            "have the same name");
  EXPECT_EQ(refused(table("ps", local(index("byA", "p")))),
            kInvalid + "Index KeySchema does not have a range key for index: byA");
  EXPECT_EQ(refused(table("ps", local(index("byA", "sP")))),
            kInvalid +
                "Index KeySchema does not have the same leading hash key as table KeySchema for "
                "index: byA. index hash key: s, table hash key: p");
  std::string six;
  for (int i = 0; i < 6; ++i) six += (i > 0 ? "," : "") + index("by" + std::to_string(i), "pS");
  EXPECT_EQ(refused(table("ps", local(six))),
            kInvalid + "Number of LocalSecondaryIndexes exceeds per-table limit of 5");
}

TEST_F(IndexDefinitions, global_indexes_have_up_to_four_partition_and_four_sort_attributes) {
  EXPECT_EQ(refused(table("ps", ",'GlobalSecondaryIndexes':[]")),
            kInvalid + "List of GlobalSecondaryIndexes is empty");
  EXPECT_EQ(refused(table("psabcde", global(index("byA", "abcde")))),
            kInvalid + "The KeySchema exceeds the maximum allowed number of HASH key attributes");
  EXPECT_EQ(refused(table("psabcdef", global(index("byA", "aBCDEF")))),
            kInvalid + "The KeySchema exceeds the maximum allowed number of RANGE key attributes");
  EXPECT_EQ(
      refused(table("psabc", global(index("byA", "aBc")))),
      kInvalid + "All HASH key attributes must precede RANGE key attributes in the KeySchema");
  EXPECT_EQ(refused(table("psa", global(index("byA", "aA")))),
            "ValidationException: The KeySchema contains multiple key attributes with the same "
            "name");
  EXPECT_EQ(refused(table("psab", global(index("byA", "Ab")))),
            "ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key "
            "type");
  std::string many;
  for (int i = 0; i < 21; ++i)
    many += (i > 0 ? "," : "") + index("by" + std::to_string(i) + "x", "a");
  EXPECT_EQ(refused(table("psa", global(many))),
            kInvalid + "GlobalSecondaryIndex count exceeds the per-table limit of 20");
  node_.ok("CreateTable", table("psabcdefgh", global(index("byA", "abcdEFGH"))));
}

TEST_F(IndexDefinitions, projections_are_checked) {
  auto with = [&](const std::string& projection) {
    return refused(table("psa", global(index("byA", "a", projection))));
  };
  EXPECT_EQ(with("{}"), kInvalid + "Unknown ProjectionType: null");
  EXPECT_EQ(with("{'ProjectionType':'INCLUDE'}"),
            kInvalid + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
  EXPECT_EQ(with("{'ProjectionType':'ALL','NonKeyAttributes':['x']}"),
            kInvalid + "ProjectionType is ALL, but NonKeyAttributes is specified");
  EXPECT_EQ(with("{'ProjectionType':'KEYS_ONLY','NonKeyAttributes':['x']}"),
            kInvalid + "ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified");
  EXPECT_EQ(with("{'ProjectionType':'INCLUDE','NonKeyAttributes':['x','y','x']}"),
            kInvalid + "Duplicate element in NonKeyAttributes: x");
  std::string six;
  for (int i = 0; i < 6; ++i) {
    std::string names;
    for (int n = 0; n < 17; ++n) names += (n > 0 ? ",'n" : "'n") + std::to_string(n) + "'";
    six += (i > 0 ? "," : "") +
           index("by" + std::to_string(i) + "x", "a",
                 "{'ProjectionType':'INCLUDE','NonKeyAttributes':[" + names + "]}");
  }
  EXPECT_THAT(refused(table("psa", global(six))), HasSubstr("NonKeyAttributes"));
}

TEST_F(IndexDefinitions, names_and_throughput_are_checked) {
  EXPECT_EQ(refused(table("psa", local(index("same", "pA")) + global(index("same", "a")))),
            kInvalid + "Duplicate index name: same");
  EXPECT_EQ(refused(table("psa", global(index("byA", "a", "{'ProjectionType':'ALL'}",
                                              ",'ProvisionedThroughput':{'ReadCapacityUnits':1,"
                                              "'WriteCapacityUnits':1}")))),
            kInvalid +
                "ProvisionedThroughput should not be specified for index: byA when BillingMode is "
                "PAY_PER_REQUEST");
  EXPECT_EQ(refused("{'TableName':'films','ProvisionedThroughput':{'ReadCapacityUnits':1,"
                    "'WriteCapacityUnits':1}," +
                    key_schema("p") + "," + attributes("pa") + global(index("byA", "a")) + "}"),
            kInvalid + "ProvisionedThroughput is not specified for index: byA");
  EXPECT_EQ(node_.ok("ListTables", "{}"), "{\"TableNames\":[]}");
}

}  // namespace
}  // namespace millrace
