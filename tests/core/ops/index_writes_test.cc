#include <gmock/gmock.h>

#include <map>

#include "core/base/random.h"
#include "core/model/item_json.h"
#include "core/ops/index_changes.h"
#include "core/store/log.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kInvalid = "ValidationException: One or more parameter values were invalid: ";
const std::string kEmpty =
    "The AttributeValue for a key attribute cannot contain an empty string value.";

// Partition key p, sort key s; a local index over l, global ones over g (all, sparse), over g and
// h with r (some attributes), over b (a number; keys only).
constexpr char kTable[] =
    "{'TableName':'tab','BillingMode':'PAY_PER_REQUEST','KeySchema':["
    "{'AttributeName':'p','KeyType':'HASH'},{'AttributeName':'s','KeyType':'RANGE'}],"
    "'AttributeDefinitions':[{'AttributeName':'p','AttributeType':'S'},"
    "{'AttributeName':'s','AttributeType':'S'},{'AttributeName':'l','AttributeType':'N'},"
    "{'AttributeName':'g','AttributeType':'S'},{'AttributeName':'h','AttributeType':'S'},"
    "{'AttributeName':'r','AttributeType':'N'},{'AttributeName':'b','AttributeType':'B'}],"
    "'LocalSecondaryIndexes':[{'IndexName':'local','KeySchema':["
    "{'AttributeName':'p','KeyType':'HASH'},{'AttributeName':'l','KeyType':'RANGE'}],"
    "'Projection':{'ProjectionType':'ALL'}}],"
    "'GlobalSecondaryIndexes':[{'IndexName':'plain','KeySchema':["
    "{'AttributeName':'g','KeyType':'HASH'}],'Projection':{'ProjectionType':'ALL'}},"
    "{'IndexName':'many','KeySchema':[{'AttributeName':'g','KeyType':'HASH'},"
    "{'AttributeName':'h','KeyType':'HASH'},{'AttributeName':'r','KeyType':'RANGE'}],"
    "'Projection':{'ProjectionType':'INCLUDE','NonKeyAttributes':['x','y']}},"
    "{'IndexName':'bytes','KeySchema':[{'AttributeName':'b','KeyType':'HASH'}],"
    "'Projection':{'ProjectionType':'KEYS_ONLY'}}]}";

class IndexWrites : public testing::Test {
 protected:
  void SetUp() override { node_.ok("CreateTable", kTable); }

  std::map<std::string, std::string> entries(Generation generation) {
    std::map<std::string, std::string> found;
    std::string begin;
    append_generation_prefix(generation, begin);
    auto range = node_.engine().view()->range(begin, prefix_successor(begin), false);
    for (; range->valid(); range->next()) {
      found.emplace(std::string(range->key()), std::string(range->image()));
    }
    EXPECT_TRUE(range->status());
    return found;
  }
  // The items of an index as JSON, in its order.
  std::string shown(const std::string& index) {
    std::string text;
    for (const auto& [key, image] :
         entries(node_.catalog().find("tab")->find_index(index)->generation)) {
      render_item(ItemView(image), text);
    }
    std::replace(text.begin(), text.end(), '"', '\'');
    return text;
  }
  // Every index has exactly the entries that the items say.
  void check_all() {
    const TablePtr table = node_.catalog().find("tab");
    const auto items = entries(table->generation);
    for (const Index& index : table->indexes) {
      std::map<std::string, std::string> wanted;
      for (const auto& [key, image] : items) {
        IndexChanges changes;
        append_index_entry(*table, index, ItemView(image), changes);
        for (const IndexChange& change : changes.view()) {
          wanted.emplace(std::string(change.key), std::string(change.image));
        }
      }
      ASSERT_EQ(entries(index.generation), wanted) << index.name;
    }
  }
  // The kinds of index changes in the log since it was last asked: P put, I the item's image, R
  // removal; a change without any is a '-'.
  std::string logged() {
    std::string kinds;
    auto cursor = LogCursor(node_.engine().log(), seen_ + 1);
    const Generation generation = node_.catalog().find("tab")->generation;
    for (auto frame = cursor.next(); frame && *frame; frame = cursor.next()) {
      for (const EntryView& entry : **frame) {
        for (const ChangeView& change : entry) {
          if (split_store_key(change.key)->generation != generation) continue;
          if (change.index_changes.empty()) kinds += '-';
          for (const IndexChange& index_change : change.index_changes) {
            kinds += " PIR"[static_cast<int>(index_change.kind)];
          }
        }
      }
    }
    seen_ = node_.engine().published_lsn();
    return kinds;
  }
  void put(const std::string& item) {
    node_.ok("PutItem", "{'TableName':'tab','Item':" + item + "}");
  }
  std::string put_refused(const std::string& more) {
    return node_.refused("PutItem",
                         "{'TableName':'tab','Item':{'p':{'S':'1'},'s':{'S':'1'}," + more + "}}");
  }
  static std::string update_of(const std::string& expression, const std::string& values) {
    return "{'TableName':'tab','Key':{'p':{'S':'1'},'s':{'S':'1'}},'UpdateExpression':'" +
           expression + "'" +
           (values.empty() ? "" : ",'ExpressionAttributeValues':{" + values + "}") + "}";
  }

