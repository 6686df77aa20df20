#include <gmock/gmock.h>

#include "core/store/log.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kKeys[] =
    "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
    "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}]";
const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
const std::string kOne = "ValidationException: 1 validation error detected: Value ";

std::string with_keys(const std::string& more) { return "{" + std::string(kKeys) + more + "}"; }

TEST(Tables, a_new_table_is_creating_then_active_and_described_as_the_service_does) {
  OpsNode node;
  std::string created =
      node.ok("CreateTable", with_keys(",'TableName':'films','BillingMode':'PAY_PER_REQUEST'"));
  EXPECT_THAT(created, StartsWith("{\"TableDescription\":{\"AttributeDefinitions\":["));
  EXPECT_THAT(created, HasSubstr("\"TableStatus\":\"CREATING\""));
  EXPECT_THAT(created, HasSubstr("\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\"}"));
  EXPECT_THAT(created, Not(HasSubstr("WarmThroughput")));
  std::string described = node.ok("DescribeTable", "{'TableName':'films'}");
  std::string id = OpsNode::member(described, "TableId");
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(
      described,
      "{\"Table\":{\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],"
      "\"TableName\":\"films\",\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
      "\"TableStatus\":\"ACTIVE\",\"CreationDateTime\":1700000000.000,"
      "\"ProvisionedThroughput\":{\"NumberOfDecreasesToday\":0,\"ReadCapacityUnits\":0,"
      "\"WriteCapacityUnits\":0},\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\","
      "\"LastUpdateToPayPerRequestDateTime\":1700000000.000},"
      "\"WarmThroughput\":{\"ReadUnitsPerSecond\":12000,\"Status\":\"ACTIVE\","
      "\"WriteUnitsPerSecond\":4000},\"TableSizeBytes\":0,\"ItemCount\":0,"
      "\"TableArn\":\"arn:aws:dynamodb:us-east-1:000000000000:table/films\",\"TableId\":\"" +
          id + "\",\"DeletionProtectionEnabled\":false}}");
}

TEST(Tables, a_new_table_shows_the_warm_throughput_that_it_was_asked_for) {
  OpsNode node;
  const std::string created =
      node.ok("CreateTable", with_keys(",'TableName':'films','BillingMode':'PAY_PER_REQUEST',"
                                       "'WarmThroughput':{'ReadUnitsPerSecond':20000,"
                                       "'WriteUnitsPerSecond':5000}"));
  EXPECT_THAT(created, HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":20000,"
                                 "\"Status\":\"UPDATING\",\"WriteUnitsPerSecond\":5000}"));
  EXPECT_THAT(node.ok("DescribeTable", "{'TableName':'films'}"),
              HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":20000,"
                        "\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":5000}"));
}

TEST(Tables, a_provisioned_table_shows_its_units) {
  OpsNode node;
  node.ok("CreateTable", with_keys(",'TableName':'films','ProvisionedThroughput':"
                                   "{'ReadCapacityUnits':5,'WriteCapacityUnits':6}"));
  std::string described = node.ok("DescribeTable", "{'TableName':'films'}");
  EXPECT_THAT(described, HasSubstr("\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6"));
  EXPECT_THAT(described, HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":5"));
  EXPECT_THAT(described, Not(HasSubstr("BillingModeSummary")));
}

TEST(Tables, a_name_is_taken_once_and_free_after_deletion) {
  OpsNode node;
  node.create_table("films");
  EXPECT_EQ(node.refused("CreateTable",
                         with_keys(",'TableName':'films','BillingMode':'PAY_PER_REQUEST'")),
            "ResourceInUseException: Table already exists: films");
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'}}}");
  std::string id = OpsNode::member(node.ok("DescribeTable", "{'TableName':'films'}"), "TableId");
  EXPECT_THAT(node.ok("DeleteTable", "{'TableName':'films'}"),
              HasSubstr("\"TableStatus\":\"DELETING\""));
  std::string missing =
      "ResourceNotFoundException: Requested resource not found: Table: films not found";
  EXPECT_EQ(node.refused("DescribeTable", "{'TableName':'films'}"), missing);
  EXPECT_EQ(node.refused("DeleteTable", "{'TableName':'films'}"), missing);
  EXPECT_EQ(node.refused("UpdateTable", "{'TableName':'films','BillingMode':'PAY_PER_REQUEST'}"),
            missing);
  node.create_table("films");
  EXPECT_NE(OpsNode::member(node.ok("DescribeTable", "{'TableName':'films'}"), "TableId"), id);
  EXPECT_EQ(node.ok("GetItem", "{'TableName':'films','Key':{'pk':{'S':'a'}}}"), "{}");
  EXPECT_EQ(node.ok("Scan", "{'TableName':'films'}"),
            "{\"Items\":[],\"Count\":0,\"ScannedCount\":0}");
}

