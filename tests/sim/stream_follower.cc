#include "tests/sim/stream_follower.h"

#include <simdjson.h>

#include "streams/stream_ids.h"
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
  std::string start;
  do {
    simdjson::dom::parser second;
    element stream =
        parse(second, *node.call("DescribeStream", "{\"StreamArn\":\"" + arn_ + "\"" + start + "}"),
              "DescribeStream")["StreamDescription"];
    for (element shard : simdjson::dom::array(stream["Shards"])) {
      element range = shard["SequenceNumberRange"];
      Shard found;
      found.id = string_of(shard, "ShardId");
      found.parent = string_of(shard, "ParentShardId");
      found.first = string_of(range, "StartingSequenceNumber");
      found.last = string_of(range, "EndingSequenceNumber");
      note(std::move(found));
    }
    start = string_of(stream, "LastEvaluatedShardId");
    if (!start.empty()) start = ",\"ExclusiveStartShardId\":\"" + start + "\"";
  } while (!start.empty());
  require(!shards_.empty(), "a stream has no shards");
}

void StreamFollower::note(Shard found) {
  require(found.parent < found.id, "a shard's id is before its parent's: " + found.id);
  auto [known, first_seen] = shards_.try_emplace(found.id, found);
  if (first_seen) {
    require(found.parent.empty() || shards_.contains(found.parent),
            "a shard was shown before its parent " + found.parent);
    return;
  }
  Shard& shard = known->second;
  require(shard.parent == found.parent && shard.first == found.first,
          "shard " + found.id + " has another parent or beginning than it had");
  require(shard.last.empty() || shard.last == found.last,
          "shard " + found.id + " ended at " + shard.last + " and now at " + found.last);
  shard.last = found.last;
}

void StreamFollower::check_children(SimNode& node, const Shard& parent) {
  simdjson::dom::parser parser;
  element stream =
      parse(parser,
            *node.call("DescribeStream", "{\"StreamArn\":\"" + arn_ +
                                             "\",\"ShardFilter\":{\"Type\":\"CHILD_SHARDS\","
                                             "\"ShardId\":\"" +
                                             parent.id + "\"}}"),
            "DescribeStream")["StreamDescription"];
  require(simdjson::dom::array(stream["Shards"]).size() > 0,
          "shard " + parent.id + " has ended and has no children");
}

std::vector<StreamFollower::Shard*> StreamFollower::readable() {
  std::vector<Shard*> found;
  for (auto& [id, shard] : shards_) {
    auto parent = shards_.find(shard.parent);
    if (!shard.drained && (parent == shards_.end() || parent->second.drained))
      found.push_back(&shard);
  }
  return found;
}

Lsn StreamFollower::read_through() const {
  for (Lsn lsn : lsns_) {
    if (!index_by_sequence_number_.contains(streams::sequence_number(lsn))) return lsn - 1;
  }
  return lsns_.empty() ? 0 : lsns_.back();
}

std::string StreamFollower::iterator_of(SimNode& node, const Shard& shard) {
  const std::string begin = "{\"StreamArn\":\"" + arn_ + "\",\"ShardId\":\"" + shard.id + "\",";
  simdjson::dom::parser parser;
  if (!shard.last_sequence_number.empty()) {
    auto answer =
        node.call("GetShardIterator", begin +
                                          "\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\","
                                          "\"SequenceNumber\":\"" +
                                          shard.last_sequence_number + "\"}");
    // Only what had been read is trimmed.
    const bool trimmed = answer->body.find("TrimmedDataAccess") != std::string::npos;
    if (!trimmed) return string_of(parse(parser, *answer, "GetShardIterator"), "ShardIterator");
  }
  return string_of(
      parse(parser,
            *node.call("GetShardIterator", begin + "\"ShardIteratorType\":\"TRIM_HORIZON\"}"),
            "GetShardIterator"),
      "ShardIterator");
}

void StreamFollower::check_record(std::string_view record, Shard& shard) {
  simdjson::dom::parser parser;
  element root = parser.parse(record.data(), record.size());
  element dynamodb = root["dynamodb"];
  std::string sequence_number = string_of(dynamodb, "SequenceNumber");
  require(shard.last_sequence_number.empty() || sequence_number > shard.last_sequence_number,
          "sequence numbers of a shard do not rise");
  require(sequence_number > shard.first && (shard.last.empty() || sequence_number <= shard.last),
          "record " + sequence_number + " is outside of its shard " + shard.id);
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
  // An iterator that is behind what was trimmed is refused though its shard had nothing there. Were
  // a record lost with it, it would be missed below.
  if (answer->status == 400 && (answer->body.find("ExpiredIterator") != std::string::npos ||
                                answer->body.find("TrimmedDataAccess") != std::string::npos)) {
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
  if (shard.iterator.empty()) {
    shard.drained = true;
    check_children(node, shard);
  }
  return count;
}

void StreamFollower::read_some(SimNode& node, Random& random) {
  if (shards_.empty() || random.one_in(10)) describe(node);
  const std::vector<Shard*> choice = readable();
  if (choice.empty()) return describe(node);
  read_page(node, *choice[random.below(choice.size())], 1 + random.below(20));
}

void StreamFollower::read_all(SimNode& node) {
  for (bool ended = true; ended;) {
    ended = false;
    describe(node);
    for (Shard* shard : readable()) {
      // An empty page is not the end of a shard: a reader goes on until it has passed the log's
      // tip.
      for (int empty = 0; empty < 50 && !shard->drained;)
        empty = read_page(node, *shard, 1000) == 0 ? empty + 1 : 0;
      ended |= shard->drained;
    }
  }
  require(records_ == model_.durable_count(),
          "the stream has " + std::to_string(records_) + " records of " +
              std::to_string(model_.durable_count()) + " changes");
}

void StreamFollower::after_crash(Random& random) {
  for (auto& [id, shard] : shards_) {
    if (random.one_in(2)) shard.iterator.clear();
  }
}

}  // namespace millrace::sim
