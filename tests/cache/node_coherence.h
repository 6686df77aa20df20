#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "../core/ops/ops_node.h"
#include "node_history.h"
#include "node_reads.h"
#include "slow_caches.h"

namespace millrace::cache {

/// A node with both caches, and clients that write and read in every way. Each answer is held
/// against the history at the LSN that it tells, and that LSN against the highest that any client
/// had been told when the read began. Sizes are tiny, fills come late, entries expire.
class NodeCoherence {
 public:
  NodeCoherence(uint64_t seed, Fault fault)
      : items_(item_options(seed), node_.clock),
        pages_(page_options(seed), node_.clock),
        caches_(items_, pages_, seed, fault) {
    Engine& engine = node_.engine();
    engine.add_observer(&history_);
    engine.add_observer(&caches_);
    engine.set_known_items(&items_);
    caches_.set_newest([&engine] { return engine.published_lsn(); });
    node_.node().cache = &caches_;
    node_.node().pages = &caches_;
    create_table();
  }

  SlowCaches& caches() { return caches_; }
  std::string error() const {
    std::lock_guard lock(mutex_);
    return error_;
  }
  bool failed() const { return failed_.load(); }
  uint64_t answers() const { return answers_.load(); }
  ItemCacheStatistics item_statistics() const { return items_.statistics(); }
  QueryCacheStatistics page_statistics() const { return pages_.statistics(); }

  /// Any thread.
  void read(Random& random) {
    asked_ = GameReads(random).next();
    read_again();
  }
  /// Asks again what this thread has just asked, or is asking.
  void read_again() { ask(GameRead(asked_)); }

  /// Any thread.
  void write(Random& random) {
    const std::string user = GameRow::users()[random.below(GameRow::users().size())];
    const int slot = static_cast<int>(random.below(GameRow::kSlots));
    const std::string key = key_json(user, slot);
    Answer answer;
    switch (random.below(8)) {
      case 0:
        answer = call("DeleteItem", "{'TableName':'games','Key':" + key + "}");
        break;
      case 1:
        answer = call("UpdateItem", "{'TableName':'games','Key':" + key +
                                        ",'UpdateExpression':'ADD n :one',"
                                        "'ExpressionAttributeValues':{':one':{'N':'1'}}}");
        break;
      case 2:
        answer = call(
            "TransactWriteItems",
            "{'TransactItems':[{'Put':{'TableName':'games','Item':" + item_json(user, 0, random) +
                "}},{'Put':{'TableName':'games','Item':" + item_json(user, 1, random) + "}}]}");
        break;
      case 3:
        answer = call(
            "BatchWriteItem",
            "{'RequestItems':{'games':[{'PutRequest':{'Item':" + item_json("ann", slot, random) +
                "}},{'DeleteRequest':{'Key':" + key_json("bob", slot) + "}}]}}");
        break;
      default:
        answer =
            call("PutItem", "{'TableName':'games','Item':" + item_json(user, slot, random) + "}");
    }
    if (answer.status != 200) return fail("a write is answered with " + answer.body);
    raise(node_.engine().published_lsn());
  }

  /// What happens beside clients; one thread at a time.
  void background(Random& random) {
    switch (random.below(6)) {
      case 0:
        node_.clock.advance(static_cast<int64_t>(random.below(4000)));
        break;
      case 1:
        if (random.one_in(10)) {
          items_.clear();
          pages_.clear();
        }
        break;
      case 2:
        if (Status status = node_.long_work().step(); !status) fail(status.error().message);
        node_.commit();
        break;
      case 3:
        if (auto more = node_.engine().maintain(); !more) fail(more.error().message);
        break;
      default:
        caches_.release_one();
    }
  }
  /// Drops the global index or makes it again; now and then the whole table. No read may be under
  /// way.
  void change_definitions(Random& random) {
    if (random.one_in(5)) {
      // Refused while an index is being filled.
      if (call("DeleteTable", "{'TableName':'games'}").status != 200) return;
      node_.work();
      create_table();
    } else if (node_.catalog().find("games")->find_index("byLevel") != nullptr) {
      call("UpdateTable",
           "{'TableName':'games','GlobalSecondaryIndexUpdates':[{'Delete':{'IndexName':'byLevel'}"
           "}]}");
    } else {
      call("UpdateTable", "{'TableName':'games','AttributeDefinitions':[" +
                              attribute("level", "N") + "," + attribute("tag", "S") +
                              "],'GlobalSecondaryIndexUpdates':[{'Create':" + by_level() + "}]}");
    }
  }

 private:
  struct Answer {
    int status = 0;
    std::string headers;
    std::string body;
  };

  /// From "nothing fits" to "everything fits".
  static size_t size_of(uint64_t seed, size_t unit) {
    const size_t factors[] = {2, 5, 12, 100};
    return unit * factors[seed % std::size(factors)];
  }
  static ItemCacheOptions item_options(uint64_t seed) {
    return {.bytes_max = size_of(seed, 600),
            .policy = {.item_ttl_s = 20, .negative_ttl_s = 10},
            .shards = seed % 3 == 0 ? 2u : 1u};
  }
  static QueryCacheOptions page_options(uint64_t seed) {
    return {.bytes_max = size_of(seed, 4000),
            .policy = {.query_ttl_s = 3},
            .shards = seed % 3 == 0 ? 2u : 1u};
  }

