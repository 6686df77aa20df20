#include <algorithm>
#include <set>

#include "core/ops/answered_command.h"
#include "core/ops/cancellation.h"
#include "core/ops/item_collections.h"
#include "core/ops/operations.h"
#include "core/ops/tokens.h"
#include "core/ops/write_capacity.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

constexpr size_t kActionsMax = 100;
constexpr size_t kBytesMax = 4u << 20;
constexpr size_t kTokenBytesMax = 36;
/// Of old images, new ones and index entries. What counts as 4 MB may be twice that here, and an
/// index entry of each of 25 indexes comes on top; the frame that holds them all is bounded.
constexpr size_t kStagedBytesMax = 192u << 20;
static_assert(kStagedBytesMax + (16u << 20) < Frame::kPayloadBytesMax);  // keys and counts

struct Action {
  WriteKind kind = WriteKind::kPut;
  size_t requests = 0;  // of Put, Update, Delete and ConditionCheck: must be one
  WriteMembers members;
  ItemWrite write;
  std::optional<Error> failure;  // known before evaluation, reported as its cancellation reason
};

struct TransactWrite {
  bool has_actions = false;
  std::vector<Action> actions;
  size_t count = 0;
  uint64_t hash = 0;
  std::optional<std::string_view> token;
  std::optional<std::string_view> return_consumed_capacity;
  std::optional<std::string_view> return_item_collection_metrics;
};

std::optional<WriteKind> kind_of(std::string_view name) {
  if (name == "Put") return WriteKind::kPut;
  if (name == "Update") return WriteKind::kUpdate;
  if (name == "Delete") return WriteKind::kDelete;
  if (name == "ConditionCheck") return WriteKind::kConditionCheck;
  return std::nullopt;
}

std::string_view member_path(WriteKind kind) {
  switch (kind) {
    case WriteKind::kPut:
      return "put";
    case WriteKind::kUpdate:
      return "update";
    case WriteKind::kDelete:
      return "delete";
    case WriteKind::kConditionCheck:
      break;
  }
  return "conditionCheck";
}

Status read_action(JsonValue value, Action& action) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure_element(value, "TransactWriteItem"));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    std::optional<WriteKind> kind = kind_of(name);
    if (!kind) return {};
    ++action.requests;
    action.kind = *kind;
    ASSIGN_OR_RETURN(JsonObject request, read_structure(inner, name));
    return each_member(request, [&](std::string_view member, JsonValue member_value) {
      return action.members.read(member, member_value, *kind == WriteKind::kPut ? "Item" : "Key",
                                 ValueWords::kBatch);
    });
  });
}

Status read_actions(JsonValue value, TransactWrite& transaction) {
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  transaction.has_actions = true;
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    if (++transaction.count > kActionsMax) return {};  // past the limit only the count matters
    return read_action(element, transaction.actions.emplace_back());
  });
}

Status read_request(RequestJson& json, TransactWrite& transaction) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "TransactItems") return read_actions(value, transaction);
    if (name == "ClientRequestToken") return read_string(value, transaction.token);
    if (name == "ReturnConsumedCapacity")
      return read_string(value, transaction.return_consumed_capacity);
    if (name == "ReturnItemCollectionMetrics")
      return read_string(value, transaction.return_item_collection_metrics);
    return {};
  });
}

void check_action(const Action& action, size_t number, Violations& violations) {
  if (action.requests != 1) return;
  std::string path = "transactItems." + std::to_string(number) + ".member." +
                     std::string(member_path(action.kind)) + ".";
  const WriteMembers& members = action.members;
  violations.require(members.image || !members.image_status,
                     path + std::string(image_path(action.kind)));
  check_table_name(members.table_name, path + "tableName", violations);
  violations.one_of(members.return_values_on_failure, path + "returnValuesOnConditionCheckFailure",
                    kReturnOnFailureSet);
  if (action.kind == WriteKind::kConditionCheck)
    violations.require(members.condition_expression.has_value(), path + "conditionExpression");
  if (action.kind == WriteKind::kUpdate)
    violations.require(members.update_expression.has_value(), path + "updateExpression");
}

Status check_shape(const TransactWrite& transaction) {
  Violations violations;
  violations.require(transaction.has_actions, "transactItems");
  if (transaction.has_actions && transaction.count == 0) {
    violations.add("[]", "transactItems", "Member must have length greater than or equal to 1");
  } else if (transaction.count > kActionsMax) {
    violations.add("[TransactWriteItem()]", "transactItems",
                   "Member must have length less than or equal to 100");
  }
  violations.not_empty(transaction.token, "clientRequestToken");
  if (transaction.token && transaction.token->size() > kTokenBytesMax) {
    violations.add(transaction.token, "clientRequestToken",
                   "Member must have length less than or equal to 36");
  }
  violations.one_of(transaction.return_consumed_capacity, "returnConsumedCapacity",
                    kReturnConsumedCapacitySet);
  violations.one_of(transaction.return_item_collection_metrics, "returnItemCollectionMetrics",
                    kReturnItemCollectionMetricsSet);
  for (size_t i = 0; i < transaction.actions.size(); ++i)
    check_action(transaction.actions[i], i + 1, violations);
  RETURN_IF_ERROR(violations.status());
  for (const Action& action : transaction.actions) {
    if (action.requests == 1) continue;
    if (action.requests == 0) {
      return validation_error(
          "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request");
    }
    return validation_error("TransactItems can only contain one of Check, Put, Update or Delete");
  }
  return {};
}