TEST(Tables, a_deleted_table_leaves_a_note_to_reclaim_its_space) {
  OpsNode node;
  node.create_table("films");
  Generation generation = node.catalog().find("films")->generation;
  node.ok("DeleteTable", "{'TableName':'films'}");
  std::string key, image;
  append_partition_prefix(kDropGeneration, std::to_string(generation), key);
  EXPECT_TRUE(node.engine().view()->get(key, image).value());
}

TEST(Tables, a_protected_table_is_not_deleted) {
  OpsNode node;
  node.create_table("films", "", ",'DeletionProtectionEnabled':true");
  EXPECT_EQ(node.refused("DeleteTable", "{'TableName':'films'}"),
            "ValidationException: Resource cannot be deleted as it is currently protected against "
            "deletion. Disable deletion protection first.");
  node.ok("UpdateTable", "{'TableName':'films','DeletionProtectionEnabled':false}");
  node.ok("DeleteTable", "{'TableName':'films'}");
}

struct NoTable {
  std::string arn, refusal;
};
// In place of a table's name.
std::vector<NoTable> arns_of_no_table_here() {
  const std::string wrong = "ValidationException: 1 validation error detected: Invalid ";
  const std::string ours = "arn:aws:dynamodb:us-east-1:000000000000:";
  std::vector<NoTable> all;
  auto add = [&](const std::string& what, const std::string& arn) {
    all.push_back({arn, wrong + what + " in '" + arn + "'"});
  };
  add("AWS region", "arn:aws:dynamodb:eu-west-1:000000000000:table/films");
  add("AWS region", "arn:aws:dynamodb:eu-west-1:111111111111:table/films");
  add("AWS partition", "arn:aws-cn:dynamodb:us-east-1:000000000000:table/films");
  add("resource type", ours + "thing/films");
  all.push_back({"arn:aws:dynamodb:us-east-1:111111111111:table/films",
                 "AccessDeniedException: Access is denied"});
  const std::string longest(256, 'x');
  for (const std::string& arn :
       {std::string("arn:"), std::string("arn:aws:dynamodb:us-east-1:films"),
        std::string("arn:aws:s3:us-east-1:000000000000:table/films"), ours + "films",
        ours + "table/ab", ours + "table/a b", ours + "table/" + longest,
        ours + "table/films/index/byX", ours + "table/films/stream/2023-11-14T22:13:20.000"}) {
    all.push_back({arn, kOne + "'" + arn +
                            "' at 'tableName' failed to satisfy constraint: Valid ARN format is "
                            "'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/"
                            "resourceName', where Resource name must have length less than or "
                            "equal to 255, Resource name must have length greater than or equal "
                            "to 3, Resource name must satisfy regular expression pattern: "
                            "[a-zA-Z0-9_.-]+"});
  }
  return all;
}

TEST(Tables, an_arn_that_is_no_table_s_here_creates_none) {
  OpsNode node;
  for (const auto& [arn, refusal] : arns_of_no_table_here()) {
    EXPECT_EQ(node.refused("CreateTable",
                           with_keys(",'TableName':'" + arn + "','BillingMode':'PAY_PER_REQUEST'")),
              refusal);
  }
  EXPECT_EQ(node.ok("ListTables", "{}"), "{\"TableNames\":[]}");
}

