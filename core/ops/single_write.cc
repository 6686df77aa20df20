#include "core/ops/single_write.h"

#include "core/model/item_json.h"
#include "core/model/refusals.h"
#include "core/ops/answered_command.h"
#include "core/ops/item_collections.h"
#include "core/ops/write_capacity.h"

namespace millrace {

namespace {

ReturnValues return_values_of(std::string_view text) {
  if (text == "ALL_OLD") return ReturnValues::kAllOld;
  if (text == "ALL_NEW") return ReturnValues::kAllNew;
  if (text == "UPDATED_OLD") return ReturnValues::kUpdatedOld;
  if (text == "UPDATED_NEW") return ReturnValues::kUpdatedNew;
  return ReturnValues::kNone;
}

class SingleWrite final : public AnsweredCommand {
 public:
  SingleWrite(Node& node, Reply reply, ItemWrite write, ReturnValues return_values,
              CapacityDetail capacity, bool with_collection)
      : AnsweredCommand(std::move(reply)),
        engine_(node.engine),
        catalog_(node.catalog),
        write_(std::move(write)),
        return_values_(return_values),
        capacity_(capacity) {
    if (with_collection) collection_.add(write_);
  }

  size_t bytes() const override { return write_.bytes(); }

  void evaluate(Commit& commit) override {
    ItemOutcome outcome;
    if (Status status = evaluate_write(write_, catalog_, commit, outcome); !status)
      return fail(status.error());
    stage_write(write_, outcome, commit);
    if (return_values_ != ReturnValues::kNone || capacity_ != CapacityDetail::kNone ||
        !collection_.empty()) {
      answer(render(outcome));
    }
  }

 private:
  std::string render(const ItemOutcome& outcome) const {
    std::string body = "{";
    render_attributes(outcome, body);
    if (capacity_ != CapacityDetail::kNone) {
      if (body.size() > 1) body += ',';
      body += "\"ConsumedCapacity\":";
      render_capacity(write_.table->name, write_capacity(write_, outcome), capacity_,
                      CapacityKind::kPlain, body);
    }
    if (!collection_.empty()) {
      if (body.size() > 1) body += ',';
      body += "\"ItemCollectionMetrics\":";
      collection_.render_only(*engine_.view(), body);
    }
    body += '}';
    return body;
  }

  void render_attributes(const ItemOutcome& outcome, std::string& body) const {
    bool old =
        return_values_ == ReturnValues::kAllOld || return_values_ == ReturnValues::kUpdatedOld;
    if (return_values_ == ReturnValues::kNone || !(old ? outcome.existed : outcome.exists)) return;
    std::string_view image = old ? std::string_view(outcome.old_image) : outcome.new_image(write_);
    std::string selected;
    if (return_values_ == ReturnValues::kUpdatedOld ||
        return_values_ == ReturnValues::kUpdatedNew) {
      if (!write_.update) return;
      selected = select_paths(ItemView(image), write_.update->paths());
      if (ItemView(selected).attributes().size() == 0) return;
      image = selected;
    }
    body += "\"Attributes\":";
    render_item(ItemView(image), body);
  }

  Engine& engine_;
  const Catalog& catalog_;
  const ItemWrite write_;
  const ReturnValues return_values_;
  const CapacityDetail capacity_;
  ItemCollections collection_;  // the item's, if its metrics were asked for
};

}  // namespace

void submit_single_write(Node& node, WriteMembers&& members, WriteKind kind, Reply reply) {
  ReturnValues return_values = return_values_of(members.return_values.value_or(""));
  CapacityDetail capacity = capacity_detail(members.return_consumed_capacity.value_or(""));
  const bool with_collection = members.return_item_collection_metrics == "SIZE";
  std::string_view table_name = *members.table_name;
  Result<ItemWrite> write = parse_write(std::move(members), kind);
  if (!write) return reply.error(write.error());
  Result<TablePtr> table = node.catalog.resolve(table_name, requested_resource_not_found);
  if (!table) return reply.error(table.error());
  if (Status status = bind_table(*write, *std::move(table)); !status)
    return reply.error(status.error());
  if (write->update && write->update->charged_size() > kItemBytesMax)
    return reply.error(update_too_large());
  node.submit(std::make_unique<SingleWrite>(node, std::move(reply), std::move(*write),
                                            return_values, capacity, with_collection));
}

}  // namespace millrace