// What counts is what the request writes, not the items as they are or become: keys, whole items,
// and the values of updates.
size_t payload_bytes(const ItemWrite& write) {
  size_t bytes = write.image.empty() ? 0 : charged_size(ItemView(write.image));
  if (write.kind != WriteKind::kUpdate) return bytes;
  for (const auto& [alias, value] : write.bindings.values())
    bytes += charged_size(ValueView(value));
  return bytes;
}

// The service says it twice.
Status check_payload(size_t bytes) {
  if (bytes <= kBytesMax) return {};
  const std::string limit = "Transaction payload size cannot exceed 4MB. Payload Size: ";
  return validation_error(limit + ": " + limit + std::to_string(bytes));
}

Error too_much_to_stage() {
  return validation_error(
      "The transaction's items, as they are and as they would be, and their index entries take "
      "more than " +
      std::to_string(kStagedBytesMax >> 20) + " MB together");
}

// An empty value of a key, also of an index's, refuses the whole request.
bool refuses_request(const Error& error) {
  return error.message.find("cannot contain an empty") != std::string::npos;
}

// What the token protects: the same actions in other JSON are the same request.
void add_action(const Action& action, std::string_view table_name, RequestHash& hash) {
  const WriteMembers& members = action.members;
  hash.add(member_path(action.kind));
  hash.add(table_name);
  hash.add(members.image ? std::optional<std::string_view>(*members.image) : std::nullopt);
  hash.add(members.condition_expression);
  hash.add(members.update_expression);
  hash.add(members.bindings.names());
  hash.add(members.bindings.values());
  hash.add(members.return_values_on_failure);
}

bool has_expression(const WriteMembers& members) {
  return members.condition_expression || members.update_expression;
}

// An action may have names and values that it does not use, but only where it has no expression.
void forget_bindings(WriteMembers& members) {
  members.has_names = members.has_values = false;
  members.bindings = {};
}

// Parses every action and binds it to its table. What is wrong with a key against its schema is the
// action's cancellation reason; an empty key value and everything else refuses the request.
Status prepare(const Catalog& catalog, TransactWrite& transaction) {
  RequestHash hash;
  Status named;  // what is wrong with an ARN comes after the syntax of all actions
  for (Action& action : transaction.actions) {
    const Result<std::string_view> table_name = catalog.name_of(*action.members.table_name);
    if (!table_name && named) named = table_name.error();
    if (transaction.token && table_name) add_action(action, *table_name, hash);
    if (!has_expression(action.members)) forget_bindings(action.members);
    ASSIGN_OR_RETURN(action.write, parse_write(std::move(action.members), action.kind));
    if (table_name) action.write.table = catalog.find(*table_name);
  }
  RETURN_IF_ERROR(named);
  transaction.hash = hash.finish();
  std::set<std::string_view> keys;
  size_t bytes = 0;
  for (Action& action : transaction.actions) {
    if (action.write.table == nullptr) return requested_resource_not_found();
    Status status = bind_table(action.write, action.write.table);
    if (!status && refuses_request(status.error())) return status;
    if (!status) {
      action.failure = status.error();
    } else if (!keys.insert(action.write.key).second) {
      return validation_error("Transaction request cannot include multiple operations on one item");
    }
    bytes += payload_bytes(action.write);
  }
  return check_payload(bytes);
}

class TransactWriteCommand final : public AnsweredCommand {
 public:
  TransactWriteCommand(Node& node, Reply reply, TransactWrite&& transaction)
      : AnsweredCommand(std::move(reply)),
        engine_(node.engine),
        catalog_(node.catalog),
        actions_(std::move(transaction.actions)),
        hash_(transaction.hash),
        capacity_(capacity_detail(transaction.return_consumed_capacity.value_or(""))) {
    if (transaction.token) token_.emplace(*transaction.token);
    const bool with_collections = transaction.return_item_collection_metrics == "SIZE";
    for (const Action& action : actions_) {
      bytes_ += action.write.bytes();
      if (with_collections && !action.failure) collections_.add(action.write);
    }
  }

  size_t bytes() const override { return bytes_; }

  void evaluate(Commit& commit) override {
    if (token_) {
      Result<bool> answered = answer_repeat(commit);
      if (!answered) return fail(answered.error());
      if (*answered) return;
    }
    std::vector<ItemOutcome> outcomes(actions_.size());
    if (Status status = evaluate_actions(commit, outcomes); !status) return fail(status.error());
    // Near the disk budget only a change, or a deletion, is worth the room that the token takes.
    if (token_ && !changes_any(outcomes) && !all_are_deletions()) {
      if (Status status = commit.may_grow(); !status) return fail(status.error());
    }
    commit.set_field(EntryField::kTransactionId, std::to_string(commit.next_lsn()));
    for (size_t i = 0; i < actions_.size(); ++i)
      stage_write(actions_[i].write, outcomes[i], commit);
    if (token_) stage_token(commit, outcomes);
    if (capacity_ != CapacityDetail::kNone || !collections_.empty()) answer(render(outcomes));
  }

