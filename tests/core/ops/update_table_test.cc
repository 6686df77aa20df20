#include <gmock/gmock.h>

#include "core/ops/index_changes.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
const std::string kInUse =
    "ResourceInUseException: Attempt to change a resource which is still in use: ";
const std::string kOneOnline =
    "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or "
    "deleted simultaneously per table";

std::string update(const std::string& more) { return "{'TableName':'films'," + more + "}"; }
std::string units(int read, int write) {
  return "'ProvisionedThroughput':{'ReadCapacityUnits':" + std::to_string(read) +
         ",'WriteCapacityUnits':" + std::to_string(write) + "}";
}
std::string described(OpsNode& node) { return node.ok("DescribeTable", "{'TableName':'films'}"); }

void create_provisioned(OpsNode& node, const std::string& more = "") {
  node.ok("CreateTable",
          "{'TableName':'films','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
          "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}]," +
              units(5, 5) + more + "}");
}

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

// Indexes.

std::string create_index(const std::string& name, const std::string& attribute,
                         const std::string& projection = "{'ProjectionType':'ALL'}",
                         const std::string& more = "") {
  return "{'Create':{'IndexName':'" + name + "','KeySchema':[{'AttributeName':'" + attribute +
         "','KeyType':'HASH'}],'Projection':" + projection + more + "}}";
}
std::string with_attribute(const std::string& attribute, const std::string& updates) {
  return update("'AttributeDefinitions':[{'AttributeName':'" + attribute +
                "','AttributeType':'S'}],'GlobalSecondaryIndexUpdates':[" + updates + "]");
}
std::string delete_index(const std::string& name) {
  return "{'Delete':{'IndexName':'" + name + "'}}";
}
std::string index_updates(const std::string& updates) {
  return update("'GlobalSecondaryIndexUpdates':[" + updates + "]");
}

void put(OpsNode& node, const std::string& key, const std::string& more) {
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'" + key + "'}" + more + "}}");
}
std::string genre(const std::string& value) { return ",'genre':{'S':'" + value + "'}"; }

/// The entries of an index: key and image.
std::map<std::string, std::string> entries(OpsNode& node, Generation index) {
  std::map<std::string, std::string> found;
  std::string begin;
  append_generation_prefix(index, begin);
  auto range = node.engine().view()->range(begin, prefix_successor(begin), false);
  for (; range->valid(); range->next()) found.emplace(range->key(), range->image());
  return found;
}

/// The entries that the items say the index must have.
std::map<std::string, std::string> wanted_entries(OpsNode& node, const Table& table,
                                                  const Index& index) {
  std::map<std::string, std::string> wanted;
  std::string begin;
  append_generation_prefix(table.generation, begin);
  auto range = node.engine().view()->range(begin, prefix_successor(begin), false);
  for (; range->valid(); range->next()) {
    IndexChanges changes;
    append_index_entry(table, index, ItemView(range->image()), changes);
    for (const IndexChange& change : changes.view()) wanted.emplace(change.key, change.image);
  }
  return wanted;
}

void expect_exact(OpsNode& node, const std::string& index_name) {
  TablePtr table = node.catalog().find("films");
  const Index* index = table->find_index(index_name);
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(entries(node, index->generation), wanted_entries(node, *table, *index));
}

TEST(UpdateTable, an_index_is_added_filled_and_becomes_active) {
  OpsNode node;
  node.create_table("films");
  put(node, "a", genre("drama"));
  put(node, "b", genre("comedy"));
  put(node, "c", "");
  std::string answer =
      node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  EXPECT_THAT(answer, AllOf(HasSubstr("\"TableStatus\":\"UPDATING\""),
                            HasSubstr("\"IndexStatus\":\"CREATING\",\"Backfilling\":false")));
  EXPECT_THAT(described(node), AllOf(HasSubstr("\"TableStatus\":\"UPDATING\""),
                                     HasSubstr("{\"AttributeName\":\"genre\","
                                               "\"AttributeType\":\"S\"}")));
  put(node, "d", genre("live"));  // meanwhile
  node.work();
  answer = described(node);
  EXPECT_THAT(answer,
              AllOf(HasSubstr("\"TableStatus\":\"ACTIVE\""),
                    HasSubstr("\"IndexStatus\":\"ACTIVE\""), Not(HasSubstr("Backfilling"))));
  expect_exact(node, "byGenre");
  EXPECT_EQ(entries(node, node.catalog().find("films")->find_index("byGenre")->generation).size(),
            3u);
  put(node, "a", genre("war"));
  node.ok("DeleteItem", "{'TableName':'films','Key':{'pk':{'S':'b'}}}");
  expect_exact(node, "byGenre");
}

