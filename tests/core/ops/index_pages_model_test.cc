#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "core/base/random.h"
#include "core/model/item_json.h"
#include "ops_node.h"

namespace millrace {
namespace {

// An attribute value as the model knows it: a number, or the bytes of a string or binary.
struct Scalar {
  char type = 'S';
  int number = 0;
  std::string bytes;

  auto operator<=>(const Scalar&) const = default;
  std::string json() const {
    std::string text = std::string("{\"") + type + "\":";
    if (type == 'N') return text + '"' + std::to_string(number) + "\"}";
    if (type == 'S') {
      render_json_string(bytes, text);
    } else {
      text += '"';
      render_base64(bytes, text);
      text += '"';
    }
    return text + '}';
  }
};
using Item = std::map<std::string, Scalar>;
using Tuple = std::vector<Scalar>;

std::string json_of(const Item& item) {
  std::string text = "{";
  for (const auto& [name, value] : item)
    text += (text.size() > 1 ? ",\"" : "\"") + name + "\":" + value.json();
  return text + '}';
}

struct ModelIndex {
  std::string name;
  bool local = false;
  std::vector<std::string> partition, sort;
  std::string projection;
  std::set<std::string> included;
};

// A table of random keys and indexes under random writes; what Query and Scan answer of an index
// must be what sorting and filtering all items gives.
class IndexPagesModel {
 public:
  explicit IndexPagesModel(uint64_t seed) : random_(seed) {
    table_sort_ = !random_.one_in(4);
    types_ = {{"pk", 'S'}, {"sk", any_type()}};
    for (const char* name : {"k0", "k1", "k2", "k3", "k4"}) types_[name] = any_type();
    for (const char* name : {"x", "y", "z"}) types_[name] = 'S';
    table_.partition = {"pk"};
    if (table_sort_) table_.sort = {"sk"};
    table_.projection = "ALL";
    const size_t globals = 1 + random_.below(3);
    for (size_t i = 0; i < globals; ++i) add_index(false);
    const size_t locals = table_sort_ ? random_.below(3) : 0;
    for (size_t i = 0; i < locals; ++i) add_index(true);
    create();
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
  }

 private:
  char any_type() { return "SNB"[random_.below(3)]; }

  void add_index(bool local) {
    ModelIndex index;
    index.name = "index-" + std::to_string(indexes_.size());
    index.local = local;
    std::vector<std::string> pool{"k0", "k1", "k2", "k3", "k4", "pk"};
    if (table_sort_) pool.push_back("sk");
    std::shuffle(pool.begin(), pool.end(), engine_of_shuffles_);
    auto take = [&](size_t count, std::vector<std::string>& into) {
      for (; count > 0; --count) {
        into.push_back(pool.back());
        pool.pop_back();
      }
    };
    if (local) {
      index.partition = {"pk"};
      index.sort = {"k" + std::to_string(random_.below(5))};
    } else {
      take(1 + random_.below(3), index.partition);
      take(random_.below(4), index.sort);
    }
    const char* const projections[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    index.projection = projections[random_.below(3)];
    if (index.projection == "INCLUDE") index.included = {random_.one_in(2) ? "x" : "y"};
    indexes_.push_back(std::move(index));
  }

  static std::string key_schema(const ModelIndex& index) {
    std::string text;
    auto add = [&](const std::string& name, const char* kind) {
      text += (text.empty() ? "" : ",") + ("{\"AttributeName\":\"" + name) + "\",\"KeyType\":\"" +
              kind + "\"}";
    };
    for (const std::string& name : index.partition) add(name, "HASH");
    for (const std::string& name : index.sort) add(name, "RANGE");
    return "\"KeySchema\":[" + text + "]";
  }

  void create() {
    std::set<std::string> used{"pk"};
    if (table_sort_) used.insert("sk");
    std::string locals, globals;
    for (const ModelIndex& index : indexes_) {
      used.insert(index.partition.begin(), index.partition.end());
      used.insert(index.sort.begin(), index.sort.end());
      std::string& list = index.local ? locals : globals;
      list += (list.empty() ? "" : ",") + ("{\"IndexName\":\"" + index.name) + "\"," +
              key_schema(index) + ",\"Projection\":{\"ProjectionType\":\"" + index.projection + '"';
      if (!index.included.empty())
        list += ",\"NonKeyAttributes\":[\"" + *index.included.begin() + "\"]";
      list += "}}";
    }
    std::string definitions;
    for (const std::string& name : used) {
      definitions += (definitions.empty() ? "" : ",") + ("{\"AttributeName\":\"" + name) +
                     "\",\"AttributeType\":\"" + types_[name] + "\"}";
    }
    std::string request = "{\"TableName\":\"model\",\"BillingMode\":\"PAY_PER_REQUEST\"," +
                          key_schema(table_) + ",\"AttributeDefinitions\":[" + definitions + "]";
    if (!locals.empty()) request += ",\"LocalSecondaryIndexes\":[" + locals + "]";
    request += ",\"GlobalSecondaryIndexes\":[" + globals + "]}";
    ok("CreateTable", request);
  }

  std::string ok(const std::string& operation, const std::string& request) {
    OpsNode::Answer answer = node_.call_raw(operation, request);
    EXPECT_EQ(answer.status, 200) << request << "\n" << answer.body;
    return answer.body;
  }

  void step() {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
        return put();
      case 3:
        return update();
      case 4:
        return random_.one_in(3) ? remove() : put();
      case 5:
        return scan();
      case 6:
        if (random_.one_in(25)) node_.restart();
        if (random_.one_in(4)) {
          EXPECT_TRUE(node_.engine().maintain());
        }
        return;
      default:
        return query();
    }
  }

