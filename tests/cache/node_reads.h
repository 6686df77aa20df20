#pragma once

#include <simdjson.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "node_history.h"

namespace millrace::cache {

/// A request, and what its answer must be while the table holds `rows`.
struct GameRead {
  std::string operation;
  std::string body;
  std::function<std::string(const GameRows& rows)> expected;
  bool any_order = false;  // of the items within the answer
};

/// The answer of a page of `found`: all that there is from the page's start on.
inline std::string page_of(GameRows found, bool forward, size_t limit,
                           const std::function<std::string(const GameRow&)>& shown,
                           const std::function<std::string(const GameRow&)>& key) {
  if (!forward) std::reverse(found.begin(), found.end());
  const bool more = limit > 0 && found.size() >= limit;
  if (more) found.erase(found.begin() + static_cast<ptrdiff_t>(limit), found.end());
  std::string items;
  for (const GameRow* row : found) items += (items.empty() ? "" : ",") + shown(*row);
  const std::string count = std::to_string(found.size());
  return R"({"Items":[)" + items + R"(],"Count":)" + count + R"(,"ScannedCount":)" + count +
         (more ? R"(,"LastEvaluatedKey":)" + key(*found.back()) : "") + "}";
}

/// The body with its items sorted.
inline std::string sorted_items(const std::string& body) {
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(body);
  std::vector<std::string> items;
  for (const simdjson::dom::element item : simdjson::dom::array(root["Items"]))
    items.push_back(simdjson::to_string(item));
  std::sort(items.begin(), items.end());
  std::string sorted;
  for (const std::string& item : items) sorted += item + "\n";
  return sorted + body.substr(body.rfind(']'));
}

/// Makes reads of every kind.
class GameReads {
 public:
  explicit GameReads(Random& random) : random_(random) {}

  GameRead next() {
    switch (random_.below(12)) {
      case 0:
      case 1:
        return get();
      case 2:
        return batch();
      case 3:
        return transaction();
      case 4:
      case 5:
        return query();
      case 6:
      case 7:
        return query_rank();
      case 8:
      case 9:
        return query_level();
      case 10:
        return scan();
      default:
        return scan_index();
    }
  }

 private:
  static std::string quoted(std::string text) {
    std::replace(text.begin(), text.end(), '\'', '"');
    return text;
  }
  std::string random_user() { return GameRow::users()[random_.below(GameRow::users().size())]; }
  int random_slot() { return static_cast<int>(random_.below(GameRow::kSlots)); }
  std::string strong() { return random_.one_in(4) ? ",'ConsistentRead':true" : ""; }
  size_t random_limit() { return random_.one_in(2) ? 0 : 2; }
  static std::string limit_member(size_t limit) {
    return limit == 0 ? "" : ",'Limit':" + std::to_string(limit);
  }
  static std::string key_json(const std::string& user, int slot) {
    return "{'user':{'S':'" + user + "'},'slot':{'N':'" + std::to_string(slot) + "'}}";
  }
  static const GameRow* find(const GameRows& rows, const std::string& user, int slot) {
    for (const GameRow* row : rows) {
      if (row->user == user && row->slot == slot) return row;
    }
    return nullptr;
  }
  static std::string item_or_nothing(const GameRow* row) {
    return row == nullptr ? "{}" : R"({"Item":)" + row->image + "}";
  }

  GameRead get() {
    const std::string user = random_user();
    const int slot = random_slot();
    return {"GetItem",
            quoted("{'TableName':'games','Key':" + key_json(user, slot) + strong() + "}"),
            [=](const GameRows& rows) { return item_or_nothing(find(rows, user, slot)); }};
  }
  GameRead batch() {
    const std::string user = random_user();
    return {"BatchGetItem",
            quoted("{'RequestItems':{'games':{'Keys':[" + key_json(user, 0) + "," +
                   key_json(user, 1) + "]" + strong() + "}}}"),
            [=](const GameRows& rows) {
              std::string items;
              for (const int slot : {0, 1}) {
                const GameRow* row = find(rows, user, slot);
                if (row != nullptr) items += (items.empty() ? "" : ",") + row->image;
              }
              return R"({"Responses":{"games":[)" + items + R"(]},"UnprocessedKeys":{}})";
            }};
  }
  GameRead transaction() {
    const std::string user = random_user();
    auto get_of = [&](int slot) {
      return "{'Get':{'TableName':'games','Key':" + key_json(user, slot) + "}}";
    };
    return {"TransactGetItems", quoted("{'TransactItems':[" + get_of(0) + "," + get_of(1) + "]}"),
            [=](const GameRows& rows) {
              return R"({"Responses":[)" + item_or_nothing(find(rows, user, 0)) + "," +
                     item_or_nothing(find(rows, user, 1)) + "]}";
            }};
  }