TEST(UpdateTable, a_backfill_rests_while_clients_write_sixteen_times_its_last_step) {
  OpsNode node;
  node.create_table("films");
  for (int i = 0; i < 3000; ++i) put(node, "film" + std::to_string(i), genre("crime"));
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre",
                                                              "{'ProjectionType':'KEYS_ONLY'}")));
  auto step = [&](int64_t takes_ms) {
    ASSERT_TRUE(node.long_work().step());
    node.clock.advance(takes_ms);
    node.commit();
  };
  step(2);
  EXPECT_EQ(node.long_work().rest_ns(), 0);
  for (int i = 0; i < 10; ++i) put(node, "film1", genre(std::to_string(i)));
  EXPECT_EQ(node.long_work().rest_ns(), 32'000'000);
  step(60'000);
  for (int i = 0; i < 10; ++i) put(node, "film1", genre(std::to_string(i)));
  EXPECT_EQ(node.long_work().rest_ns(), 100'000'000);
  step(1);
  EXPECT_EQ(node.long_work().rest_ns(), 0);
  node.work();
  expect_exact(node, "byGenre");
}

TEST(UpdateTable, a_long_backfill_shows_that_it_has_begun_and_goes_on_after_a_restart) {
  OpsNode node;
  node.create_table("films");
  for (int i = 0; i < 3000; ++i)
    put(node, "film" + std::to_string(i), genre(std::to_string(i % 9)));
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre",
                                                              "{'ProjectionType':'KEYS_ONLY'}")));
  EXPECT_EQ(node.refused("UpdateTable", index_updates(delete_index("byGenre"))),
            kInUse +
                "Index creation is in resource allocation phase. Retry deletion during backfilling "
                "phase or when the index is active. Table: films Index: byGenre");
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  EXPECT_THAT(described(node),
              AllOf(HasSubstr("\"TableStatus\":\"ACTIVE\""),
                    HasSubstr("\"IndexStatus\":\"CREATING\",\"Backfilling\":true")));
  EXPECT_EQ(node.refused("DeleteTable", "{'TableName':'films'}"),
            kInUse + "Cannot delete table while indexes are being created, updated, or deleted.");
  Generation index = node.catalog().find("films")->find_index("byGenre")->generation;
  size_t before = entries(node, index).size();
  EXPECT_GT(before, 0u);
  EXPECT_LT(before, 3000u);
  node.restart();
  EXPECT_EQ(entries(node, index).size(), before);
  put(node, "film2999", genre("changed"));
  node.ok("DeleteItem", "{'TableName':'films','Key':{'pk':{'S':'film2998'}}}");
  node.work();
  expect_exact(node, "byGenre");
  EXPECT_EQ(entries(node, index).size(), 2999u);
  EXPECT_THAT(described(node), HasSubstr("\"IndexStatus\":\"ACTIVE\""));
}

TEST(UpdateTable, items_that_can_be_no_entry_are_left_out) {
  OpsNode node;
  node.create_table("films");
  put(node, "a", genre("drama"));
  put(node, "b", ",'genre':{'N':'5'}");
  put(node, "c", ",'genre':{'S':''}");
  put(node, "d", genre(std::string(2049, 'x')));
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  node.work();
  EXPECT_EQ(entries(node, node.catalog().find("films")->find_index("byGenre")->generation).size(),
            1u);
  EXPECT_THAT(described(node), HasSubstr("\"IndexStatus\":\"ACTIVE\""));
}