  // Few values, so that keys meet; bytes that keys of indexes must escape among them.
  Scalar any(const std::string& name) {
    Scalar value;
    value.type = types_[name];
    if (value.type == 'N') {
      value.number = static_cast<int>(random_.below(12)) - 6;
      return value;
    }
    static const std::string text(
        "\0\x01\x02"
        "ab",
        5),
        binary("\0\x01\x02\xFE\xFF", 5);
    for (size_t size = 1 + random_.below(3); size > 0; --size)
      value.bytes += (value.type == 'S' ? text : binary)[random_.below(5)];
    return value;
  }

  Item any_key() {
    Item key;
    key["pk"] = any("pk");
    if (table_sort_) key["sk"] = any("sk");
    return key;
  }
  Tuple tuple(const Item& item, const std::vector<std::string>& names) {
    Tuple values;
    for (const std::string& name : names) values.push_back(item.at(name));
    return values;
  }
  Tuple own_key(const Item& item) {
    return table_sort_ ? tuple(item, {"pk", "sk"}) : tuple(item, {"pk"});
  }

  void put() {
    Item item = any_key();
    for (const char* name : {"k0", "k1", "k2", "k3", "k4", "x", "y", "z"})
      if (!random_.one_in(5)) item[name] = any(name);
    ok("PutItem", "{\"TableName\":\"model\",\"Item\":" + json_of(item) + "}");
    items_[own_key(item)] = item;
  }
  void remove() {
    const Item key = any_key();
    ok("DeleteItem", "{\"TableName\":\"model\",\"Key\":" + json_of(key) + "}");
    items_.erase(own_key(key));
  }
  void update() {
    const Item key = any_key();
    const std::string set = "k" + std::to_string(random_.below(5));
    const std::string other = random_.one_in(2) ? "x" : "k" + std::to_string(random_.below(5));
    const Scalar value = any(set);
    std::string expression = "SET " + set + " = :v";
    if (other != set) expression += " REMOVE " + other;
    ok("UpdateItem", "{\"TableName\":\"model\",\"Key\":" + json_of(key) +
                         ",\"UpdateExpression\":\"" + expression +
                         "\",\"ExpressionAttributeValues\":{\":v\":" + value.json() + "}}");
    Item& item = items_.try_emplace(own_key(key), key).first->second;
    if (other != set) item.erase(other);
    item[set] = value;
  }

  const ModelIndex& any_source() {
    return random_.one_in(6) ? table_ : indexes_[random_.below(indexes_.size())];
  }
  bool has_entry(const ModelIndex& index, const Item& item) {
    for (const auto* names : {&index.partition, &index.sort})
      for (const std::string& name : *names)
        if (!item.contains(name)) return false;
    return true;
  }
  bool projects(const ModelIndex& index, const std::string& name) {
    auto in = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    return index.projection == "ALL" || in(index.partition) || in(index.sort) ||
           index.included.contains(name) || name == "pk" || (table_sort_ && name == "sk");
  }

