#include <gmock/gmock.h>

#include "update_table_requests.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(UpdateTable, concerns_that_must_stand_alone_are_named_in_the_services_order) {
  OpsNode node;
  node.create_table("films");
  const std::string sse = "'SSESpecification':{'Enabled':true}";
  const std::string table_class = "'TableClass':'STANDARD_INFREQUENT_ACCESS'";
  const std::string protection = "'DeletionProtectionEnabled':true";
  const std::string warm = "'WarmThroughput':{'ReadUnitsPerSecond':20000}";
  const std::string stream =
      "'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'KEYS_ONLY'}";
  const std::string limits = "'OnDemandThroughput':{'MaxReadRequestUnits':5}";
  auto refused = [&](const std::string& a, const std::string& b) {
    return node.refused("UpdateTable", update(a + "," + b));
  };
  const std::string alone = " must be the only operation in the request";
  EXPECT_EQ(refused(table_class, sse), kInvalid + "Server-Side Encryption modification" + alone);
  EXPECT_EQ(refused(protection, table_class), kInvalid + "TableClass modification" + alone);
  EXPECT_EQ(refused(warm, protection), kInvalid + "DeletionProtection modification" + alone);
  EXPECT_EQ(refused(stream, protection), kInvalid + "DeletionProtection modification" + alone);
  EXPECT_EQ(refused(warm, stream), kInvalid + "WarmThroughput" + alone);
  EXPECT_EQ(refused(limits, stream),
            kInvalid +
                "OnDemandThroughput can only be combined with BillingMode in an UpdateTable "
                "request");
  EXPECT_EQ(refused(table_class,
                    "'GlobalSecondaryIndexUpdates':[{'Update':{'IndexName':'byX',"
                    "'WarmThroughput':{}}}]"),
            kInvalid +
                "WarmThroughput must have at least one of ReadUnitsPerSecond or "
                "WriteUnitsPerSecond specified for index: byX");
  EXPECT_EQ(refused(stream, units(1, 1)),
            kInvalid + "You cannot modify stream status while updating table IOPS");
  node.ok("UpdateTable", update(limits + ",'BillingMode':'PAY_PER_REQUEST'"));
  node.ok("UpdateTable", update(stream + ",'BillingMode':'PAY_PER_REQUEST'"));
}

TEST(UpdateTable, units_are_changed_and_their_changes_counted) {
  OpsNode node;
  create_provisioned(node);
  node.clock.advance(1000);
  // The answer shows the units from before.
  EXPECT_THAT(node.ok("UpdateTable", update(units(8, 5))),
              AllOf(HasSubstr("\"TableStatus\":\"UPDATING\""),
                    HasSubstr("\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":5")));
  EXPECT_THAT(described(node),
              AllOf(HasSubstr("\"LastIncreaseDateTime\":1700000001.000,"
                              "\"NumberOfDecreasesToday\":0,\"ReadCapacityUnits\":8,"
                              "\"WriteCapacityUnits\":5"),
                    HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":8,\"Status\":\"ACTIVE\","
                              "\"WriteUnitsPerSecond\":5}")));
  node.clock.advance(1000);
  node.ok("UpdateTable", update(units(2, 9)));
  node.ok("UpdateTable", update(units(1, 9)));
  EXPECT_THAT(described(node),
              AllOf(HasSubstr("\"LastDecreaseDateTime\":1700000002.000,"
                              "\"NumberOfDecreasesToday\":2,\"ReadCapacityUnits\":1,"
                              "\"WriteCapacityUnits\":9"),
                    HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":8,\"Status\":\"ACTIVE\","
                              "\"WriteUnitsPerSecond\":9}")));
  node.restart();
  node.clock.advance(int64_t{24} * 60 * 60 * 1000);
  EXPECT_THAT(described(node), HasSubstr("\"NumberOfDecreasesToday\":0"));
  EXPECT_EQ(node.refused("UpdateTable", update(units(1, 9))),
            "ValidationException: The provisioned throughput for the table will not change. The "
            "requested value equals the current value. Current ReadCapacityUnits provisioned for "
            "the table: 1. Requested ReadCapacityUnits: 1. Current WriteCapacityUnits provisioned "
            "for the table: 9. Requested WriteCapacityUnits: 9. Refer to the Amazon DynamoDB "
            "Developer Guide for current limits and how to request higher limits.");
}

TEST(UpdateTable, limits_on_demand_are_set_and_cleared_member_by_member) {
  OpsNode node;
  node.create_table("films");
  auto set = [&](const std::string& members) {
    return node.ok("UpdateTable", update("'OnDemandThroughput':{" + members + "}"));
  };
  EXPECT_THAT(set("'MaxReadRequestUnits':10,'MaxWriteRequestUnits':20"),
              HasSubstr("\"TableStatus\":\"ACTIVE\""));
  EXPECT_THAT(described(node), HasSubstr("\"OnDemandThroughput\":{\"MaxReadRequestUnits\":10,"
                                         "\"MaxWriteRequestUnits\":20}"));
  set("'MaxReadRequestUnits':-1");
  EXPECT_THAT(described(node), HasSubstr("\"OnDemandThroughput\":{\"MaxWriteRequestUnits\":20}"));
  for (int wrong : {0, -2}) {
    EXPECT_EQ(node.refused("UpdateTable", update("'OnDemandThroughput':{'MaxWriteRequestUnits':" +
                                                 std::to_string(wrong) + "}")),
              kInvalid +
                  "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of "
                  "valid range");
  }
  EXPECT_THAT(node.refused("UpdateTable", update("'OnDemandThroughput':{}")),
              StartsWith("ValidationException: At least one of ProvisionedThroughput"));
  node.ok("UpdateTable", update("'BillingMode':'PROVISIONED'," + units(1, 1)));
  EXPECT_THAT(described(node), Not(HasSubstr("OnDemandThroughput")));
  EXPECT_EQ(node.refused("UpdateTable", update("'OnDemandThroughput':{'MaxReadRequestUnits':10}")),
            kInvalid +
                "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table "
                "BillingMode is PROVISIONED");
}

TEST(UpdateTable, warm_throughput_only_rises) {
  OpsNode node;
  node.create_table("films");
  auto warm = [](int read, int write) {
    return update("'WarmThroughput':{'ReadUnitsPerSecond':" + std::to_string(read) +
                  ",'WriteUnitsPerSecond':" + std::to_string(write) + "}");
  };
  EXPECT_THAT(node.ok("UpdateTable", warm(13000, 4000)), HasSubstr("\"TableStatus\":\"ACTIVE\""));
  EXPECT_THAT(described(node), HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":13000,"
                                         "\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":4000}"));
  EXPECT_EQ(node.refused("UpdateTable", warm(12999, 4000)),
            kInvalid +
                "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current "
                "WarmThroughput, decreasing WarmThroughput is not supported");
  node.ok("UpdateTable", update("'BillingMode':'PROVISIONED'," + units(1, 1)));
  EXPECT_THAT(described(node), HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":13000"));
}