TEST(Tables, an_arn_that_is_no_table_s_here_is_refused_where_a_table_is_named) {
  OpsNode node;
  node.create_table("films");
  const std::string key = "'Key':{'pk':{'S':'a'}}";
  for (const auto& [arn, refusal] : arns_of_no_table_here()) {
    const std::string named = "'TableName':'" + arn + "'";
    for (const char* operation :
         {"DescribeTable", "DeleteTable", "DescribeTimeToLive", "DescribeContinuousBackups",
          "DescribeContributorInsights", "Scan"}) {
      EXPECT_EQ(node.refused(operation, "{" + named + "}"), refusal) << operation;
    }
    for (const char* operation : {"GetItem", "DeleteItem"})
      EXPECT_EQ(node.refused(operation, "{" + named + "," + key + "}"), refusal) << operation;
    EXPECT_EQ(node.refused("Query", "{" + named +
                                        ",'KeyConditionExpression':'pk=:p',"
                                        "'ExpressionAttributeValues':{':p':{'S':'a'}}}"),
              refusal);
    EXPECT_EQ(node.refused("UpdateTable", "{" + named + ",'DeletionProtectionEnabled':true}"),
              refusal);
    EXPECT_EQ(node.refused("BatchGetItem",
                           "{'RequestItems':{'" + arn + "':{'Keys':[{'pk':{'S':'a'}}]}}}"),
              refusal);
    EXPECT_EQ(node.refused("BatchWriteItem",
                           "{'RequestItems':{'" + arn + "':[{'DeleteRequest':{" + key + "}}]}}"),
              refusal);
    EXPECT_EQ(
        node.refused("TransactGetItems", "{'TransactItems':[{'Get':{" + named + "," + key + "}}]}"),
        refusal);
    EXPECT_EQ(node.refused("TransactWriteItems",
                           "{'TransactItems':[{'Delete':{" + named + "," + key + "}}]}"),
              refusal);
  }
}

TEST(Tables, names_can_be_arns_of_this_region_and_account) {
  OpsNode node;
  node.create_table("films");
  const std::string prefix = "arn:aws:dynamodb:us-east-1:000000000000:table/";
  node.ok("PutItem", "{'TableName':'" + prefix + "films','Item':{'pk':{'S':'a'}}}");
  EXPECT_EQ(node.ok("GetItem", "{'TableName':'films','Key':{'pk':{'S':'a'}}}"),
            "{\"Item\":{\"pk\":{\"S\":\"a\"}}}");
  // Of one that is not there only the name is told.
  const std::string missing = "{'TableName':'" + prefix + "nothing'";
  for (const char* operation : {"DescribeTable", "DeleteTable", "DescribeTimeToLive"}) {
    EXPECT_EQ(node.refused(operation, missing + "}"),
              "ResourceNotFoundException: Requested resource not found: Table: nothing not found");
  }
  EXPECT_EQ(node.refused("DescribeContinuousBackups", missing + "}"),
            "TableNotFoundException: Table not found: nothing");
  EXPECT_EQ(node.refused("GetItem", missing + ",'Key':{'pk':{'S':'a'}}}"),
            "ResourceNotFoundException: Requested resource not found");
}

TEST(Tables, wrong_definitions_are_refused) {
  OpsNode node;
  auto create = [&](const std::string& body) { return node.refused("CreateTable", body); };
  EXPECT_EQ(create(with_keys("")),
            "ValidationException: The parameter 'TableName' is required but was not present in the "
            "request");
  EXPECT_EQ(create(with_keys(",'TableName':'ab'")),
            kOne +
                "'ab' at 'tableName' failed to satisfy constraint: Member must have length "
                "greater than or equal to 3");
  EXPECT_EQ(
      create(with_keys(",'TableName':'x!'")),
      "ValidationException: 2 validation errors detected: Value 'x!' at 'tableName' failed to "
      "satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
      "Value 'x!' at 'tableName' failed to satisfy constraint: Member must have length greater "
      "than or equal to 3");
  EXPECT_EQ(
      create("{'TableName':'films'}"),
      "ValidationException: 2 validation errors detected: Value null at 'keySchema' failed to "
      "satisfy constraint: Member must not be null; Value null at 'attributeDefinitions' failed "
      "to satisfy constraint: Member must not be null");
  EXPECT_EQ(create("{'TableName':'films','KeySchema':[{'AttributeName':'pk','KeyType':'X'}],"
                   "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}]}"),
            kOne +
                "'X' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must "
                "satisfy enum value set: [HASH, RANGE]");
  EXPECT_EQ(create("{'TableName':'films','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
                   "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'X'}]}"),
            kOne +
                "'X' at 'attributeDefinitions.1.member.attributeType' failed to satisfy "
                "constraint: Member must satisfy enum value set: [B, N, S]");
  EXPECT_EQ(create(with_keys(",'TableName':'films'")),
            kInvalid +
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when "
                "BillingMode is PROVISIONED");
  std::string name = ",'TableName':'films','BillingMode':'PAY_PER_REQUEST'";
  EXPECT_EQ(create(with_keys(name + ",'ProvisionedThroughput':{'ReadCapacityUnits':1,"
                                    "'WriteCapacityUnits':1}")),
            kInvalid +
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                "BillingMode is PAY_PER_REQUEST");
  EXPECT_EQ(create(with_keys(name + ",'StreamSpecification':{'StreamEnabled':false,"
                                    "'StreamViewType':'KEYS_ONLY'}")),
            kInvalid +
                "Table is being created with a stream disabled, UpdateViewType should not be "
                "specified");
  EXPECT_EQ(create(with_keys(name + ",'StreamSpecification':{'StreamEnabled':true,"
                                    "'StreamViewType':''}")),
            kOne +
                "'' at 'streamSpecification.streamViewType' failed to satisfy constraint: Member "
                "must satisfy enum value set: [OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, "
                "NEW_IMAGE]");
  EXPECT_EQ(create(with_keys(name + ",'VectorIndexes':[{'IndexName':'byX'}]")),
            kInvalid + "VectorIndexes is not supported here");
  EXPECT_EQ(node.ok("ListTables", "{}"), "{\"TableNames\":[]}");
}