 private:
  // Answers a request whose token has been used; false if it has not.
  Result<bool> answer_repeat(Commit& commit) {
    std::string image;
    ASSIGN_OR_RETURN(token_existed_, commit.get(token_key(*token_), image));
    if (!token_existed_) return false;
    ASSIGN_OR_RETURN(TokenRecord record, decode_token(ItemView(image)));
    if (record.expired(commit.time_ms())) return false;
    // Of a request that another release hashed in another way only the token is known.
    if (record.hash_form == RequestHash::kForm && record.request_hash != hash_) {
      return make_error(ErrorCode::kIdempotentParameterMismatch,
                        "The request uses the same client token as a previous, but non-identical "
                        "request. Do not reuse a client token with different requests, unless the "
                        "requests are identical");
    }
    if (capacity_ != CapacityDetail::kNone) {
      std::map<std::string_view, ConsumedUnits> units(record.read_units.begin(),
                                                      record.read_units.end());
      std::string body = "{";
      render_capacities(units, capacity_, CapacityKind::kTransactionalRead, body);
      answer(body + "}");
    }
    return true;
  }

  Status evaluate_actions(Commit& commit, std::vector<ItemOutcome>& outcomes) {
    std::vector<std::optional<Error>> failures(actions_.size());
    // The first action that is wrong in itself is the only reason: no item is looked at.
    for (size_t i = 0; i < actions_.size(); ++i) {
      if (!actions_[i].failure) continue;
      failures[i] = actions_[i].failure;
      return cancellation(failures);
    }
    bool failed = false;
    size_t staged_bytes = 0;
    for (size_t i = 0; i < actions_.size(); ++i) {
      Status status = evaluate_write(actions_[i].write, catalog_, commit, outcomes[i]);
      if (!status) {
        ErrorCode code = status.error().code;
        // The table is gone, or the disk failed: no reason of a single action.
        if (code != ErrorCode::kConditionalCheckFailed && code != ErrorCode::kValidation)
          return status;
        if (refuses_request(status.error())) return status;
        failures[i] = status.error();
      }
      failed = failed || failures[i].has_value();
      staged_bytes += outcomes[i].staged_bytes(actions_[i].write);
      if (staged_bytes > kStagedBytesMax) return too_much_to_stage();
    }
    if (failed) return cancellation(failures);
    return {};
  }

  static bool changes_any(const std::vector<ItemOutcome>& outcomes) {
    return std::any_of(outcomes.begin(), outcomes.end(),
                       [](const ItemOutcome& outcome) { return outcome.changed; });
  }

  bool all_are_deletions() const {
    return std::all_of(actions_.begin(), actions_.end(),
                       [](const Action& action) { return action.kind == WriteKind::kDelete; });
  }

  void stage_token(Commit& commit, const std::vector<ItemOutcome>& outcomes) {
    TokenRecord record;
    record.request_hash = hash_;
    record.time_ms = commit.time_ms();
    for (size_t i = 0; i < actions_.size(); ++i) {
      record.read_units[actions_[i].write.table->name] += transactional_read_units(
          std::max(outcomes[i].old_bytes(), outcomes[i].new_bytes(actions_[i].write)));
    }
    commit.put(token_key(*token_), encode_token(*token_, record), token_existed_, std::nullopt);
  }

  std::string render(const std::vector<ItemOutcome>& outcomes) const {
    std::string body = "{";
    if (!collections_.empty()) {
      body += "\"ItemCollectionMetrics\":";
      collections_.render(*engine_.view(), body);
    }
    if (capacity_ == CapacityDetail::kNone) return body + "}";
    std::map<std::string_view, ConsumedUnits> units;
    for (size_t i = 0; i < actions_.size(); ++i) {
      units[actions_[i].write.table->name] +=
          transactional_write_capacity(actions_[i].write, outcomes[i]);
    }
    render_capacities(units, capacity_, CapacityKind::kTransactionalWrite, body);
    return body + "}";
  }

  Engine& engine_;
  const Catalog& catalog_;
  const std::vector<Action> actions_;
  const uint64_t hash_;
  const CapacityDetail capacity_;
  ItemCollections collections_;  // those whose metrics were asked for
  std::optional<std::string> token_;
  bool token_existed_ = false;
  size_t bytes_ = sizeof *this;
};

}  // namespace

void transact_write_items(Node& node, TokenPurge& purge, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TransactWrite transaction;
  Status status = read_request(json, transaction);
  if (status) status = check_shape(transaction);
  if (status) status = prepare(node.catalog, transaction);
  if (!status) return reply.error(status.error());
  if (transaction.token) {
    if (auto command = purge.next(node.engine, node.clock)) node.submit(std::move(command));
  }
  node.submit(
      std::make_unique<TransactWriteCommand>(node, std::move(reply), std::move(transaction)));
}

}  // namespace millrace