  OpsNode node_;
  Lsn seen_ = 0;
};

TEST_F(IndexWrites, an_entry_holds_what_its_index_projects) {
  put("{'p':{'S':'1'},'s':{'S':'1'},'l':{'N':'5'},'g':{'S':'G'},'h':{'S':'H'},'r':{'N':'7'},"
      "'x':{'S':'X'},'z':{'S':'Z'},'b':{'B':'AAE='}}");
  const std::string item =
      "{'b':{'B':'AAE='},'g':{'S':'G'},'h':{'S':'H'},'l':{'N':'5'},'p':{'S':'1'},'r':{'N':'7'},"
      "'s':{'S':'1'},'x':{'S':'X'},'z':{'S':'Z'}}";
  EXPECT_EQ(shown("local"), item);
  EXPECT_EQ(shown("plain"), item);
  EXPECT_EQ(
      shown("many"),
      "{'g':{'S':'G'},'h':{'S':'H'},'p':{'S':'1'},'r':{'N':'7'},'s':{'S':'1'},'x':{'S':'X'}}");
  EXPECT_EQ(shown("bytes"), "{'b':{'B':'AAE='},'p':{'S':'1'},'s':{'S':'1'}}");
  check_all();
}

TEST_F(IndexWrites, an_index_is_sparse) {
  put("{'p':{'S':'1'},'s':{'S':'1'},'g':{'S':'G'},'h':{'S':'H'}}");
  EXPECT_EQ(shown("local"), "");
  EXPECT_THAT(shown("plain"), HasSubstr("'g':{'S':'G'}"));
  EXPECT_EQ(shown("many"), "");  // without r
  node_.ok("UpdateItem", update_of("REMOVE g", ""));
  EXPECT_EQ(shown("plain"), "");
  check_all();
}

TEST_F(IndexWrites, only_entries_that_change_are_written) {
  logged();
  put("{'p':{'S':'1'},'s':{'S':'1'}}");
  EXPECT_EQ(logged(), "-");
  put("{'p':{'S':'1'},'s':{'S':'1'},'g':{'S':'G'},'h':{'S':'H'},'r':{'N':'7'},'l':{'N':'1'}}");
  EXPECT_EQ(logged(), "IPI");  // plain, many, local
  put("{'p':{'S':'1'},'s':{'S':'1'},'g':{'S':'G'},'h':{'S':'H'},'r':{'N':'7.0'},'l':{'N':'1'}}");
  EXPECT_EQ(logged(), "");  // the same item: no record at all
  node_.ok("UpdateItem", update_of("SET z = :v", "':v':{'S':'Z'}"));
  EXPECT_EQ(logged(), "II");  // many does not project it
  node_.ok("UpdateItem", update_of("SET x = :v", "':v':{'S':'X'}"));
  EXPECT_EQ(logged(), "IPI");
  node_.ok("UpdateItem", update_of("SET r = :v", "':v':{'N':'8'}"));
  EXPECT_EQ(logged(), "IRPI");  // moves within many
  node_.ok("UpdateItem", update_of("REMOVE h", ""));
  EXPECT_EQ(logged(), "IRI");
  node_.ok("DeleteItem", "{'TableName':'tab','Key':{'p':{'S':'1'},'s':{'S':'1'}}}");
  EXPECT_EQ(logged(), "RR");
  check_all();
}

