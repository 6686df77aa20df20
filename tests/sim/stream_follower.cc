#include "tests/sim/stream_follower.h"

#include <simdjson.h>

#include "tests/sim/failure.h"

namespace millrace::sim {
namespace {

using simdjson::dom::element;

std::string text_of(element value) { return simdjson::to_string(value); }

element parse(simdjson::dom::parser& parser, const SimNode::Answer& answer,
              const std::string& what) {
  require(answer.status == 200, what + " answers " + answer.body);
  element root;
  require(parser.parse(answer.body).get(root) == simdjson::SUCCESS, what + " answers no JSON");
  return root;
}

std::string string_of(element object, const char* name) {
  std::string_view value;
  if (object[name].get(value) != simdjson::SUCCESS) return "";
  return std::string(value);
}

}  // namespace

void StreamFollower::describe(SimNode& node) {
  simdjson::dom::parser parser;
  element table = parse(parser, *node.call("DescribeTable", "{\"TableName\":\"" + table_ + "\"}"),
                        "DescribeTable")["Table"];
  arn_ = string_of(table, "LatestStreamArn");
  simdjson::dom::parser second;
  element stream = parse(second, *node.call("DescribeStream", "{\"StreamArn\":\"" + arn_ + "\"}"),
                         "DescribeStream")["StreamDescription"];
  std::vector<std::string> ids;
  for (element shard : simdjson::dom::array(stream["Shards"])) {
    ids.push_back(string_of(shard, "ShardId"));
  }
  require(!ids.empty(), "a stream has no shards");
  if (shards_.empty()) {
    for (const std::string& id : ids) shards_.push_back({id, "", ""});
  }
  require(ids.size() == shards_.size(), "the number of shards changed");
  for (size_t i = 0; i < ids.size(); ++i) {
    require(ids[i] == shards_[i].id,
            "a shard's id changed from " + shards_[i].id + " to " + ids[i]);
  }
}

std::string StreamFollower::iterator_of(SimNode& node, const Shard& shard) {
  std::string body = "{\"StreamArn\":\"" + arn_ + "\",\"ShardId\":\"" + shard.id + "\",";
  if (shard.last_sequence_number.empty()) {
    body += "\"ShardIteratorType\":\"TRIM_HORIZON\"}";
  } else {
    body += "\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"" +
            shard.last_sequence_number + "\"}";
  }
  simdjson::dom::parser parser;
  return string_of(parse(parser, *node.call("GetShardIterator", body), "GetShardIterator"),
                   "ShardIterator");
}

void StreamFollower::check_record(std::string_view record, Shard& shard) {
  simdjson::dom::parser parser;
  element root = parser.parse(record.data(), record.size());
  element dynamodb = root["dynamodb"];
  std::string sequence_number = string_of(dynamodb, "SequenceNumber");
  require(shard.last_sequence_number.empty() || sequence_number > shard.last_sequence_number,
          "sequence numbers of a shard do not rise");
  shard.last_sequence_number = sequence_number;
  require(index_by_sequence_number_.emplace(sequence_number, records_).second,
          "a record came twice: " + sequence_number);
  element keys = dynamodb["Keys"];
  Key key{std::stoull(string_of(keys["p"], "S")), std::stoull(string_of(keys["s"], "N"))};
  // Which of the key's changes comes next?
  size_t& position = next_of_key_[key];
  const auto& changes = model_.changes();
  while (position < model_.durable_count() && changes[position].key != key) ++position;
  require(position < model_.durable_count(), "a record of a change that was not made");
  const Change& change = changes[position];
  std::string lsn = std::to_string(lsns_[position]);
  require(sequence_number.ends_with(lsn),
          "record " + sequence_number + " is not the item's next change, LSN " + lsn);
  auto image = [&](const char* name) {
    element value;
    return dynamodb[name].get(value) == simdjson::SUCCESS ? text_of(value) : std::string();
  };
  require(image("NewImage") == (change.after ? json(key, *change.after) : ""),
          "record " + sequence_number + " has new image " + image("NewImage"));
  require(image("OldImage") == (change.before ? json(key, *change.before) : ""),
          "record " + sequence_number + " has old image " + image("OldImage"));
  ++position;
  ++records_;
}

size_t StreamFollower::read_page(SimNode& node, Shard& shard, size_t limit) {
  if (shard.iterator.empty()) shard.iterator = iterator_of(node, shard);
  std::optional<SimNode::Answer> answer =
      node.call("GetRecords", "{\"ShardIterator\":\"" + shard.iterator +
                                  "\",\"Limit\":" + std::to_string(limit) + "}");
  if (answer->status == 400 && answer->body.find("ExpiredIterator") != std::string::npos) {
    shard.iterator.clear();
    return read_page(node, shard, limit);
  }
  simdjson::dom::parser parser;
  element root = parse(parser, *answer, "GetRecords");
  size_t count = 0;
  for (element record : simdjson::dom::array(root["Records"])) {
    check_record(text_of(record), shard);
    ++count;
  }
  require(count <= limit, "GetRecords gives more than its limit");
  shard.iterator = string_of(root, "NextShardIterator");
  require(!shard.iterator.empty(), "an open shard has no next iterator");
  return count;
}

void StreamFollower::read_some(SimNode& node, Random& random) {
  if (shards_.empty() || random.one_in(10)) describe(node);
  read_page(node, shards_[random.below(shards_.size())], 1 + random.below(20));
}

void StreamFollower::read_all(SimNode& node) {
  describe(node);
  for (Shard& shard : shards_) {
    // An empty page is not the end of a shard: a reader goes on until it has passed the log's tip.
    for (int empty = 0; empty < 50;) empty = read_page(node, shard, 1000) == 0 ? empty + 1 : 0;
  }
  require(records_ == model_.durable_count(),
          "the stream has " + std::to_string(records_) + " records of " +
              std::to_string(model_.durable_count()) + " changes");
}

void StreamFollower::after_crash(Random& random) {
  for (Shard& shard : shards_) {
    if (random.one_in(2)) shard.iterator.clear();
  }
}

}  // namespace millrace::sim
