#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "../core/ops/ops_node.h"
#include "cache/query_cache.h"

namespace millrace::cache {

/// A node whose pages go by `pages`, which the engine tells of commits. The seams are the test's,
/// and outlive this.
class CachedPagesNode {
 public:
  CachedPagesNode(PageCache& pages, CommitObserver& observer) : pages_(pages) {
    node.engine().add_observer(&observer);
    node.node().pages = &pages_;
  }

  /// Scores of users in games: `localKeys` and `byGame` have nothing of an item but its keys.
  void create_scores() {
    auto attribute = [](const std::string& name, const std::string& type) {
      return "{'AttributeName':'" + name + "','AttributeType':'" + type + "'}";
    };
    node.ok("CreateTable",
            "{'TableName':'scores','BillingMode':'PAY_PER_REQUEST','KeySchema':[" +
                key("user", "HASH") + "," + key("game", "RANGE") + "],'AttributeDefinitions':[" +
                attribute("user", "S") + "," + attribute("game", "S") + "," +
                attribute("score", "N") + "],'LocalSecondaryIndexes':[" +
                index("localKeys", key("user", "HASH") + "," + key("score", "RANGE"), "KEYS_ONLY") +
                "],'GlobalSecondaryIndexes':[" + by_game() + "]}");
  }
  static std::string by_game() {
    return index("byGame", key("game", "HASH") + "," + key("score", "RANGE"), "KEYS_ONLY");
  }

  static std::string score_of(const std::string& user, const std::string& game, int score,
                              const std::string& more = "") {
    return "{'user':{'S':'" + user + "'},'game':{'S':'" + game + "'},'score':{'N':'" +
           std::to_string(score) + "'}" + more + "}";
  }
  void put(const std::string& user, const std::string& game, int score,
           const std::string& more = "") {
    node.ok("PutItem", "{'TableName':'scores','Item':" + score_of(user, game, score, more) + "}");
  }

  /// `condition`: of one attribute to a string.
  static std::string query_of(const std::string& attribute, const std::string& value,
                              const std::string& more = "") {
    return "{'TableName':'scores','KeyConditionExpression':'#k = :k','ExpressionAttributeNames':{"
           "'#k':'" +
           attribute + "'},'ExpressionAttributeValues':{':k':{'S':'" + value + "'}}" + more + "}";
  }

  /// The answer as the store gives it with no cache.
  OpsNode::Answer uncached(const std::string& operation, const std::string& request) {
    node.node().pages = nullptr;
    OpsNode::Answer answer = node.call(operation, request);
    node.node().pages = &pages_;
    return answer;
  }

  /// `hit`, `miss` or `bypass` of an answer that must be right at the published LSN.
  std::string outcome(const std::string& operation, const std::string& request) {
    const OpsNode::Answer answer = node.call(operation, request);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body, uncached(operation, request).body);
    const std::string start = "x-millrace-cache: ";
    const size_t end = answer.headers.find(';');
    const std::string lsn = "; lsn=" + std::to_string(node.engine().published_lsn());
    EXPECT_EQ(answer.headers.substr(end, lsn.size()), lsn);
    return answer.headers.substr(start.size(), end - start.size());
  }

  OpsNode node;

 private:
  static std::string key(const std::string& name, const std::string& kind) {
    return "{'AttributeName':'" + name + "','KeyType':'" + kind + "'}";
  }
  static std::string index(const std::string& name, const std::string& keys,
                           const std::string& projection) {
    return "{'IndexName':'" + name + "','KeySchema':[" + keys +
           "],'Projection':{'ProjectionType':'" + projection + "'}}";
  }

  PageCache& pages_;
};

}  // namespace millrace::cache