TEST(Tables, key_schemas_must_fit_the_attribute_definitions) {
  OpsNode node;
  auto create = [&](const std::string& keys, const std::string& attributes) {
    return node.refused("CreateTable",
                        "{'TableName':'films','BillingMode':'PAY_PER_REQUEST',"
                        "'KeySchema':[" +
                            keys + "],'AttributeDefinitions':[" + attributes + "]}");
  };
  std::string hash = "{'AttributeName':'a','KeyType':'HASH'}";
  std::string range = "{'AttributeName':'b','KeyType':'RANGE'}";
  std::string a = "{'AttributeName':'a','AttributeType':'S'}";
  std::string b = "{'AttributeName':'b','AttributeType':'S'}";
  std::string undefined =
      "ValidationException: Invalid KeySchema: Some index key attribute have no definition";
  EXPECT_EQ(create(hash + "," + range, a), undefined);
  EXPECT_EQ(
      create("{'AttributeName':'a','KeyType':'HASH'},{'AttributeName':'a','KeyType':'RANGE'}", a),
      undefined);
  EXPECT_EQ(create(hash, b),
            kInvalid +
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [a], "
                "AttributeDefinitions: [b]");
  EXPECT_EQ(create("{'AttributeName':'a','KeyType':'RANGE'}", a),
            "ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key "
            "type");
  EXPECT_EQ(
      create(hash + ",{'AttributeName':'b','KeyType':'HASH'}", a + "," + b),
      "ValidationException: Invalid KeySchema: The second KeySchemaElement is not a RANGE key "
      "type");
  EXPECT_EQ(create(hash, a + "," + b),
            kInvalid +
                "Number of attributes in KeySchema does not exactly match number of "
                "attributes defined in AttributeDefinitions");
  EXPECT_EQ(create(hash + "," + range + ",{'AttributeName':'c','KeyType':'RANGE'}", a + "," + b),
            kOne +
                "'[KeySchemaElement(attributeName=a, keyType=HASH), "
                "KeySchemaElement(attributeName=b, keyType=RANGE), "
                "KeySchemaElement(attributeName=c, keyType=RANGE)]' at 'keySchema' failed to "
                "satisfy constraint: Member must have length less than or equal to 2");
}

