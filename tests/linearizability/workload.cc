#include "workload.h"

#include <algorithm>
#include <map>

namespace millrace::linearizability {

namespace {

std::string quoted(std::string_view text) { return std::string("\"").append(text).append("\""); }

std::string number(Value value) { return "{\"N\":\"" + std::to_string(value) + "\"}"; }

std::string table_of(int member) {
  return "\"TableName\":" + quoted(member < kCollectionMembers ? kTable : kOtherTable);
}

std::string_view table_name(int member) {
  return member < kCollectionMembers ? kTable : kOtherTable;
}

Step read_step(int member) {
  Step step;
  step.member = member;
  return step;
}

std::string condition_text(const Step& step) {
  switch (step.condition) {
    case Condition::kNone:
      return "";
    case Condition::kAbsent:
      return "attribute_not_exists(pk)";
    case Condition::kPresent:
      return "attribute_exists(v)";
    case Condition::kEquals:
      return "v = :expected";
  }
  return "";
}

/// `{"table":<open>...<close>,...}` of the members' parts.
std::string by_table(const std::vector<int>& members, const std::vector<std::string>& parts,
                     std::string_view open, std::string_view close) {
  std::map<std::string_view, std::string> tables;
  for (size_t i = 0; i < members.size(); ++i) {
    std::string& list = tables[table_name(members[i])];
    if (!list.empty()) list += ',';
    list += parts[i];
  }
  std::string text;
  for (const auto& [name, list] : tables) {
    text += (text.empty() ? "{" : ",") + quoted(name) + ":";
    text.append(open).append(list).append(close);
  }
  return text + "}";
}

}  // namespace

std::vector<std::string> table_definitions() {
  const std::string keys =
      R"("KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],)"
      R"("BillingMode":"PAY_PER_REQUEST",)";
  const std::string attributes =
      R"({"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"})";
  return {
      "{\"TableName\":" + quoted(kTable) + "," + keys +
          R"("StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},)"
          R"("GlobalSecondaryIndexes":[{"IndexName":"global","KeySchema":)"
          R"([{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"v","KeyType":"RANGE"}],)"
          R"("Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["c"]}}],)"
          R"("LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":)"
          R"([{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"v","KeyType":"RANGE"}],)"
          R"("Projection":{"ProjectionType":"ALL"}}],)"
          R"("AttributeDefinitions":[)" +
          attributes +
          R"(,{"AttributeName":"g","AttributeType":"S"},{"AttributeName":"v","AttributeType":"N"}]})",
      "{\"TableName\":" + quoted(kOtherTable) + "," + keys + "\"AttributeDefinitions\":[" +
          attributes + "]}",
  };
}

Operation Workload::operation(std::string_view name, int group) const {
  Operation made;
  made.name = name;
  made.group = group;
  made.client = client_;
  return made;
}

std::vector<int> Workload::some_members(size_t at_least) {
  std::vector<int> members(kMembers);
  for (int i = 0; i < kMembers; ++i) members[static_cast<size_t>(i)] = i;
  std::shuffle(members.begin(), members.end(), random_);
  members.resize(at_least + random_() % (kMembers - at_least + 1));
  return members;
}

Step Workload::write_step(int group, int member) {
  Step step;
  step.member = member;
  const uint64_t chosen = random_() % 10;
  if (chosen < 4) {
    step.effect = Effect::kPut;
    step.value = static_cast<Value>(random_() >> 8) + 1;
  } else if (chosen < 8) {
    step.effect = Effect::kAdd;
    step.value = static_cast<Value>(random_() >> 30) + 1;
  } else {
    step.effect = Effect::kDelete;
  }
  choose_condition(step, group);
  return step;
}

void Workload::choose_condition(Step& step, int group) {
  const uint64_t chosen = random_() % 10;
  const Value last = last_seen_.of(group, step.member);
  if (chosen == 0) {
    step.condition = Condition::kAbsent;
  } else if (chosen == 1) {
    step.condition = Condition::kPresent;
  } else if (chosen < 5 && last != kAbsent) {
    step.condition = Condition::kEquals;
    step.expected = last;
  }
}

std::string Workload::key_attributes(int group, int member) const {
  return "\"pk\":{\"S\":" + quoted(prefix_ + std::to_string(group)) + "},\"sk\":" + number(member);
}