TEST(UpdateTable, an_index_is_removed_and_leaves_a_note_to_reclaim_its_space) {
  OpsNode node;
  node.create_table("films");
  put(node, "a", genre("drama"));
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  node.work();
  Generation index = node.catalog().find("films")->find_index("byGenre")->generation;
  std::string answer = node.ok("UpdateTable", index_updates(delete_index("byGenre")));
  EXPECT_THAT(answer, AllOf(HasSubstr("\"TableStatus\":\"UPDATING\""),
                            HasSubstr("\"IndexStatus\":\"DELETING\"")));
  answer = described(node);
  EXPECT_THAT(answer, AllOf(HasSubstr("\"TableStatus\":\"ACTIVE\""), Not(HasSubstr("byGenre")),
                            Not(HasSubstr("genre"))));
  std::string drop, image;
  append_partition_prefix(kDropGeneration, std::to_string(index), drop);
  EXPECT_TRUE(node.engine().view()->get(drop, image).value());
  // The same name again is another index.
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  node.work();
  EXPECT_NE(node.catalog().find("films")->find_index("byGenre")->generation, index);
  expect_exact(node, "byGenre");
}

TEST(UpdateTable, a_backfill_under_way_is_given_up_with_its_index) {
  OpsNode node;
  node.create_table("films");
  for (int i = 0; i < 2000; ++i) put(node, "film" + std::to_string(i), genre("drama"));
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  Generation index = node.catalog().find("films")->find_index("byGenre")->generation;
  ASSERT_TRUE(node.long_work().step());  // its command waits in the queue, before the removal
  node.ok("UpdateTable", index_updates(delete_index("byGenre")));
  size_t entries_left = entries(node, index).size();
  node.work();
  EXPECT_EQ(entries(node, index).size(), entries_left);
  std::string image;
  EXPECT_FALSE(node.engine().view()->get(backfill_key(index), image).value());
}

TEST(UpdateTable, one_index_at_a_time_is_added_or_removed) {
  OpsNode node;
  node.create_table("films");
  for (int i = 0; i < 2000; ++i) put(node, "film" + std::to_string(i), genre("drama"));
  node.ok("UpdateTable", with_attribute("genre", create_index("one", "genre")));
  node.work();
  EXPECT_EQ(
      node.refused("UpdateTable", with_attribute("genre", create_index("two", "genre") + "," +
                                                              create_index("three", "genre"))),
      kOneOnline);
  EXPECT_EQ(node.refused("UpdateTable", with_attribute("genre", create_index("two", "genre") + "," +
                                                                    delete_index("one"))),
            kOneOnline);
  EXPECT_EQ(node.refused("UpdateTable",
                         index_updates(delete_index("ghost") + "," + delete_index("spook"))),
            kOneOnline);
  node.ok("UpdateTable", with_attribute("genre", create_index("two", "genre")));
  EXPECT_EQ(node.refused("UpdateTable", with_attribute("genre", create_index("three", "genre"))),
            kOneOnline);
  EXPECT_EQ(node.refused("UpdateTable", index_updates(delete_index("one"))), kOneOnline);
  ASSERT_TRUE(node.long_work().step());
  node.commit();
  // One that is being filled can be removed itself.
  node.ok("UpdateTable", index_updates(delete_index("two")));
  node.ok("UpdateTable", index_updates(delete_index("one")));
}

