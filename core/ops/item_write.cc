#include "core/ops/item_write.h"

#include "core/model/item_json.h"
#include "core/model/refusals.h"
#include "core/ops/index_changes.h"

namespace millrace {

namespace {

// The encoding is never less than half of what DynamoDB counts, so most items need no counting.
bool may_be_too_large(std::string_view image) { return image.size() > kItemBytesMax / 2; }

Error condition_failed(const ItemWrite& write, const ItemOutcome& outcome) {
  Error error = make_error(ErrorCode::kConditionalCheckFailed, "The conditional request failed");
  if (write.return_old_on_failure && outcome.existed) {
    error.members = "\"Item\":";
    render_item(ItemView(outcome.old_image), error.members);
  }
  return error;
}

Status evaluate_update(const ItemWrite& write, ItemOutcome& outcome) {
  outcome.exists = true;
  // An update of an absent item begins with the attributes of its key.
  const std::string& before = outcome.existed ? outcome.old_image : write.image;
  if (!write.update) {
    outcome.changed = !outcome.existed;
    outcome.updated_image = write.image;
    return {};
  }
  ASSIGN_OR_RETURN(ItemTree tree,
                   write.update->apply(decode_item(ItemView(before)), outcome.existed));
  outcome.updated_image = encode_item(tree);
  outcome.changed = outcome.updated_image != before;
  // An update that only removes does not make an item of an absent one.
  if (!outcome.changed) outcome.exists = outcome.existed;
  if (is_too_large(outcome.updated_image)) return update_too_large();
  return outcome.exists ? check_updated_index_keys(*outcome.table, ItemView(outcome.updated_image))
                        : Status{};
}

// The keys of indexes were checked against the table as it was when the request was parsed. An
// index may be younger than that.
Status check_younger_indexes(const ItemWrite& write, const Table& table) {
  if (write.table.get() == &table) return {};
  if (write.kind == WriteKind::kPut) return check_put_index_keys(table, MapView(write.image));
  return write.update ? check_update_index_keys(table, *write.update) : Status{};
}

// Near the disk budget what grows is refused, and what shrinks is not.
Status check_room(const ItemWrite& write, const Catalog& catalog, const ItemOutcome& outcome,
                  const Commit& commit) {
  if (!outcome.changed || !outcome.exists) return {};
  if (outcome.existed && outcome.new_image(write).size() <= outcome.old_image.size()) return {};
  Status status = commit.may_grow();
  if (status) return status;
  Error error = status.error();
  error.members =
      "\"ThrottlingReasons\":[{\"reason\":\"TableWriteAccountLimitExceeded\",\"resource\":";
  render_json_string(catalog.table_arn(write.table->name), error.members);
  error.members += "}]";
  return error;
}

void find_index_changes(const ItemWrite& write, ItemOutcome& outcome) {
  std::optional<ItemView> old_item, new_item;
  if (outcome.existed) old_item = ItemView(outcome.old_image);
  if (outcome.exists) new_item = ItemView(outcome.new_image(write));
  append_index_changes(*outcome.table, old_item, new_item, outcome.index_changes);
}

}  // namespace

bool is_too_large(std::string_view image) {
  return may_be_too_large(image) && charged_size(ItemView(image)) > kItemBytesMax;
}

Status evaluate_write(const ItemWrite& write, const Catalog& catalog, Commit& commit,
                      ItemOutcome& outcome) {
  // Definitions change only in batches of their own, so what is published is what this command must
  // see.
  TablePtr table = catalog.find(write.table->name);
  if (table == nullptr || table->generation != write.table->generation)
    return make_error(ErrorCode::kResourceNotFound, "Requested resource not found");
  RETURN_IF_ERROR(check_younger_indexes(write, *table));
  outcome.logs_old_image = table->logs_old_images();
  outcome.table = std::move(table);
  ASSIGN_OR_RETURN(outcome.existed, commit.get(write.key, outcome.old_image));
  if (!outcome.existed) outcome.old_image.clear();

  static const std::string kEmptyItem = encode_item({});
  if (write.condition &&
      !write.condition->evaluate(ItemView(outcome.existed ? outcome.old_image : kEmptyItem))) {
    return condition_failed(write, outcome);
  }
  switch (write.kind) {
    case WriteKind::kPut:
      outcome.exists = true;
      outcome.changed = !outcome.existed || outcome.old_image != write.image;
      break;
    case WriteKind::kDelete:
      outcome.exists = false;
      outcome.changed = outcome.existed;
      break;
    case WriteKind::kConditionCheck:
      outcome.exists = outcome.existed;
      break;
    case WriteKind::kUpdate:
      RETURN_IF_ERROR(evaluate_update(write, outcome));
      break;
  }
  RETURN_IF_ERROR(check_room(write, catalog, outcome, commit));
  if (outcome.changed) find_index_changes(write, outcome);
  return {};
}

void stage_write(const ItemWrite& write, const ItemOutcome& outcome, Commit& commit) {
  if (!outcome.changed) return;
  std::optional<std::string_view> old_image;
  if (outcome.logs_old_image && outcome.existed) old_image = outcome.old_image;
  if (outcome.exists) {
    commit.put(write.key, outcome.new_image(write), outcome.existed, old_image,
               outcome.index_changes);
  } else {
    commit.remove(write.key, old_image, outcome.index_changes);
  }
}

}  // namespace millrace