std::string Workload::key(int group, int member) const {
  return "\"Key\":{" + key_attributes(group, member) + "}";
}

std::string Workload::item(int group, const Step& step) {
  // `v` and `c` are one value, which every write changes together.
  std::string text = "\"Item\":{" + key_attributes(group, step.member) +
                     ",\"g\":{\"S\":" + quoted(prefix_ + std::to_string(group)) +
                     "},\"v\":" + number(step.value) + ",\"c\":" + number(step.value);
  if (one_in(4)) text += ",\"padding\":{\"S\":" + quoted(std::string(random_() % 3000, 'x')) + "}";
  return text + "}";
}

/// All of a write but its table and what is to be returned.
std::string Workload::write_members(int group, const Step& step, bool by_update) {
  std::string text, values;
  const auto add_value = [&](std::string_view name, const std::string& value) {
    values += (values.empty() ? "" : ",") + quoted(name) + ":" + value;
  };
  const bool sets = by_update && step.effect == Effect::kPut;
  if (step.effect == Effect::kPut && !sets) {
    text = item(group, step);
  } else {
    text = key(group, step.member);
  }
  if (sets || step.effect == Effect::kAdd) {
    text += ",\"UpdateExpression\":";
    text += sets ? "\"SET g = :g, v = :d, c = :d\"" : "\"SET g = :g ADD v :d, c :d\"";
    add_value(":g", "{\"S\":" + quoted(prefix_ + std::to_string(group)) + "}");
    add_value(":d", number(step.value));
  }
  if (step.condition != Condition::kNone) {
    text += ",\"ConditionExpression\":" + quoted(condition_text(step));
    if (step.condition == Condition::kEquals) add_value(":expected", number(step.expected));
  }
  if (!values.empty()) text += ",\"ExpressionAttributeValues\":{" + values + "}";
  return text;
}

Request Workload::single_write(int group) {
  Request request;
  request.form = Form::kWrite;
  const Step step = write_step(group, static_cast<int>(random_() % kMembers));
  // What PutItem does to the value SET of UpdateItem does too.
  const bool updates = step.effect == Effect::kAdd || (step.effect == Effect::kPut && one_in(2));
  std::string members = write_members(group, step, updates);
  request.target = updates                          ? "UpdateItem"
                   : step.effect == Effect::kDelete ? "DeleteItem"
                                                    : "PutItem";
  const uint64_t returns = random_() % 3;
  if (returns == 1) {
    members += ",\"ReturnValues\":\"ALL_OLD\"";
    request.tells_old = true;
  } else if (returns == 2 && updates) {
    members += one_in(2) ? ",\"ReturnValues\":\"UPDATED_NEW\"" : ",\"ReturnValues\":\"ALL_NEW\"";
    request.tells_new = true;
  }
  if (step.condition != Condition::kNone && one_in(2)) {
    members += ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
    request.tells_old_when_refused = true;
  }
  request.body = "{" + table_of(step.member) + "," + members + "}";
  request.operations = {operation(request.target, group)};
  request.operations[0].steps = {step};
  return request;
}

Request Workload::get(int group) {
  Request request;
  request.form = Form::kRead;
  request.target = "GetItem";
  const int member = static_cast<int>(random_() % kMembers);
  request.body = "{" + table_of(member) + "," + key(group, member) +
                 (one_in(2) ? ",\"ConsistentRead\":true}" : "}");
  request.operations = {operation(request.target, group)};
  request.operations[0].steps = {read_step(member)};
  return request;
}

Request Workload::query(int group) {
  Request request;
  request.form = Form::kCollection;
  request.target = "Query";
  const uint64_t chosen = random_() % 4;  // the table twice, its two indexes
  const bool global = chosen == 2;
  const int from = chosen < 2 ? static_cast<int>(random_() % kCollectionMembers) : 0;
  std::string condition = global ? "g = :pk" : "pk = :pk";
  std::string values = "\":pk\":{\"S\":" + quoted(prefix_ + std::to_string(group)) + "}";
  if (from > 0) {
    condition += " AND sk >= :from";
    values += ",\":from\":" + number(from);
  }
  request.body = "{" + table_of(0) + ",\"KeyConditionExpression\":" + quoted(condition) +
                 ",\"ExpressionAttributeValues\":{" + values + "}";
  if (chosen >= 2) request.body += ",\"IndexName\":" + quoted(global ? "global" : "local");
  if (!global && one_in(2)) request.body += ",\"ConsistentRead\":true";
  if (one_in(2)) request.body += ",\"ScanIndexForward\":false";
  request.body += "}";
  request.operations = {operation(global        ? "Query global"
                                  : chosen == 3 ? "Query local"
                                                : "Query",
                                  group)};
  for (int member = from; member < kCollectionMembers; ++member) {
    request.operations[0].steps.push_back(read_step(member));
  }
  return request;
}