  static std::string key_json(const std::string& user, int slot) {
    return "{'user':{'S':'" + user + "'},'slot':{'N':'" + std::to_string(slot) + "'}}";
  }
  std::string item_json(const std::string& user, int slot, Random& random) {
    std::string item = "{'user':{'S':'" + user + "'},'slot':{'N':'" + std::to_string(slot) + "'}";
    if (!random.one_in(4)) {
      const int level = static_cast<int>(random.below(GameRow::kLevels));
      item += ",'level':{'N':'" + std::to_string(level) + "'},'rank':{'N':'" +
              std::to_string(level * 100 + slot) + "'},'tag':{'S':'" + user + std::to_string(slot) +
              "'}";
    }
    if (random.one_in(6)) {
      const int64_t until_s = node_.clock.wall_ms() / 1000 + static_cast<int64_t>(random.below(60));
      item += ",'until':{'N':'" + std::to_string(until_s) + "'}";
    }
    const size_t padding = random.one_in(8) ? 1000 : random.below(60);
    return item + ",'n':{'N':'" + std::to_string(random.below(1'000'000)) + "'},'pad':{'S':'" +
           std::string(padding, 'x') + "'}}";
  }

  static std::string attribute(const std::string& name, const std::string& type) {
    return "{'AttributeName':'" + name + "','AttributeType':'" + type + "'}";
  }
  static std::string schema(const std::string& hash, const std::string& range) {
    return "'KeySchema':[{'AttributeName':'" + hash + "','KeyType':'HASH'},{'AttributeName':'" +
           range + "','KeyType':'RANGE'}]";
  }
  static std::string index(const std::string& name, const std::string& keys) {
    return "{'IndexName':'" + name + "'," + keys + ",'Projection':{'ProjectionType':'KEYS_ONLY'}}";
  }
  static std::string by_level() { return index("byLevel", schema("level", "tag")); }
  void create_table() {
    node_.ok("CreateTable", "{'TableName':'games','BillingMode':'PAY_PER_REQUEST'," +
                                schema("user", "slot") + ",'AttributeDefinitions':[" +
                                attribute("user", "S") + "," + attribute("slot", "N") + "," +
                                attribute("rank", "N") + "," + attribute("level", "N") + "," +
                                attribute("tag", "S") + "],'LocalSecondaryIndexes':[" +
                                index("byRank", schema("user", "rank")) +
                                "],'GlobalSecondaryIndexes':[" + by_level() + "]}");
    node_.ok("UpdateTimeToLive",
             "{'TableName':'games','TimeToLiveSpecification':{'Enabled':true,'AttributeName':"
             "'until'}}");
  }

  void ask(const GameRead& read) {
    const TablePtr table = node_.catalog().find("games");
    if (table == nullptr) return;  // it is being made again
    const Lsn answered_before = newest_answered_.load(std::memory_order_acquire);
    const Answer answer = call(read.operation, read.body);
    // The global index is not always there.
    if (answer.status == 400 && read.body.find("byLevel") != std::string::npos) return;
    check(read, answer, answered_before, table->generation);
  }

  /// Runs one operation, with ' for "; commits and lets held fills go until it is answered, on this
  /// thread or another.
  Answer call(const std::string& operation, std::string body) {
    std::replace(body.begin(), body.end(), '\'', '"');
    const std::string padded = body + std::string(HttpRequest::kBodyPadding, ' ');
    struct Slot {
      Answer answer;
      std::atomic<bool> there{false};
    };
    auto slot = std::make_shared<Slot>();
    Reply reply([slot](int status, std::string_view headers, std::string_view text) {
      slot->answer = {status, std::string(headers), std::string(text)};
      slot->there.store(true, std::memory_order_release);
    });
    node_.operations()
        .find("DynamoDB_20120810." + operation)
        ->run(node_.node(), Request{std::string_view(padded).substr(0, body.size())},
              std::move(reply));
    while (!slot->there.load(std::memory_order_acquire)) {
      if (!node_.engine().step()) {
        caches_.release_one();
        std::this_thread::yield();
      }
    }
    return slot->answer;
  }

  void check(const GameRead& read, const Answer& answer, Lsn answered_before,
             Generation generation) {
    ++answers_;
    const std::string what = read.operation + " " + read.body + " (" + answer.headers + ") ";
    const size_t at = answer.headers.find("; lsn=");
    if (answer.status != 200 || at == std::string::npos) return fail(what + answer.body);
    const Lsn lsn = std::strtoull(answer.headers.c_str() + at + 6, nullptr, 10);
    if (lsn < answered_before)
      return fail(what + "is of before LSN " + std::to_string(answered_before));
    std::string prefix;
    append_generation_prefix(generation, prefix);
    std::string expected = read.expected(history_.at(prefix, lsn));
    std::string body = answer.body;
    if (read.any_order) {
      expected = sorted_items(expected);
      body = sorted_items(body);
    }
    if (body != expected) return fail(what + body + " instead of " + expected);
    raise(lsn);
  }
  void raise(Lsn lsn) {
    Lsn newest = newest_answered_.load();
    while (newest < lsn && !newest_answered_.compare_exchange_weak(newest, lsn)) {
    }
  }
  void fail(const std::string& error) {
    std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = error;
    failed_ = true;
  }

  static inline thread_local GameRead asked_;
  OpsNode node_;
  NodeHistory history_;
  ItemCache items_;
  QueryCache pages_;
  SlowCaches caches_;
  std::atomic<Lsn> newest_answered_{0};
  std::atomic<uint64_t> answers_{0};
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::string error_;
};

}  // namespace millrace::cache