  // How a read asks, besides for its keys.
  struct Asked {
    std::string members;
    bool count = false;
    bool whole = false;  // items rather than entries
    bool filter = false;
  };
  Asked any_asked(const ModelIndex& source) {
    Asked asked;
    if (&source != &table_) asked.members += ",\"IndexName\":\"" + source.name + '"';
    switch (random_.below(4)) {
      case 0:
        asked.count = true;
        asked.members += ",\"Select\":\"COUNT\"";
        break;
      case 1:
        if (source.local || source.projection == "ALL") {
          asked.whole = true;
          asked.members += ",\"Select\":\"ALL_ATTRIBUTES\"";
        }
        break;
      case 2:
        if (&source != &table_) asked.members += ",\"Select\":\"ALL_PROJECTED_ATTRIBUTES\"";
        break;
      default:
        break;
    }
    if (random_.one_in(3) && projects(source, "x")) {
      asked.filter = true;
      asked.members += ",\"FilterExpression\":\"attribute_exists(x)\"";
    }
    if (random_.one_in(2)) asked.members += ",\"Limit\":" + std::to_string(1 + random_.below(5));
    if ((source.local || &source == &table_) && random_.one_in(2))
      asked.members += ",\"ConsistentRead\":true";
    return asked;
  }
  Item projected(const ModelIndex& source, const Item& item, const Asked& asked) {
    if (asked.whole) return item;
    Item entry;
    for (const auto& [name, value] : item)
      if (projects(source, name)) entry.emplace(name, value);
    return entry;
  }

  // All pages of a request that lacks its start key; their items in order.
  std::vector<std::string> read_all(const std::string& operation, const std::string& request,
                                    const Asked& asked, size_t& count, size_t& scanned) {
    std::vector<std::string> pages;
    std::string start;
    count = scanned = 0;
    for (int page = 0; page < 1000; ++page) {
      const std::string body = ok(operation, request + start + "}");
      count += number_behind(body, asked.count ? "{\"Count\":" : "],\"Count\":");
      scanned += number_behind(body, ",\"ScannedCount\":");
      if (!asked.count) {
        const size_t end = body.rfind("],\"Count\":");
        const size_t begin = std::string("{\"Items\":[").size();
        if (end != std::string::npos && end > begin)
          pages.push_back(body.substr(begin, end - begin));
      }
      const std::string mark = ",\"LastEvaluatedKey\":";
      const size_t at = body.rfind(mark);
      if (at == std::string::npos) return pages;
      start = ",\"ExclusiveStartKey\":" +
              body.substr(at + mark.size(), body.size() - 1 - at - mark.size());
    }
    ADD_FAILURE() << "no end of pages: " << request;
    return pages;
  }
  static size_t number_behind(const std::string& body, const std::string& mark) {
    const size_t at = body.rfind(mark);
    EXPECT_NE(at, std::string::npos) << mark << " in " << body;
    return at == std::string::npos ? 0 : std::strtoul(body.c_str() + at + mark.size(), nullptr, 10);
  }
  static std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
    return text;
  }

  // A condition on a key, as text and as a test.
  struct KeyQuery {
    std::string members;
    std::function<bool(const Item&)> matches;
  };
  KeyQuery any_key_query(const ModelIndex& source) {
    Item wanted;
    // Mostly the values of an item that is there.
    auto some = items_.begin();
    if (!items_.empty()) std::advance(some, random_.below(items_.size()));
    auto value_for = [&](const std::string& name) {
      if (some != items_.end() && some->second.contains(name) && !random_.one_in(6))
        return some->second.at(name);
      return any(name);
    };
    std::vector<std::string> terms;
    std::string values;
    auto bound = [&](const Scalar& value) {
      const std::string alias = ":v" + std::to_string(bound_count_++);
      values += (values.empty() ? "\"" : ",\"") + alias + "\":" + value.json();
      return alias;
    };
    bound_count_ = 0;
    for (const std::string& name : source.partition) {
      wanted[name] = value_for(name);
      terms.push_back(name + " = " + bound(wanted[name]));
    }
    const size_t equal = random_.below(source.sort.size() + 1);
    for (size_t i = 0; i < equal; ++i) {
      wanted[source.sort[i]] = value_for(source.sort[i]);
      terms.push_back(source.sort[i] + " = " + bound(wanted[source.sort[i]]));
    }
    std::function<bool(const Scalar&)> in_range = [](const Scalar&) { return true; };
    std::string ranged;
    if (equal < source.sort.size() && random_.one_in(2)) {
      ranged = source.sort[equal];
      terms.push_back(any_range(ranged, value_for(ranged), value_for(ranged), bound, in_range));
    }
    std::shuffle(terms.begin(), terms.end(), engine_of_shuffles_);
    std::string expression;
    for (const std::string& term : terms) expression += (expression.empty() ? "" : " AND ") + term;
    KeyQuery query;
    query.members = ",\"KeyConditionExpression\":\"" + expression +
                    "\",\"ExpressionAttributeValues\":{" + values + "}";
    query.matches = [wanted, ranged, in_range](const Item& item) {
      for (const auto& [name, value] : wanted)
        if (item.at(name) != value) return false;
      return ranged.empty() || in_range(item.at(ranged));
    };
    return query;
  }
  std::string any_range(const std::string& name, Scalar a, Scalar b,
                        const std::function<std::string(const Scalar&)>& bound,
                        std::function<bool(const Scalar&)>& in_range) {
    switch (random_.below(a.type == 'N' ? 5 : 6)) {
      case 0:
        in_range = [a](const Scalar& value) { return value < a; };
        return name + " < " + bound(a);
      case 1:
        in_range = [a](const Scalar& value) { return value <= a; };
        return name + " <= " + bound(a);
      case 2:
        in_range = [a](const Scalar& value) { return value > a; };
        return name + " > " + bound(a);
      case 3:
        in_range = [a](const Scalar& value) { return value >= a; };
        return name + " >= " + bound(a);
      case 4: {
        if (b < a) std::swap(a, b);
        in_range = [a, b](const Scalar& value) { return value >= a && value <= b; };
        const std::string lower = bound(a);
        return name + " BETWEEN " + lower + " AND " + bound(b);
      }
      default:
        a.bytes.resize(1);
        in_range = [a](const Scalar& value) { return value.bytes.starts_with(a.bytes); };
        return "begins_with(" + name + ", " + bound(a) + ")";
    }
  }