Request Workload::batch_get(int group) {
  Request request;
  request.form = Form::kBatchRead;
  request.target = "BatchGetItem";
  const std::vector<int> members = some_members(1);
  std::vector<std::string> parts;
  for (int member : members) {
    parts.push_back("{" + key_attributes(group, member) + "}");
    request.operations.push_back(operation(request.target, group));
    request.operations.back().steps = {read_step(member)};
  }
  const std::string_view open = one_in(2) ? "{\"ConsistentRead\":true,\"Keys\":[" : "{\"Keys\":[";
  request.body = "{\"RequestItems\":" + by_table(members, parts, open, "]}") + "}";
  return request;
}

Request Workload::batch_write(int group) {
  Request request;
  request.form = Form::kBatchWrite;
  request.target = "BatchWriteItem";
  const std::vector<int> members = some_members(1);
  std::vector<std::string> parts;
  for (int member : members) {
    Step step;
    step.member = member;
    if (one_in(5)) {
      step.effect = Effect::kDelete;
      parts.push_back("{\"DeleteRequest\":{" + key(group, member) + "}}");
    } else {
      step.effect = Effect::kPut;
      step.value = static_cast<Value>(random_() >> 8) + 1;
      parts.push_back("{\"PutRequest\":{" + item(group, step) + "}}");
    }
    request.operations.push_back(operation(request.target, group));
    request.operations.back().steps = {step};
  }
  request.body = "{\"RequestItems\":" + by_table(members, parts, "[", "]") + "}";
  return request;
}

Request Workload::transact_get(int group) {
  Request request;
  request.form = Form::kTransactRead;
  request.target = "TransactGetItems";
  request.operations = {operation(request.target, group)};
  std::string gets;
  for (int member : some_members(2)) {
    gets += (gets.empty() ? "" : ",") + std::string("{\"Get\":{") + table_of(member) + "," +
            key(group, member) + "}}";
    request.operations[0].steps.push_back(read_step(member));
  }
  request.body = "{\"TransactItems\":[" + gets + "]}";
  return request;
}

Request Workload::transact_write(int group) {
  Request request;
  request.form = Form::kTransactWrite;
  request.target = "TransactWriteItems";
  request.operations = {operation(request.target, group)};
  std::string writes;
  for (int member : some_members(2)) {
    Step step = write_step(group, member);
    // With a condition on every item a transaction would hardly ever be carried out.
    if (one_in(2)) step.condition = Condition::kNone;
    if (step.condition != Condition::kNone && one_in(3)) step.effect = Effect::kNone;
    const bool updates = step.effect == Effect::kAdd || one_in(4);
    const std::string_view kind = step.effect == Effect::kNone              ? "ConditionCheck"
                                  : step.effect == Effect::kPut && !updates ? "Put"
                                  : step.effect == Effect::kDelete          ? "Delete"
                                                                            : "Update";
    writes += (writes.empty() ? "{" : ",{") + quoted(kind) + ":{" + table_of(member) + "," +
              write_members(group, step, updates);
    if (step.condition != Condition::kNone) {
      writes += ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
    }
    writes += "}}";
    request.operations[0].steps.push_back(step);
  }
  request.body = "{\"TransactItems\":[" + writes + "]";
  request.has_token = one_in(2);
  if (request.has_token) {
    request.body += ",\"ClientRequestToken\":" + quoted(std::to_string(random_()));
  }
  request.body += "}";
  return request;
}

Request Workload::next() {
  const int group = static_cast<int>(random_() % static_cast<uint64_t>(groups_));
  const uint64_t chosen = random_() % 20;
  if (chosen < 8) return single_write(group);
  if (chosen < 11) return get(group);
  if (chosen < 14) return query(group);
  if (chosen < 15) return batch_get(group);
  if (chosen < 16) return batch_write(group);
  if (chosen < 18) return transact_get(group);
  return transact_write(group);
}

}  // namespace millrace::linearizability
