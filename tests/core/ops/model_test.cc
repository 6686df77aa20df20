#include <cstdlib>
#include <map>

#include "core/base/random.h"
#include "ops_node.h"

namespace millrace {
namespace {

// Random operations against a map, with restarts and background work in between.
class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) { node_.create_table("films", "N"); }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
  }

 private:
  using Key = std::pair<std::string, int>;
  struct Item {
    std::optional<int> n;
    std::optional<std::string> text;
  };

  void step() {
    Key key{std::string(1, static_cast<char>('a' + random_.below(4))),
            static_cast<int>(random_.below(12)) - 6};
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return put(key);
      case 3:
      case 4:
        return add(key);
      case 5:
        return remove(key);
      case 6:
        return put_if_absent(key);
      case 7:
        return transact(key);
      case 8:
        return query(key.first);
      case 9:
        return scan();
      case 10:
        if (random_.one_in(20)) node_.restart();
        if (random_.one_in(5)) {
          EXPECT_TRUE(node_.engine().maintain());
        }
        return;
      default:
        return get(key);
    }
  }

  static std::string key_json(const Key& key) {
    return "'pk':{'S':'" + key.first + "'},'sk':{'N':'" + std::to_string(key.second) + "'}";
  }
  std::string attributes(const Key& key, const Item& item) {
    std::string json = "{";
    if (item.n) json += "'n':{'N':'" + std::to_string(*item.n) + "'},";
    json += key_json(key);
    if (item.text) json += ",'text':{'S':'" + *item.text + "'}";
    return json + "}";
  }
  std::string answer_of(const Key& key, const Item& item) {
    std::string json = attributes(key, item);
    std::replace(json.begin(), json.end(), '\'', '"');
    return json;
  }
  Item random_item() {
    Item item;
    if (random_.one_in(2)) item.n = static_cast<int>(random_.below(1000));
    item.text = std::string(random_.below(300), 'x');
    return item;
  }

  void put(const Key& key) {
    Item item = random_item();
    EXPECT_EQ(node_.ok("PutItem", "{'TableName':'films','Item':" + attributes(key, item) + "}"),
              "{}");
    items_[key] = item;
  }
  void put_if_absent(const Key& key) {
    Item item = random_item();
    std::string request =
        "{'TableName':'films','ConditionExpression':'attribute_not_exists(pk)','Item':" +
        attributes(key, item) + "}";
    if (items_.count(key)) {
      EXPECT_EQ(node_.refused("PutItem", request),
                "ConditionalCheckFailedException: The conditional request failed");
    } else {
      node_.ok("PutItem", request);
      items_[key] = item;
    }
  }
  void add(const Key& key) {
    int amount = static_cast<int>(random_.below(20)) - 10;
    node_.ok("UpdateItem", "{'TableName':'films','Key':{" + key_json(key) +
                               "},'UpdateExpression':'ADD n :n','ExpressionAttributeValues':"
                               "{':n':{'N':'" +
                               std::to_string(amount) + "'}}}");
    Item& item = items_[key];
    item.n = item.n.value_or(0) + amount;
  }
  void remove(const Key& key) {
    node_.ok("DeleteItem", "{'TableName':'films','Key':{" + key_json(key) + "}}");
    items_.erase(key);
  }
  // Moves an item within its partition, if it is there and the target is not.
  void transact(const Key& from) {
    Key to{from.first, from.second + 100};
    Item item = random_item();
    std::string request =
        "{'TransactItems':[{'Delete':{'TableName':'films','Key':{" + key_json(from) +
        "},'ConditionExpression':'attribute_exists(pk)'}},{'Put':{'TableName':'films','Item':" +
        attributes(to, item) + ",'ConditionExpression':'attribute_not_exists(pk)'}}]}";
    if (items_.count(from) && !items_.count(to)) {
      node_.ok("TransactWriteItems", request);
      items_.erase(from);
      items_[to] = item;
    } else {
      EXPECT_EQ(node_.call("TransactWriteItems", request).status, 400);
    }
  }
  void get(const Key& key) {
    std::string expected =
        items_.count(key) ? "{\"Item\":" + answer_of(key, items_[key]) + "}" : "{}";
    EXPECT_EQ(node_.ok("GetItem", "{'TableName':'films','Key':{" + key_json(key) + "}}"), expected);
  }
  void query(const std::string& partition) {
    bool forward = random_.one_in(2);
    std::vector<std::string> expected;
    for (const auto& [key, item] : items_) {
      if (key.first == partition) expected.push_back(answer_of(key, item));
    }
    if (!forward) std::reverse(expected.begin(), expected.end());
    std::string joined;
    for (const std::string& item : expected) joined += (joined.empty() ? "" : ",") + item;
    std::string count = std::to_string(expected.size());
    EXPECT_EQ(
        node_.ok("Query",
                 "{'TableName':'films','KeyConditionExpression':'pk=:p','ScanIndexForward':" +
                     std::string(forward ? "true" : "false") +
                     ",'ExpressionAttributeValues':{':p':{'S':'" + partition + "'}}}"),
        "{\"Items\":[" + joined + "],\"Count\":" + count + ",\"ScannedCount\":" + count + "}");
  }
  void scan() {
    std::string count = std::to_string(items_.size());
    EXPECT_EQ(node_.ok("Scan", "{'TableName':'films','Select':'COUNT'}"),
              "{\"Count\":" + count + ",\"ScannedCount\":" + count + "}");
  }

  Random random_;
  OpsNode node_;
  std::map<Key, Item> items_;
};

TEST(OperationsModel, random_operations_do_what_a_map_does) {
  uint64_t seed = random_seed();
  if (const char* given = std::getenv("MILLRACE_SEED")) seed = std::stoull(given);
  for (int round = 0; round < 5; ++round, ++seed) {
    SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
    Model(seed).run(1500);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace millrace
