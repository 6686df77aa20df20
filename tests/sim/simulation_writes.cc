#include <algorithm>
#include <set>

#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {
namespace {

constexpr const char* kTableMember = "\"TableName\":\"items\"";
constexpr const char* kFailed = "ConditionalCheckFailedException";

std::string old_attributes(const Key& key, const std::optional<Item>& before) {
  return before ? "{\"Attributes\":" + json(key, *before) + "}" : "{}";
}

}  // namespace

void Simulation::write_request(const std::string& operation, const std::string& body,
                               Pending pending) {
  ++counts_.writes;
  pending.changes_through = model_.changes().size();
  const auto& changes = model_.changes();
  for (size_t i = changes.size(); i > 0 && changes[i - 1].operation == pending.operation; --i) {
    pending.writes = true;
    pending.puts = pending.puts || changes[i - 1].after.has_value();
  }
  auto shared = std::make_shared<Pending>(std::move(pending));
  pending_.push_back(shared);
  node_->request(operation, body,
                 [this, shared](const SimNode::Answer& answer) { check_answer(*shared, answer); });
}

// Invariant 1: an answer comes once all that it depends on is durable, and says what the model
// says.
void Simulation::check_answer(Pending& pending, const SimNode::Answer& answer) {
  require(!pending.answered, "a write is answered twice");
  pending.answered = true;
  if (disk_.power_lost()) {
    // A write whose read fails is refused before it stages anything. Those behind it find the state
    // without it, which is not the model's, and may have nothing to change there; but nothing that
    // they change becomes durable any more. Nobody is told so of a deletion of expired items.
    refused_without_power_ = refused_without_power_ || answer.status == 500;
    if (refused_without_power_ || is_behind_expiry(pending)) {
      require(answer.status != 200 || !pending.puts, "a write is answered without power");
      return;
    }
  }
  if (under_fault_) {
    pending.refused = answer.status == 500 ||
                      answer.body.find("#RequestLimitExceeded") != std::string::npos ||
                      answer.body.find("#ThrottlingException") != std::string::npos;
    if (pending.refused) return;
  }
  if (pending.expected_error.empty()) {
    require(answer.status == 200, "a write fails: " + answer.body);
    require(pending.expected_body.empty() || answer.body == pending.expected_body,
            "a write answers " + answer.body + ", not " + pending.expected_body);
  } else {
    require(answer.status == 400 && answer.body.find(pending.expected_error) != std::string::npos,
            "a write answers " + answer.body + ", not " + pending.expected_error);
  }
  if (disk_.power_lost()) {
    answered_without_power_ = std::max(answered_without_power_, pending.changes_through);
    return;
  }
  checker_.catch_up(*node_);
  require(model_.durable_count() >= pending.changes_through,
          "a write is answered before it is durable");
}

// Whether the answer may stand for a deletion of expired items that is not known to be durable.
bool Simulation::is_behind_expiry(const Pending& pending) const {
  const auto& changes = model_.changes();
  const size_t through = std::min(pending.changes_through, changes.size());
  for (size_t i = model_.durable_count(); i < through; ++i) {
    if (changes[i].expiry) return true;
  }
  return false;
}

// To a table that nobody follows, so that most of some segments of the log is needed no more.
void Simulation::put_beside() {
  node_->request("PutItem",
                 "{\"TableName\":\"beside\",\"Item\":{\"p\":{\"S\":\"" +
                     std::to_string(random_.below(3)) + "\"},\"n\":{\"N\":\"" +
                     std::to_string(next_value_++) + "\"},\"v\":{\"S\":\"" +
                     std::string(1000 + random_.below(6000), 'b') + "\"}}}",
                 [](const SimNode::Answer&) {});
}

void Simulation::put() {
  Key key = random_key();
  Item item = random_item();
  std::string body = "{" + std::string(kTableMember) + ",\"Item\":" + json(key, item);
  Pending pending;
  if (random_.one_in(2)) {
    body += ",\"ReturnValues\":\"ALL_OLD\"";
    pending.expected_body = old_attributes(key, submitted(key));
  }
  pending.operation = next_operation_++;
  model_.write(key, item, pending.operation, false);
  write_request("PutItem", body + "}", std::move(pending));
}

void Simulation::put_if_absent() {
  Key key = random_key();
  Item item = random_item();
  Pending pending;
  if (submitted(key)) {
    pending.expected_error = kFailed;
  } else {
    pending.operation = next_operation_++;
    model_.write(key, item, pending.operation, false);
  }
  write_request("PutItem",
                "{" + std::string(kTableMember) + ",\"Item\":" + json(key, item) +
                    ",\"ConditionExpression\":\"attribute_not_exists(p)\"}",
                std::move(pending));
}

void Simulation::put_same() {
  Key key = random_key();
  std::optional<Item> item = submitted(key);
  if (!item) return;
  write_request("PutItem", "{" + std::string(kTableMember) + ",\"Item\":" + json(key, *item) + "}",
                {});
}