  GameRead query() {
    const std::string user = random_user();
    const size_t limit = random_limit();
    const bool forward = random_.one_in(2);
    const bool begun = random_.one_in(3);
    const int start = random_.one_in(2) ? 1 : 4;
    return {"Query",
            quoted("{'TableName':'games','KeyConditionExpression':'#u = :u',"
                   "'ExpressionAttributeNames':{'#u':'user'},"
                   "'ExpressionAttributeValues':{':u':{'S':'" +
                   user + "'}},'ScanIndexForward':" + (forward ? "true" : "false") +
                   (begun ? ",'ExclusiveStartKey':" + key_json(user, start) : "") +
                   limit_member(limit) + strong() + "}"),
            [=](const GameRows& rows) {
              GameRows found;
              for (const GameRow* row : rows) {
                const bool passed = begun && (forward ? row->slot <= start : row->slot >= start);
                if (row->user == user && !passed) found.push_back(row);
              }
              return page_of(std::move(found), forward, limit, std::mem_fn(&GameRow::image),
                             std::mem_fn(&GameRow::table_key));
            }};
  }
  GameRead query_rank() {
    const std::string user = random_user();
    const size_t limit = random_limit();
    const bool forward = random_.one_in(2);
    const bool all = random_.one_in(2);
    return {
        "Query",
        quoted("{'TableName':'games','IndexName':'byRank','KeyConditionExpression':'#u = :u',"
               "'ExpressionAttributeNames':{'#u':'user'},"
               "'ExpressionAttributeValues':{':u':{'S':'" +
               user + "'}},'ScanIndexForward':" + (forward ? "true" : "false") +
               (all ? ",'Select':'ALL_ATTRIBUTES'" : "") + limit_member(limit) + strong() + "}"),
        [=](const GameRows& rows) {
          GameRows found;
          for (const GameRow* row : rows) {
            if (row->user == user && row->levelled) found.push_back(row);
          }
          std::sort(found.begin(), found.end(),
                    [](const GameRow* a, const GameRow* b) { return a->rank() < b->rank(); });
          const auto image = std::mem_fn(&GameRow::image);
          const auto key = std::mem_fn(&GameRow::rank_key);
          return all ? page_of(std::move(found), forward, limit, image, key)
                     : page_of(std::move(found), forward, limit, key, key);
        }};
  }
  GameRead query_level() {
    const int level = static_cast<int>(random_.below(GameRow::kLevels));
    const size_t limit = random_limit();
    return {"Query",
            quoted("{'TableName':'games','IndexName':'byLevel','KeyConditionExpression':'#l = :l',"
                   "'ExpressionAttributeNames':{'#l':'level'},"
                   "'ExpressionAttributeValues':{':l':{'N':'" +
                   std::to_string(level) + "'}}" + limit_member(limit) + "}"),
            [=](const GameRows& rows) {
              GameRows found;
              for (const GameRow* row : rows) {
                if (row->levelled && row->level == level) found.push_back(row);
              }
              std::sort(found.begin(), found.end(),
                        [](const GameRow* a, const GameRow* b) { return a->tag() < b->tag(); });
              const auto key = std::mem_fn(&GameRow::level_key);
              return page_of(std::move(found), true, limit, key, key);
            }};
  }

  GameRead scan() {
    const size_t limit = random_limit();
    const int segment = static_cast<int>(random_.below(3));  // 2: all
    return {"Scan",
            quoted("{'TableName':'games'" + limit_member(limit) + strong() +
                   (segment < 2 ? ",'TotalSegments':2,'Segment':" + std::to_string(segment) : "") +
                   "}"),
            [=](const GameRows& rows) {
              GameRows found;
              for (const GameRow* row : rows) {
                // After the generation comes the hash of the partition.
                if (segment == 2 || (static_cast<uint8_t>(row->key[8]) >> 7) == segment)
                  found.push_back(row);
              }
              return page_of(std::move(found), true, limit, std::mem_fn(&GameRow::image),
                             std::mem_fn(&GameRow::table_key));
            }};
  }
  GameRead scan_index() {
    const bool rank = random_.one_in(2);
    const bool all = rank && random_.one_in(2);
    return {
        "Scan",
        quoted(std::string("{'TableName':'games','IndexName':'") + (rank ? "byRank" : "byLevel") +
               "'" + (all ? ",'Select':'ALL_ATTRIBUTES'" : "") + "}"),
        [=](const GameRows& rows) {
          GameRows found;
          for (const GameRow* row : rows) {
            if (row->levelled) found.push_back(row);
          }
          const auto image = std::mem_fn(&GameRow::image);
          const auto key = std::mem_fn(rank ? &GameRow::rank_key : &GameRow::level_key);
          return all ? page_of(std::move(found), true, 0, image, key)
                     : page_of(std::move(found), true, 0, key, key);
        },
        /*any_order=*/true};
  }

  Random& random_;
};

}  // namespace millrace::cache
