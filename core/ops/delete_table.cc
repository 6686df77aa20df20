#include "core/ops/definition_command.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/table_removal.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

class DeleteTableCommand final : public DefinitionCommand {
 public:
  DeleteTableCommand(Node& node, Reply reply, std::string name)
      : DefinitionCommand(node, std::move(reply)), name_(std::move(name)) {}

  void evaluate(Commit& commit) override {
    TablePtr found = catalog_.find(name_);
    if (found == nullptr) return fail(table_not_found(name_));
    if (found->deletion_protection) {
      return fail(validation_error(
          "Resource cannot be deleted as it is currently protected against deletion. Disable "
          "deletion protection first."));
    }
    for (const Index& index : found->indexes) {
      if (index.status == IndexStatus::kActive) continue;
      return fail(make_error(ErrorCode::kResourceInUse,
                             "Attempt to change a resource which is still in use: Cannot delete "
                             "table while indexes are being created, updated, or deleted."));
    }
    stage_table_removal(commit, *found);
    answer_description(*found, "DELETING");
  }

 private:
  const std::string name_;
};

}  // namespace

void delete_table(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  std::optional<std::string_view> name;
  Status status = json.each_member([&](std::string_view member, JsonValue value) -> Status {
    return member == "TableName" ? read_string(value, name) : Status{};
  });
  if (status) status = check_defined_table_name(name);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> found = node.catalog.resolve(*name, table_not_found);
  if (!found) return reply.error(found.error());
  const TablePtr& table = *found;
  node.submit(std::make_unique<DeleteTableCommand>(node, std::move(reply), table->name));
}

}  // namespace millrace
