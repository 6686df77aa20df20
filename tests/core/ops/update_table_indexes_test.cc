#include <gmock/gmock.h>

#include <map>
#include <string>

#include "core/ops/index_changes.h"
#include "update_table_requests.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kInUse =
    "ResourceInUseException: Attempt to change a resource which is still in use: ";
const std::string kOneOnline =
    "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or "
    "deleted simultaneously per table";

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

TEST(UpdateTableIndexes, an_index_is_added_filled_and_becomes_active) {
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

TEST(UpdateTableIndexes, a_backfill_rests_while_clients_write_sixteen_times_its_last_step) {
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

TEST(UpdateTableIndexes, a_long_backfill_shows_that_it_has_begun_and_goes_on_after_a_restart) {
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

TEST(UpdateTableIndexes, items_that_can_be_no_entry_are_left_out) {
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

TEST(UpdateTableIndexes, an_index_is_removed_and_leaves_a_note_to_reclaim_its_space) {
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

TEST(UpdateTableIndexes, a_backfill_under_way_is_given_up_with_its_index) {
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

TEST(UpdateTableIndexes, one_index_at_a_time_is_added_or_removed) {
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

TEST(UpdateTableIndexes, wrong_index_updates_are_refused) {
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

TEST(UpdateTableIndexes, a_local_index_stays_as_it_is) {
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

TEST(UpdateTableIndexes, units_of_indexes_go_with_the_billing_mode) {
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