void Simulation::update() {
  Key key = random_key();
  std::optional<Item> before = submitted(key);
  Item after = before.value_or(Item());
  bool conditional = random_.one_in(3);
  uint64_t guess = before && random_.one_in(2) ? before->value : next_value_ + 1000;
  after.value = next_value_++;
  after.count = after.count.value_or(0) + 1;
  if (random_.one_in(4)) after.pad.clear();
  std::string body = "{" + std::string(kTableMember) + ",\"Key\":" + key.json() +
                     ",\"UpdateExpression\":\"SET #v = :v ADD n :one" +
                     (after.pad.empty() ? " REMOVE #pad" : "") +
                     "\",\"ExpressionAttributeNames\":{\"#v\":\"v\"" +
                     (after.pad.empty() ? ",\"#pad\":\"pad\"" : "") +
                     "},"
                     "\"ExpressionAttributeValues\":{\":v\":{\"N\":\"" +
                     std::to_string(after.value) + "\"},\":one\":{\"N\":\"1\"}";
  if (conditional) body += ",\":guess\":{\"N\":\"" + std::to_string(guess) + "\"}";
  body += "},\"ReturnValues\":\"ALL_NEW\"";
  if (conditional) body += ",\"ConditionExpression\":\"#v = :guess AND NOT #v <> :guess\"";
  Pending pending;
  if (conditional && (!before || before->value != guess)) {
    pending.expected_error = kFailed;
  } else {
    pending.operation = next_operation_++;
    model_.write(key, after, pending.operation, false);
    pending.expected_body = "{\"Attributes\":" + json(key, after) + "}";
  }
  write_request("UpdateItem", body + "}", std::move(pending));
}

void Simulation::remove() {
  Key key = random_key();
  Pending pending;
  pending.expected_body = old_attributes(key, submitted(key));
  pending.operation = next_operation_++;
  model_.write(key, std::nullopt, pending.operation, false);
  write_request(
      "DeleteItem",
      "{" + std::string(kTableMember) + ",\"Key\":" + key.json() + ",\"ReturnValues\":\"ALL_OLD\"}",
      std::move(pending));
}

void Simulation::transact() {
  uint64_t operation = next_operation_++;
  std::set<Key> keys;
  while (keys.size() < 2 + operation % 4) keys.insert(random_key());
  std::string items;
  bool fails = false;
  std::vector<std::pair<Key, std::optional<Item>>> writes;
  for (const Key& key : keys) {
    if (!items.empty()) items += ",";
    std::string target = std::string(kTableMember) + ",\"Key\":" + key.json();
    uint64_t kind = random_.below(8);
    if (kind == 0) {
      items +=
          "{\"ConditionCheck\":{" + target + ",\"ConditionExpression\":\"attribute_exists(p)\"}}";
      fails = fails || !submitted(key);
    } else if (kind == 1) {
      items += "{\"Delete\":{" + target + "}}";
      writes.emplace_back(key, std::nullopt);
    } else if (kind == 2) {
      Item after = submitted(key).value_or(Item());
      after.value = next_value_++;
      items += "{\"Update\":{" + target +
               ",\"UpdateExpression\":\"SET v = :v\",\"ExpressionAttributeValues\":"
               "{\":v\":{\"N\":\"" +
               std::to_string(after.value) + "\"}}}}";
      writes.emplace_back(key, after);
    } else {
      Item item = random_item();
      items += "{\"Put\":{" + std::string(kTableMember) + ",\"Item\":" + json(key, item) + "}}";
      writes.emplace_back(key, item);
    }
  }
  Pending pending;
  if (fails) {
    pending.expected_error = "TransactionCanceledException";
  } else {
    pending.operation = operation;
    for (auto& [key, after] : writes) model_.write(key, after, operation, true);
  }
  std::string body = "{\"TransactItems\":[" + items + "]";
  if (random_.one_in(2)) {
    body += ",\"ClientRequestToken\":\"token-" + std::to_string(operation) + "\"";
  }
  write_request("TransactWriteItems", body + "}", std::move(pending));
}

void Simulation::batch() {
  uint64_t operation = next_operation_++;
  std::set<Key> keys;
  while (keys.size() < 1 + operation % 4) keys.insert(random_key());
  std::string requests;
  for (const Key& key : keys) {
    if (!requests.empty()) requests += ",";
    if (random_.one_in(4)) {
      requests += "{\"DeleteRequest\":{\"Key\":" + key.json() + "}}";
      model_.write(key, std::nullopt, operation, false);
    } else {
      Item item = random_item();
      requests += "{\"PutRequest\":{\"Item\":" + json(key, item) + "}}";
      model_.write(key, item, operation, false);
    }
  }
  Pending pending;
  pending.operation = operation;
  pending.expected_body = "{\"UnprocessedItems\":{}}";
  write_request("BatchWriteItem", "{\"RequestItems\":{\"items\":[" + requests + "]}}",
                std::move(pending));
}

}  // namespace millrace::sim