TEST(UpdateTable, table_class_and_encryption_are_kept_and_shown) {
  OpsNode node;
  node.create_table("films");
  EXPECT_THAT(described(node),
              AllOf(Not(HasSubstr("TableClassSummary")), Not(HasSubstr("SSEDescription"))));
  EXPECT_EQ(node.refused("UpdateTable", update("'TableClass':'COLD'")),
            "ValidationException: Invalid table-class parameter provided. Please try again with a "
            "valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].");
  EXPECT_THAT(node.ok("UpdateTable", update("'TableClass':'STANDARD'")),
              HasSubstr("\"TableStatus\":\"UPDATING\""));
  EXPECT_THAT(described(node), Not(HasSubstr("TableClassSummary")));
  node.ok("UpdateTable", update("'TableClass':'STANDARD_INFREQUENT_ACCESS'"));
  EXPECT_THAT(described(node),
              HasSubstr("\"TableClassSummary\":{\"TableClass\":\"STANDARD_INFREQUENT_ACCESS\","
                        "\"LastUpdateDateTime\":1700000000.000}"));

  auto encrypt = [](const std::string& members) {
    return update("'SSESpecification':{" + members + "}");
  };
  EXPECT_EQ(node.refused("UpdateTable", encrypt("'Enabled':false")),
            kInvalid + "Table is already encrypted by default");
  EXPECT_EQ(node.refused("UpdateTable", encrypt("'Enabled':false,'SSEType':'KMS'")),
            kInvalid + "SSEType can not be specified if Enabled is false");
  EXPECT_EQ(node.refused("UpdateTable", encrypt("'Enabled':true,'KMSMasterKeyId':''")),
            "ValidationException: 1 validation error detected: Value '' at "
            "'sSESpecification.kMSMasterKeyId' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1");
  EXPECT_EQ(node.refused("UpdateTable", encrypt("'Enabled':true,'SSEType':'AES256'")),
            kInvalid + "SSEType AES256 is not supported");
  EXPECT_EQ(node.refused("UpdateTable", encrypt("'Enabled':true,'KMSMasterKeyId':'k'")),
            kInvalid + "SSEType KMS is required if KMSMasterKeyId is specified");
  node.ok("UpdateTable", encrypt("'Enabled':true"));
  EXPECT_THAT(described(node), HasSubstr("\"SSEDescription\":{\"Status\":\"ENABLED\",\"SSEType\":"
                                         "\"KMS\",\"KMSMasterKeyArn\":\"arn:aws:kms:us-east-1:"
                                         "000000000000:key/"));
  const std::string key = "arn:aws:kms:us-east-1:000000000000:key/mine";
  const std::string with_key =
      encrypt("'Enabled':true,'SSEType':'KMS','KMSMasterKeyId':'" + key + "'");
  node.ok("UpdateTable", with_key);
  EXPECT_THAT(described(node), HasSubstr("\"KMSMasterKeyArn\":\"" + key + "\""));
  EXPECT_THAT(node.refused("UpdateTable", with_key),
              StartsWith(kInvalid + "Table is already encrypted with given KMSMasterKeyId."));
  node.restart();
  EXPECT_THAT(described(node), HasSubstr("\"KMSMasterKeyArn\":\"" + key + "\""));
  node.ok("UpdateTable", encrypt("'Enabled':false"));
  EXPECT_THAT(described(node), Not(HasSubstr("SSEDescription")));
}