TEST(UpdateTable, wrong_index_updates_are_refused) {
  OpsNode node;
  node.create_table("films");
  auto refused = [&](const std::string& body) { return node.refused("UpdateTable", body); };
  EXPECT_THAT(refused(index_updates("")),
              StartsWith("ValidationException: At least one of ProvisionedThroughput"));
  EXPECT_EQ(refused(update("'GlobalSecondaryIndexUpdates':[],'BillingMode':'PAY_PER_REQUEST'")),
            kInvalid + "List of GlobalSecondaryIndexUpdates is empty");
  EXPECT_EQ(refused(index_updates("{}")),
            kInvalid +
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null");
  EXPECT_EQ(refused(index_updates("{'Delete':{'IndexName':'one'},'Update':{'IndexName':'one'}}")),
            kInvalid +
                "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
                "object");
  EXPECT_EQ(refused(index_updates(delete_index("one") + "," + delete_index("one"))),
            kInvalid +
                "Only one global secondary index update per index is allowed simultaneously. "
                "Index: one");
  EXPECT_EQ(refused(index_updates("{'Delete':{'IndexName':'a'}}")),
            "ValidationException: 1 validation error detected: Value 'a' at "
            "'globalSecondaryIndexUpdates.1.member.delete.indexName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3");
  EXPECT_EQ(refused(index_updates("{'Update':{}}")),
            "ValidationException: 1 validation error detected: Value null at "
            "'globalSecondaryIndexUpdates.1.member.update.indexName' failed to satisfy constraint: "
            "Member must not be null");
  EXPECT_EQ(refused(index_updates(delete_index("ghost"))),
            "ResourceNotFoundException: Requested resource not found: Index ghost for table films");
  EXPECT_EQ(refused(index_updates("{'Update':{'IndexName':'ghost'," + units(1, 1) + "}}")),
            "ResourceNotFoundException: Requested resource not found: Index ghost for table films");
  EXPECT_EQ(refused(index_updates(create_index("byGenre", "genre"))),
            kInvalid + "AttributeDefinitions is not specified for index: byGenre");
  EXPECT_EQ(refused(with_attribute("other", create_index("byGenre", "genre"))),
            kInvalid +
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [genre], "
                "AttributeDefinitions: [other]");
  EXPECT_EQ(refused(with_attribute(
                "genre", create_index("byGenre", "genre", "{'ProjectionType':'INCLUDE'}"))),
            kInvalid + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
  EXPECT_EQ(
      refused(with_attribute("genre", create_index("byGenre", "genre", "{'ProjectionType':'ALL'}",
                                                   "," + units(1, 1)))),
      kInvalid +
          "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: "
          "byGenre when BillingMode is PAY_PER_REQUEST");
  EXPECT_EQ(refused("{'TableName':'nowhere','GlobalSecondaryIndexUpdates':[" + delete_index("one") +
                    "]}"),
            "ResourceNotFoundException: Requested resource not found: Table: nowhere not found");
  const std::string on =
      "'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'KEYS_ONLY'}";
  EXPECT_EQ(refused(update(on + ",'GlobalSecondaryIndexUpdates':[" + delete_index("one") + "]")),
            kInvalid + "You cannot create or delete index while changing stream status");
  EXPECT_EQ(
      refused(update(units(1, 1) + ",'GlobalSecondaryIndexUpdates':[" + delete_index("one") + "]")),
      kInvalid + "You cannot create or delete index while updating table IOPS");
  node.ok("UpdateTable", with_attribute("genre", create_index("byGenre", "genre")));
  EXPECT_EQ(refused(index_updates("{'Update':{'IndexName':'byGenre'," + units(1, 1) + "}}")),
            kInvalid +
                "The only Updates for index: byGenre when TableThroughputMode is PAY_PER_REQUEST "
                "can be to OnDemandThroughput, WarmThroughput");
  node.work();
  EXPECT_EQ(refused(with_attribute("genre", create_index("byGenre", "genre"))),
            "ValidationException: Attempting to create an index which already exists");
}

TEST(UpdateTable, a_local_index_stays_as_it_is) {
  OpsNode node;
  node.ok(
      "CreateTable",
      "{'TableName':'films','BillingMode':'PAY_PER_REQUEST',"
      "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},"
      "{'AttributeName':'sk','KeyType':'RANGE'}],"
      "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'},"
      "{'AttributeName':'sk','AttributeType':'S'},{'AttributeName':'year','AttributeType':'N'}],"
      "'LocalSecondaryIndexes':[{'IndexName':'byYear','KeySchema':["
      "{'AttributeName':'pk','KeyType':'HASH'},{'AttributeName':'year','KeyType':'RANGE'}],"
      "'Projection':{'ProjectionType':'ALL'}}]}");
  EXPECT_EQ(node.refused("UpdateTable", index_updates(delete_index("byYear"))),
            "ValidationException: Cannot delete an index that is not a GlobalSecondaryIndex: "
            "byYear");
  EXPECT_EQ(node.refused("UpdateTable", index_updates("{'Update':{'IndexName':'byYear','OnDemand"
                                                      "Throughput':{'MaxReadRequestUnits':1}}}")),
            "ValidationException: Cannot update an index that is not a GlobalSecondaryIndex: "
            "byYear");
  EXPECT_EQ(node.refused("UpdateTable", with_attribute("genre", create_index("byYear", "genre"))),
            "ValidationException: Attempting to create an index which already exists");
  // Also an attribute that is a key already is defined by the request.
  const std::string by_genre =
      "{'Create':{'IndexName':'byGenre','KeySchema':[{'AttributeName':'genre','KeyType':'HASH'},"
      "{'AttributeName':'year','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}}";
  EXPECT_EQ(node.refused("UpdateTable", with_attribute("genre", by_genre)),
            kInvalid +
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [genre, "
                "year], AttributeDefinitions: [genre]");
  node.ok("UpdateTable", update("'AttributeDefinitions':[{'AttributeName':'genre','AttributeType':"
                                "'S'},{'AttributeName':'year','AttributeType':'N'}],"
                                "'GlobalSecondaryIndexUpdates':[" +
                                by_genre + "]"));
  node.work();
  TablePtr table = node.catalog().find("films");
  ASSERT_EQ(table->indexes.size(), 2u);
  EXPECT_EQ(table->indexes[0].name, "byGenre");  // global ones first
  EXPECT_EQ(table->indexes[0].key.sort[0].type, ValueType::kNumber);
}

TEST(UpdateTable, units_of_indexes_go_with_the_billing_mode) {
  OpsNode node;
  create_provisioned(node);
  EXPECT_EQ(node.refused("UpdateTable", with_attribute("genre", create_index("byGenre", "genre"))),
            kInvalid +
                "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: "
                "byGenre");
  node.ok("UpdateTable",
          with_attribute("genre", create_index("byGenre", "genre", "{'ProjectionType':'ALL'}",
                                               "," + units(3, 4))));
  node.work();
  auto update_units = [](int read, int write) {
    return "{'Update':{'IndexName':'byGenre'," + units(read, write) + "}}";
  };
  EXPECT_EQ(node.refused("UpdateTable", index_updates(update_units(3, 4))),
            "ValidationException: The provisioned throughput for the index byGenre will not "
            "change. The requested value equals the current value. Current ReadCapacityUnits "
            "provisioned for index byGenre: 3. Requested ReadCapacityUnits: 3. Current "
            "WriteCapacityUnits provisioned for index byGenre: 4. Requested WriteCapacityUnits: 4. "
            "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request "
            "higher limits.");
  EXPECT_THAT(
      node.ok("UpdateTable", index_updates(update_units(6, 4))),
      AllOf(HasSubstr("\"TableStatus\":\"ACTIVE\""), HasSubstr("\"IndexStatus\":\"UPDATING\""),
            HasSubstr("\"ReadCapacityUnits\":3,\"WriteCapacityUnits\":4")));
  EXPECT_THAT(described(node), HasSubstr("\"ReadCapacityUnits\":6,\"WriteCapacityUnits\":4"));
  node.ok("UpdateTable", update("'BillingMode':'PAY_PER_REQUEST'"));
  EXPECT_EQ(node.catalog().find("films")->indexes[0].read_units, 0);
  const std::string provisioned = "'BillingMode':'PROVISIONED'," + units(1, 1);
  EXPECT_EQ(node.refused("UpdateTable", update(provisioned)),
            kInvalid + "ProvisionedThroughput must be specified for index: byGenre");
  EXPECT_THAT(node.ok("UpdateTable", update(provisioned + ",'GlobalSecondaryIndexUpdates':[" +
                                            update_units(2, 2) + "]")),
              HasSubstr("\"ReadCapacityUnits\":2,\"WriteCapacityUnits\":2"));
  EXPECT_EQ(node.catalog().find("films")->indexes[0].read_units, 2);
}

}  // namespace
}  // namespace millrace