TEST(Tables, streams_are_switched_on_and_off) {
  OpsNode node;
  node.create_table("films");
  auto update = [&](const std::string& specification) {
    return "{'TableName':'films','StreamSpecification':{" + specification + "}}";
  };
  std::string on = update("'StreamEnabled':true,'StreamViewType':'NEW_AND_OLD_IMAGES'");
  std::string off = update("'StreamEnabled':false");
  EXPECT_EQ(node.refused("UpdateTable", off),
            "ValidationException: Table has no stream to disable: TableName: films");
  EXPECT_EQ(node.refused("UpdateTable", update("'StreamEnabled':true")),
            kInvalid + "If stream is being enabled then UpdateViewType is required");
  EXPECT_EQ(
      node.refused("UpdateTable", update("'StreamEnabled':false,'StreamViewType':'KEYS_ONLY'")),
      kInvalid + "If stream is being disabled, then UpdateViewType must not be specified");
  EXPECT_THAT(node.ok("UpdateTable", on), HasSubstr("\"TableStatus\":\"UPDATING\""));
  std::string described = node.ok("DescribeTable", "{'TableName':'films'}");
  EXPECT_THAT(described, HasSubstr("\"StreamSpecification\":{\"StreamEnabled\":true,"
                                   "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}"));
  EXPECT_EQ(OpsNode::member(described, "LatestStreamArn"),
            "arn:aws:dynamodb:us-east-1:000000000000:table/films/stream/2023-11-14T22:13:20.000");
  EXPECT_EQ(node.refused("UpdateTable", on),
            "ValidationException: Table already has an enabled stream: TableName: films");
  node.ok("UpdateTable", off);
  described = node.ok("DescribeTable", "{'TableName':'films'}");
  EXPECT_THAT(described, Not(HasSubstr("StreamSpecification")));
  EXPECT_EQ(OpsNode::member(described, "LatestStreamLabel"), "2023-11-14T22:13:20.000");
  node.ok("UpdateTable", on);  // in the same millisecond
  EXPECT_EQ(OpsNode::member(node.ok("DescribeTable", "{'TableName':'films'}"), "LatestStreamLabel"),
            "2023-11-14T22:13:20.001");
}

TEST(Tables, a_deleted_table_with_a_stream_stays_known_by_its_generation) {
  OpsNode node;
  node.create_table("films", "",
                    ",'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'KEYS_ONLY'}");
  Generation generation = node.catalog().find("films")->generation;
  node.ok("DeleteTable", "{'TableName':'films'}");
  for (int round = 0; round < 2; ++round) {
    TablePtr deleted = node.catalog().find(generation);
    ASSERT_NE(deleted, nullptr);
    EXPECT_TRUE(deleted->streams.back().disabled_at.has_value());
    EXPECT_EQ(node.catalog().find("films"), nullptr);
    EXPECT_TRUE(node.catalog().tables().empty());
    node.restart();
  }
}

TEST(Tables, old_images_are_logged_only_where_a_stream_needs_them) {
  OpsNode node;
  node.create_table("plain");
  node.create_table("streamed", "",
                    ",'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'KEYS_ONLY'}");
  auto old_image_of_second_put = [&](const std::string& table) {
    for (int n : {1, 2}) {
      node.ok("PutItem", "{'TableName':'" + table + "','Item':{'pk':{'S':'a'},'n':{'N':'" +
                             std::to_string(n) + "'}}}");
    }
    FramePtr frame = node.engine().log().frame_holding(node.engine().log().durable_lsn()).value();
    return (*frame->begin()->begin()).old_image.has_value();
  };
  EXPECT_FALSE(old_image_of_second_put("plain"));
  EXPECT_TRUE(old_image_of_second_put("streamed"));
}

