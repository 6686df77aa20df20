#include <simdjson.h>

#include <algorithm>
#include <cstdlib>

#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {

// Reads are answered at once, at the published LSN: exactly the durable changes (invariants 2, 4
// and 7; the log checker has just confirmed all of them).

SimNode::Answer Simulation::read(const std::string& operation, const std::string& body) {
  ++counts_.reads;
  std::optional<SimNode::Answer> answer;
  node_->request(operation, body, [&answer](const SimNode::Answer& got) { answer = got; });
  for (int i = 0; !answer && i < 1000 && node_->slow_fills() != nullptr; ++i) {
    node_->slow_fills()->release_one();
  }
  require(answer.has_value(), operation + " is not answered");
  const size_t at = answer->headers.find("; lsn=");
  if (answer->status == 200) {
    require(at != std::string::npos, operation + " tells no LSN");
    const Lsn lsn = std::strtoull(answer->headers.c_str() + at + 6, nullptr, 10);
    require(lsn >= newest_read_, operation + " answers as of before what was answered already");
    newest_read_ = lsn;
  }
  return *answer;
}

void Simulation::get() {
  Key key = random_key();
  bool strong = random_.one_in(4);
  auto item = model_.durable().find(key);
  std::string expected =
      item == model_.durable().end() ? "{}" : "{\"Item\":" + json(key, item->second) + "}";
  const SimNode::Answer answer =
      read("GetItem", "{\"Key\":" + key.json() + ",\"TableName\":\"items\"" +
                          (strong ? ",\"ConsistentRead\":true}" : "}"));
  require(answer.status == 200 && answer.body == expected,
          "GetItem (" + answer.headers + ") answers " + answer.body + ", not " + expected);
  if (answer.headers.starts_with("x-millrace-cache: hit")) ++counts_.item_hits;
}

void Simulation::query() {
  uint64_t partition = random_.below(kPartitions);
  bool forward = random_.one_in(2);
  std::optional<uint64_t> above;
  if (random_.one_in(2)) above = random_.below(6);
  std::vector<std::string> expected;
  for (const auto& [key, item] : model_.durable()) {
    if (key.partition != partition || (above && key.sort <= *above)) continue;
    expected.insert(forward ? expected.end() : expected.begin(), json(key, item));
  }
  size_t limit = 1 + random_.below(4);
  std::string start;
  std::vector<std::string> got;
  for (size_t page = 0;; ++page) {
    require(page <= expected.size() + 1, "a query never ends");
    std::string body = "{\"TableName\":\"items\",\"KeyConditionExpression\":\"p = :p" +
                       std::string(above ? " AND s > :s" : "") +
                       "\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"" +
                       std::to_string(partition) + "\"}" +
                       (above ? ",\":s\":{\"N\":\"" + std::to_string(*above) + "\"}" : "") +
                       "},\"ScanIndexForward\":" + (forward ? "true" : "false") +
                       ",\"Limit\":" + std::to_string(limit) + start + "}";
    start = append_page("Query", body, got);
    if (start.empty()) break;
  }
  require(got == expected, "a query answers other items than there are");
}

void Simulation::scan_all() {
  std::vector<std::string> got;
  std::string start;
  for (size_t page = 0;; ++page) {
    require(page <= model_.durable().size() + 1, "a scan never ends");
    start = append_page("Scan", "{\"TableName\":\"items\",\"Limit\":7" + start + "}", got);
    if (start.empty()) break;
  }
  std::vector<std::string> expected;
  for (const auto& [key, item] : model_.durable()) expected.push_back(json(key, item));
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  require(got == expected, "a scan answers other items than there are");
}

std::string Simulation::append_page(const std::string& operation, const std::string& body,
                                    std::vector<std::string>& items) {
  const SimNode::Answer answer = read(operation, body);
  require(answer.status == 200, operation + " answers " + answer.body);
  if (answer.headers.starts_with("x-millrace-cache: hit")) ++counts_.page_hits;
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(answer.body);
  for (simdjson::dom::element item : simdjson::dom::array(root["Items"])) {
    items.push_back(simdjson::to_string(item));
  }
  simdjson::dom::element key;
  if (root["LastEvaluatedKey"].get(key) != simdjson::SUCCESS) return "";
  return ",\"ExclusiveStartKey\":" + std::string(simdjson::to_string(key));
}

// Items of one LSN, some from the cache and some from the store; whole or in part.
void Simulation::batch_get() {
  Key keys[] = {random_key(), random_key()};
  if (keys[0] == keys[1]) return;
  const bool part = random_.one_in(2);
  std::string asked, expected;
  for (const Key& key : keys) {
    asked += (asked.empty() ? "" : ",") + key.json();
    auto item = model_.durable().find(key);
    if (item == model_.durable().end()) continue;
    if (!expected.empty()) expected += ',';
    expected += part ? "{\"v\":{\"N\":\"" + std::to_string(item->second.value) + "\"}}"
                     : json(key, item->second);
  }
  const SimNode::Answer answer =
      read("BatchGetItem", "{\"RequestItems\":{\"items\":{\"Keys\":[" + asked + "]" +
                               (part ? ",\"ProjectionExpression\":\"v\"" : "") + "}}}");
  require(answer.body == "{\"Responses\":{\"items\":[" + expected + "]},\"UnprocessedKeys\":{}}",
          "BatchGetItem (" + answer.headers + ") answers " + answer.body + ", not " + expected);
}

// Sees all or nothing of a transaction, at one LSN.
void Simulation::transact_get() {
  Key keys[] = {random_key(), random_key()};
  if (keys[0] == keys[1]) return;
  std::string items, expected;
  for (const Key& key : keys) {
    if (!items.empty()) items += ",", expected += ",";
    items += "{\"Get\":{\"TableName\":\"items\",\"Key\":" + key.json() + "}}";
    auto item = model_.durable().find(key);
    expected +=
        item == model_.durable().end() ? "{}" : "{\"Item\":" + json(key, item->second) + "}";
  }
  const SimNode::Answer answer = read("TransactGetItems", "{\"TransactItems\":[" + items + "]}");
  require(answer.body == "{\"Responses\":[" + expected + "]}",
          "TransactGetItems answers " + answer.body + ", not " + expected);
}

}  // namespace millrace::sim