TEST_F(IndexWrites, put_refuses_values_that_can_be_no_index_key) {
  EXPECT_EQ(put_refused("'g':{'N':'1'}"),
            kInvalid + "Type mismatch for Index Key g Expected: S Actual: N IndexName: many");
  EXPECT_EQ(put_refused("'l':{'NULL':true}"),
            kInvalid + "Type mismatch for Index Key l Expected: N Actual: NULL IndexName: local");
  EXPECT_EQ(put_refused("'g':{'S':''}"),
            "ValidationException: One or more parameter values are not valid. A value specified "
            "for a secondary index key is not supported. " +
                kEmpty + " IndexName: many, IndexKey: g");
  EXPECT_THAT(put_refused("'b':{'B':''}"),
              HasSubstr("cannot contain an empty binary value. IndexName: bytes, IndexKey: b"));
  EXPECT_EQ(put_refused("'g':{'S':'" + std::string(2049, 'a') + "'}"),
            kInvalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes");
  // Together the two are a partition key of many.
  EXPECT_EQ(put_refused("'g':{'S':'" + std::string(2000, 'a') + "'},'h':{'S':'" +
                        std::string(49, 'a') + "'}"),
            kInvalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes");
  // Before the condition.
  EXPECT_THAT(node_.refused("PutItem",
                            "{'TableName':'tab','Item':{'p':{'S':'1'},'s':{'S':'1'},'g':{'N':'1'}},"
                            "'ConditionExpression':'attribute_exists(p)'}"),
              HasSubstr("Type mismatch for Index Key"));
  EXPECT_EQ(node_.ok("Scan", "{'TableName':'tab','Select':'COUNT'}"),
            "{\"Count\":0,\"ScannedCount\":0}");
}

TEST_F(IndexWrites, update_refuses_them_in_its_own_words) {
  put("{'p':{'S':'1'},'s':{'S':'1'},'n':{'N':'1'},'e':{'S':''},'m':{'S':'" +
      std::string(2049, 'm') + "'}}");
  auto refused = [&](const std::string& expression, const std::string& values) {
    return node_.refused("UpdateItem", update_of(expression, values));
  };
  EXPECT_EQ(refused("SET g = :v", "':v':{'N':'1'}"),
            kInvalid + "Type mismatch for Index Key g Expected: S Actual: N IndexName: many");
  const std::string empty =
      "ValidationException: One or more parameter values are not valid. The update expression "
      "attempted to update a secondary index key to a value that is not supported. " +
      kEmpty;
  const std::string number =
      kInvalid + "Type mismatch for Index Key g Expected: S Actual: N IndexName: many";
  EXPECT_EQ(refused("ADD g :v", "':v':{'N':'1'}"), number);
  EXPECT_EQ(refused("SET g = absent + :v", "':v':{'N':'1'}"), number);
  EXPECT_EQ(refused("SET g = n - n", ""), number) << "whatever the item has";
  EXPECT_EQ(refused("SET h.x = n ADD g :v", "':v':{'N':'1'}"), number) << "before paths into keys";
  EXPECT_EQ(refused("SET y = g[1], g = n + :v", "':v':{'N':'1'}"), number);
  EXPECT_EQ(refused("SET g = list_append(absent, :v)", "':v':{'L':[]}"),
            kInvalid + "Type mismatch for Index Key g Expected: S Actual: L IndexName: many");
  EXPECT_EQ(refused("DELETE g :v", "':v':{'SS':['x']}"),
            kInvalid + "Type mismatch for Index Key g Expected: S Actual: SS IndexName: many");
  EXPECT_EQ(refused("SET g = :v", "':v':{'S':''}"), empty);
  EXPECT_EQ(refused("SET g = e", ""), empty);
  EXPECT_EQ(refused("SET g = n", ""),
            "ValidationException: The update expression attempted to update the secondary index "
            "key to unsupported type");
  EXPECT_EQ(refused("SET g = m", ""),
            "ValidationException: The update expression attempted to update the secondary index "
            "key beyond allowed size limits");
  EXPECT_EQ(refused("SET g.x = :v", "':v':{'N':'1'}"),
            "ValidationException: Key attributes must be scalars; list random access '[]' and map "
            "lookup '.' are not allowed: IndexKey: g");
  check_all();
}

TEST_F(IndexWrites, a_batch_with_one_such_value_writes_nothing) {
  EXPECT_THAT(node_.refused("BatchWriteItem",
                            "{'RequestItems':{'tab':[{'PutRequest':{'Item':{'p':{'S':'1'},'s':{'S':"
                            "'1'},'g':{'S':'G'}}}},{'PutRequest':{'Item':{'p':{'S':'2'},'s':{'S':"
                            "'1'},'g':{'N':'1'}}}}]}}"),
              HasSubstr("Type mismatch for Index Key g"));
  EXPECT_EQ(shown("plain"), "");
}

TEST_F(IndexWrites, in_a_transaction_a_wrong_type_is_a_reason_and_an_empty_value_refuses_all) {
  auto transact = [&](const std::string& action) {
    return node_.call("TransactWriteItems", "{'TransactItems':[" + action + "]}").body;
  };
  const std::string item = "{'Put':{'TableName':'tab','Item':{'p':{'S':'1'},'s':{'S':'1'},'g':";
  const std::string update =
      "{'Update':{'TableName':'tab','Key':{'p':{'S':'1'},'s':{'S':'1'}},'UpdateExpression':'SET g "
      "= "
      ":v','ExpressionAttributeValues':{':v':";
  for (const std::string& wrong : {item + "{'N':'1'}}}}", update + "{'N':'1'}}}}"}) {
    EXPECT_THAT(transact(wrong),
                testing::AllOf(HasSubstr("TransactionCanceledException"),
                               HasSubstr("Type mismatch for Index Key g Expected: S Actual: N "
                                         "IndexName: many")));
  }
  for (const std::string& empty : {item + "{'S':''}}}}", update + "{'S':''}}}}"}) {
    EXPECT_THAT(transact(empty), testing::AllOf(Not(HasSubstr("TransactionCanceled")),
                                                HasSubstr("cannot contain an empty string value")));
  }
}

TEST_F(IndexWrites, collections_are_shown_when_asked_for) {
  const std::string metrics =
      "{\"ItemCollectionKey\":{\"p\":{\"S\":\"1\"}},\"SizeEstimateRangeGB\":[0.0,1.0]}";
  const std::string key = "'Key':{'p':{'S':'1'},'s':{'S':'1'}}";
  const std::string asked = ",'ReturnItemCollectionMetrics':'SIZE'}";
  EXPECT_EQ(node_.ok("PutItem", "{'TableName':'tab','Item':{'p':{'S':'1'},'s':{'S':'1'}}" + asked),
            "{\"ItemCollectionMetrics\":" + metrics + "}");
  EXPECT_EQ(
      node_.ok("UpdateItem",
               "{'TableName':'tab'," + key +
                   ",'UpdateExpression':'SET x = :v',"
                   "'ExpressionAttributeValues':{':v':{'N':'1'}},'ReturnValues':'UPDATED_NEW'" +
                   asked),
      "{\"Attributes\":{\"x\":{\"N\":\"1\"}},\"ItemCollectionMetrics\":" + metrics + "}");
  EXPECT_EQ(node_.ok("DeleteItem", "{'TableName':'tab'," + key + asked),
            "{\"ItemCollectionMetrics\":" + metrics + "}");
  EXPECT_EQ(
      node_.ok("BatchWriteItem",
               "{'RequestItems':{'tab':[{'PutRequest':{'Item':{'p':{'S':'1'},'s':{'S':'1'}}}},"
               "{'PutRequest':{'Item':{'p':{'S':'1'},'s':{'S':'2'}}}}]}" +
                   asked),
      "{\"UnprocessedItems\":{},\"ItemCollectionMetrics\":{\"tab\":[" + metrics + "]}}");
  EXPECT_EQ(node_.ok("TransactWriteItems",
                     "{'TransactItems':[{'Delete':{'TableName':'tab'," + key + "}}]" + asked),
            "{\"ItemCollectionMetrics\":{\"tab\":[" + metrics + "]}}");
  node_.create_table("plain");
  EXPECT_EQ(node_.ok("PutItem", "{'TableName':'plain','Item':{'pk':{'S':'1'}}" + asked), "{}");
}

TEST_F(IndexWrites, what_a_batch_stages_is_bounded) {
  // Twenty indexes that all hold a copy of a large attribute.
  std::string indexes, names = "'big'";
  for (int i = 0; i < 20; ++i) {
    indexes += std::string(i > 0 ? "," : "") + "{'IndexName':'i" + std::to_string(i) +
               "x','KeySchema':[{'AttributeName':'g','KeyType':'HASH'}],'Projection':"
               "{'ProjectionType':'INCLUDE','NonKeyAttributes':['big']}}";
  }
  node_.ok("CreateTable",
           "{'TableName':'wide','BillingMode':'PAY_PER_REQUEST','KeySchema':[{'AttributeName':'p',"
           "'KeyType':'HASH'}],'AttributeDefinitions':[{'AttributeName':'p','AttributeType':'S'},"
           "{'AttributeName':'g','AttributeType':'S'}],'GlobalSecondaryIndexes':[" +
               indexes + "]}");
  std::string requests;
  for (int i = 0; i < 25; ++i) {
    requests += std::string(i > 0 ? "," : "") + "{'PutRequest':{'Item':{'p':{'S':'" +
                std::to_string(i) + "'},'g':{'S':'G'},'big':{'S':'" + std::string(390'000, 'x') +
                "'}}}}";
  }
  // They come back under the name that the client gave.
  for (const std::string& name : {std::string("wide"), node_.catalog().table_arn("wide")}) {
    const std::string answer =
        node_.ok("BatchWriteItem", "{'RequestItems':{'" + name + "':[" + requests + "]}}");
    EXPECT_THAT(answer, HasSubstr("{\"UnprocessedItems\":{\"" + name + "\":[{\"PutRequest\":"));
  }
  const std::string count = node_.ok("Scan", "{'TableName':'wide','Select':'COUNT'}");
  EXPECT_THAT(count, Not(HasSubstr("\"Count\":0")));
}

TEST_F(IndexWrites, a_deleted_tables_entries_go_with_it) {
  put("{'p':{'S':'1'},'s':{'S':'1'},'g':{'S':'G'},'l':{'N':'1'}}");
  std::vector<Generation> generations;
  for (const Index& index : node_.catalog().find("tab")->indexes)
    generations.push_back(index.generation);
  EXPECT_EQ(entries(generations[0]).size(), 1u);
  node_.ok("DeleteTable", "{'TableName':'tab'}");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(node_.engine().checkpoint());
    for (auto more = node_.engine().maintain(); more && *more; more = node_.engine().maintain()) {
    }
    node_.commit();
  }
  for (Generation generation : generations) EXPECT_EQ(entries(generation).size(), 0u);
}

// Writes of every kind in random order, through memory tables, LevelDB, checkpoints and recoveries.
TEST_F(IndexWrites, indexes_agree_with_the_items_after_random_writes_and_restarts) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  auto key = [&] {
    return "'p':{'S':'" + std::to_string(random.below(4)) + "'},'s':{'S':'" +
           std::to_string(random.below(4)) + "'}";
  };
  auto item = [&] {
    std::string text = "{" + key();
    auto one_of = [&](const std::string& name, const std::string& type) {
      if (random.one_in(3)) return;
      text +=
          ",'" + name + "':{'" + type + "':'" +
          (type == "B" ? (random.one_in(2) ? "AA==" : "AAE=") : std::to_string(random.below(3))) +
          "'}";
    };
    one_of("l", "N");
    one_of("g", "S");
    one_of("h", "S");
    one_of("r", "N");
    one_of("b", "B");
    one_of("x", "S");
    one_of("z", "S");
    return text + ",'pad':{'S':'" + std::string(random.below(400), 'x') + "'}}";
  };
  auto update = [&] {
    const char* names[] = {"g", "h", "x"};
    const std::string name = names[random.below(3)];
    return "'TableName':'tab','Key':{" + key() + "},'UpdateExpression':'" +
           (random.one_in(3) ? "REMOVE " + name + "'"
                             : "SET " + name + " = :v','ExpressionAttributeValues':{':v':{'S':'" +
                                   std::to_string(random.below(3)) + "'}}");
  };
  for (int round = 0; round < 1500; ++round) {
    switch (random.below(6)) {
      case 0:
      case 1:
        put(item());
        break;
      case 2:
        node_.ok("UpdateItem", "{" + update() + "}");
        break;
      case 3:
        node_.ok("DeleteItem", "{'TableName':'tab','Key':{" + key() + "}}");
        break;
      case 4:
        // Two writes of one item are refused, and then nothing of it may be in an index either.
        node_.call("BatchWriteItem", "{'RequestItems':{'tab':[{'PutRequest':{'Item':" + item() +
                                         "}},{'DeleteRequest':{'Key':{" + key() + "}}}]}}");
        break;
      default:
        node_.call("TransactWriteItems",
                   "{'TransactItems':[{'Put':{'TableName':'tab','Item':" + item() +
                       "}},{'Update':{" + update() +
                       "}},{'ConditionCheck':{'TableName':'tab',"
                       "'Key':{" +
                       key() + "},'ConditionExpression':'attribute_exists(p)'}}]}");
    }
    if (random.one_in(10)) {
      ASSERT_TRUE(node_.engine().maintain());
    }
    if (random.one_in(200)) {
      ASSERT_TRUE(node_.engine().checkpoint());
    }
    if (random.one_in(100)) node_.restart();
    if (round % 50 == 49) check_all();
  }
}

}  // namespace
}  // namespace millrace