TEST(Tables, billing_modes_are_changed) {
  OpsNode node;
  node.create_table("films");
  auto update = [&](const std::string& more) { return "{'TableName':'films'" + more + "}"; };
  std::string units = ",'ProvisionedThroughput':{'ReadCapacityUnits':3,'WriteCapacityUnits':4}";
  EXPECT_THAT(
      node.refused("UpdateTable", update("")),
      StartsWith("ValidationException: At least one of ProvisionedThroughput, BillingMode"));
  EXPECT_EQ(node.refused("UpdateTable", update(units)),
            kInvalid +
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                "BillingMode is PAY_PER_REQUEST");
  EXPECT_EQ(node.refused("UpdateTable", update(",'BillingMode':'PROVISIONED'")),
            kInvalid + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  node.ok("UpdateTable", update(",'BillingMode':'PROVISIONED'" + units));
  EXPECT_THAT(node.ok("DescribeTable", "{'TableName':'films'}"),
              HasSubstr("\"ReadCapacityUnits\":3,\"WriteCapacityUnits\":4"));
  EXPECT_THAT(node.refused("UpdateTable", update(units)),
              StartsWith("ValidationException: The provisioned throughput for the table will not "
                         "change. The requested value equals the current value."));
}

TEST(Tables, names_are_listed_in_pages) {
  OpsNode node;
  for (const char* name : {"ccc", "aaa", "bbb"}) node.create_table(name);
  EXPECT_EQ(node.ok("ListTables", "{}"), "{\"TableNames\":[\"aaa\",\"bbb\",\"ccc\"]}");
  EXPECT_EQ(node.ok("ListTables", "{'Limit':2}"),
            "{\"TableNames\":[\"aaa\",\"bbb\"],\"LastEvaluatedTableName\":\"bbb\"}");
  EXPECT_EQ(node.ok("ListTables", "{'ExclusiveStartTableName':'bbb','Limit':2}"),
            "{\"TableNames\":[\"ccc\"]}");
  EXPECT_EQ(node.refused("ListTables", "{'Limit':0}"),
            kOne +
                "'0' at 'limit' failed to satisfy constraint: Member must have value greater than "
                "or equal to 1");
  EXPECT_EQ(node.refused("ListTables", "{'Limit':101}"),
            kOne +
                "'101' at 'limit' failed to satisfy constraint: Member must have value less than "
                "or equal to 100");
  const std::string at =
      "' at 'exclusiveStartTableName' failed to satisfy constraint: Member must ";
  const std::string pattern = at + "satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
  const std::string length = at + "have length greater than or equal to 3";
  auto start = [&](const std::string& name, const std::string& more = "") {
    return node.refused("ListTables", "{'ExclusiveStartTableName':'" + name + "'" + more + "}");
  };
  const std::string two = "ValidationException: 2 validation errors detected: Value '";
  EXPECT_EQ(start(""), two + pattern + "; Value '" + length);
  EXPECT_EQ(start("ab"), kOne + "'ab" + length);
  const std::string arn = "arn:aws:dynamodb:us-east-1:000000000000:table/aaa";
  EXPECT_EQ(start(arn), kOne + "'" + arn + pattern);
  EXPECT_EQ(start("a;", ",'Limit':500"),
            "ValidationException: 3 validation errors detected: Value 'a;" + pattern +
                "; Value 'a;" + length +
                "; Value '500' at 'limit' failed to satisfy constraint: Member must have value "
                "less than or equal to 100");
}

TEST(Tables, definitions_and_items_survive_a_restart) {
  OpsNode node;
  node.create_table("films", "N");
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}");
  std::string before = node.ok("DescribeTable", "{'TableName':'films'}");
  node.restart();
  EXPECT_EQ(node.ok("DescribeTable", "{'TableName':'films'}"), before);
  EXPECT_EQ(node.ok("GetItem", "{'TableName':'films','Key':{'pk':{'S':'a'},'sk':{'N':'1.0'}}}"),
            "{\"Item\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"1\"}}}");
}

TEST(Tables, a_write_parsed_before_its_table_was_dropped_finds_no_table) {
  OpsNode node;
  node.create_table("films");
  std::string request = "{\"TableName\":\"films\",\"Item\":{\"pk\":{\"S\":\"a\"}}}";
  std::string drop = "{\"TableName\":\"films\"}";
  std::string padding(HttpRequest::kBodyPadding, ' ');
  std::vector<std::unique_ptr<Command>> held;
  Node holding{node.engine(), node.catalog(), node.clock,
               [&](auto command) { held.push_back(std::move(command)); }};
  std::vector<OpsNode::Answer> answers;
  auto receive = [&](int status, std::string_view, std::string_view body) {
    answers.push_back({status, "", std::string(body)});
  };
  std::string padded_drop = drop + padding, padded_put = request + padding;
  node.operations()
      .find("DynamoDB_20120810.DeleteTable")
      ->run(holding, Request{std::string_view(padded_drop).substr(0, drop.size())}, Reply(receive));
  node.operations()
      .find("DynamoDB_20120810.PutItem")
      ->run(holding, Request{std::string_view(padded_put).substr(0, request.size())},
            Reply(receive));
  ASSERT_EQ(held.size(), 2u);
  for (auto& command : held) node.submit(std::move(command));
  node.commit();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 200);
  EXPECT_EQ(OpsNode::error_of(answers[1]),
            "ResourceNotFoundException: Requested resource not found");
}

TEST(Tables, limits_and_endpoints_are_answered) {
  OpsNode node;
  EXPECT_THAT(node.ok("DescribeLimits", "{}"), HasSubstr("\"AccountMaxReadCapacityUnits\":80000"));
  EXPECT_THAT(node.ok("DescribeEndpoints", "{}"), HasSubstr("\"CachePeriodInMinutes\":1440"));
}

}  // namespace
}  // namespace millrace