TEST(UpdateTable, units_have_the_quotas_that_are_told) {
  OpsNode node;
  EXPECT_EQ(node.ok("DescribeLimits", "{}"),
            "{\"AccountMaxReadCapacityUnits\":80000,\"AccountMaxWriteCapacityUnits\":80000,"
            "\"TableMaxReadCapacityUnits\":40000,\"TableMaxWriteCapacityUnits\":40000}");
  auto too_many = [](const std::string& what) {
    return "LimitExceededException: The requested " + what +
           ", 40001, is above the per table maximum for the account in us-east-1. Per table "
           "maximum: 40000. Refer to the Amazon DynamoDB Developer Guide for current limits and "
           "how to request higher limits.";
  };
  create_provisioned(node);
  EXPECT_EQ(node.refused("UpdateTable", update(units(40001, 1))), too_many("ReadCapacityUnits"));
  EXPECT_EQ(node.refused("UpdateTable", update(units(1, 40001))), too_many("WriteCapacityUnits"));
  node.ok("UpdateTable", update(units(40000, 40000)));
  const std::string more =
      "{'TableName':'more','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
      "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}],";
  EXPECT_EQ(node.refused("CreateTable", more + units(1, 40001) + "}"),
            too_many("WriteCapacityUnits"));
  const std::string limit = "'OnDemandThroughput':{'MaxWriteRequestUnits':40001}";
  const std::string exceeded =
      " exceeds TableMaxWriteCapacityUnits of the account in region us-east-1";
  const std::string requested =
      "LimitExceededException: Subscriber limit exceeded: Requested MaxWriteRequestUnits for "
      "OnDemandThroughput for ";
  node.ok("UpdateTable", update("'BillingMode':'PAY_PER_REQUEST'"));
  EXPECT_EQ(node.refused("UpdateTable", update(limit)), requested + "table" + exceeded);
  EXPECT_EQ(node.refused("CreateTable", more + "'BillingMode':'PAY_PER_REQUEST'," + limit + "}"),
            requested + "table" + exceeded);
  EXPECT_EQ(
      node.refused("UpdateTable",
                   update("'AttributeDefinitions':[{'AttributeName':'x','AttributeType':'S'}],"
                          "'GlobalSecondaryIndexUpdates':[{'Create':{'IndexName':'byX',"
                          "'KeySchema':[{'AttributeName':'x','KeyType':'HASH'}],"
                          "'Projection':{'ProjectionType':'ALL'}," +
                          limit + "}}]")),
      requested + "index : byX" + exceeded);
}

TEST(UpdateTable, a_new_table_shows_the_usual_class_if_it_was_asked_for) {
  OpsNode node;
  node.create_table("films", "", ",'TableClass':'STANDARD'");
  for (int start = 0; start < 2; ++start) {
    EXPECT_THAT(described(node), HasSubstr("\"TableClassSummary\":{\"TableClass\":\"STANDARD\"}"));
    node.restart();
  }
}

TEST(UpdateTable, a_new_table_takes_the_same_settings) {
  OpsNode node;
  node.create_table("films", "",
                    ",'TableClass':'STANDARD_INFREQUENT_ACCESS','SSESpecification':{'Enabled':true}"
                    ",'OnDemandThroughput':{'MaxWriteRequestUnits':7}"
                    ",'WarmThroughput':{'WriteUnitsPerSecond':5000}");
  EXPECT_THAT(
      described(node),
      AllOf(HasSubstr("\"TableClassSummary\":{\"TableClass\":\"STANDARD_INFREQUENT_ACCESS\"}"),
            HasSubstr("\"SSEDescription\":{\"Status\":\"ENABLED\""),
            HasSubstr("\"OnDemandThroughput\":{\"MaxWriteRequestUnits\":7}"),
            HasSubstr("\"WarmThroughput\":{\"ReadUnitsPerSecond\":12000,\"Status\":\"ACTIVE\","
                      "\"WriteUnitsPerSecond\":5000}")));
  auto refused = [&](const std::string& more) {
    return node.refused("CreateTable",
                        "{'TableName':'more','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
                        "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}]," +
                            more + "}");
  };
  EXPECT_EQ(refused("'BillingMode':'PAY_PER_REQUEST','WarmThroughput':{'ReadUnitsPerSecond':1}"),
            kInvalid +
                "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than initial "
                "throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/"
                "developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial");
  EXPECT_EQ(refused(units(10, 10) + ",'WarmThroughput':{'ReadUnitsPerSecond':5}"),
            kInvalid +
                "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than "
                "ReadCapacityUnits of ProvisionedThroughput");
  EXPECT_EQ(refused(units(10, 10) + ",'OnDemandThroughput':{'MaxReadRequestUnits':5}"),
            kInvalid +
                "MaxReadRequestUnits for OnDemandThroughput cannot be specified when table "
                "BillingMode is PROVISIONED.");
}

}  // namespace
}  // namespace millrace