  void query() {
    const ModelIndex& source = any_source();
    const KeyQuery key = any_key_query(source);
    const Asked asked = any_asked(source);
    std::vector<std::pair<Tuple, const Item*>> found;
    for (const auto& [own, item] : items_) {
      if (!has_entry(source, item) || !key.matches(item)) continue;
      Tuple order = tuple(item, source.sort);
      order.insert(order.end(), own.begin(), own.end());
      found.emplace_back(std::move(order), &item);
    }
    std::sort(found.begin(), found.end());
    const bool forward = random_.one_in(2);
    if (!forward) std::reverse(found.begin(), found.end());
    std::vector<std::string> expected;
    for (const auto& [order, item] : found)
      if (!asked.filter || item->contains("x"))
        expected.push_back(json_of(projected(source, *item, asked)));
    const std::string request =
        "{\"TableName\":\"model\",\"ScanIndexForward\":" + std::string(forward ? "true" : "false") +
        key.members + asked.members;
    size_t count, scanned;
    const std::vector<std::string> pages = read_all("Query", request, asked, count, scanned);
    EXPECT_EQ(count, expected.size()) << request;
    EXPECT_EQ(scanned, found.size()) << request;
    if (!asked.count) {
      EXPECT_EQ(joined(pages), joined(expected)) << request;
    }
  }

  void scan() {
    const ModelIndex& source = any_source();
    const Asked asked = any_asked(source);
    const size_t segments = 1 + random_.below(4);
    std::multiset<std::string> expected;
    size_t entries = 0;
    for (const auto& [own, item] : items_) {
      if (!has_entry(source, item)) continue;
      ++entries;
      if (!asked.filter || item.contains("x"))
        expected.insert(json_of(projected(source, item, asked)));
    }
    std::multiset<std::string> found;
    size_t count_all = 0, scanned_all = 0;
    for (size_t segment = 0; segment < segments; ++segment) {
      std::string request = "{\"TableName\":\"model\"" + asked.members;
      if (segments > 1) {
        request += ",\"Segment\":" + std::to_string(segment) +
                   ",\"TotalSegments\":" + std::to_string(segments);
      }
      size_t count, scanned;
      for (const std::string& page : read_all("Scan", request, asked, count, scanned))
        split_items(page, found);
      count_all += count;
      scanned_all += scanned;
    }
    EXPECT_EQ(count_all, expected.size()) << source.name << asked.members;
    EXPECT_EQ(scanned_all, entries) << source.name << asked.members;
    if (!asked.count) {
      EXPECT_EQ(found, expected) << source.name << asked.members;
    }
  }
  // Items end with "}}", and no string here has a brace.
  static void split_items(const std::string& page, std::multiset<std::string>& into) {
    for (size_t begin = 0; begin < page.size();) {
      const size_t end = page.find("}}", begin) + 2;
      into.insert(page.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  Random random_;
  std::mt19937_64 engine_of_shuffles_{random_.next()};
  OpsNode node_;
  bool table_sort_ = false;
  std::map<std::string, char> types_;
  ModelIndex table_;
  std::vector<ModelIndex> indexes_;
  std::map<Tuple, Item> items_;
  int bound_count_ = 0;
};

TEST(IndexPagesOfRandomTables, are_what_sorting_all_items_gives) {
  uint64_t seed = random_seed();
  if (const char* given = std::getenv("MILLRACE_SEED")) seed = std::stoull(given);
  for (int round = 0; round < 25; ++round, ++seed) {
    SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
    IndexPagesModel(seed).run(400);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace millrace
