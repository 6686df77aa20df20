#include "core/ops/backfill.h"
#include "core/ops/definition_command.h"
#include "core/ops/operations.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

struct TtlMembers {
  std::optional<std::string_view> table_name;
  bool has_specification = false;
  std::optional<bool> enabled;
  std::optional<std::string_view> attribute;
};

Status read_request(RequestJson& json, TtlMembers& members) {
  return json.each_member([&](std::string_view name, JsonValue value) -> Status {
    if (name == "TableName") return read_string(value, members.table_name);
    if (name != "TimeToLiveSpecification") return {};
    members.has_specification = true;
    ASSIGN_OR_RETURN(JsonObject object, read_structure(value, "TimeToLiveSpecification"));
    return each_member(object, [&](std::string_view member, JsonValue inner) -> Status {
      if (member == "Enabled") return read_bool(inner, members.enabled);
      if (member == "AttributeName") return read_string(inner, members.attribute);
      return {};
    });
  });
}

Status check_request(const TtlMembers& members) {
  RETURN_IF_ERROR(check_defined_table_name(members.table_name));
  Violations violations;
  violations.require(members.has_specification, "timeToLiveSpecification");
  if (members.has_specification) {
    const std::string_view path = "timeToLiveSpecification.attributeName";
    violations.require(members.attribute.has_value(), path);
    violations.not_empty(members.attribute, path);
    if (members.attribute && members.attribute->size() > 255)
      violations.add(members.attribute, path, "Member must have length less than or equal to 255");
    violations.require(members.enabled.has_value(), "timeToLiveSpecification.enabled");
  }
  return violations.status();
}

/// The service lets half an hour pass between two changes of one table. What protects a shared
/// control plane would only slow tests down: here they may follow each other at once.
class UpdateTtlCommand final : public DefinitionCommand {
 public:
  UpdateTtlCommand(Node& node, Reply reply, std::string table_name, bool enabled,
                   std::string attribute)
      : DefinitionCommand(node, std::move(reply)),
        table_name_(std::move(table_name)),
        enabled_(enabled),
        attribute_(std::move(attribute)) {}

  void evaluate(Commit& commit) override {
    const TablePtr found = catalog_.find(table_name_);
    if (found == nullptr) return fail(table_not_found(table_name_));
    if (Status status = check(found->ttl); !status) return fail(status.error());
    Table table = *found;
    if (enabled_) {
      if (Status status = commit.may_grow(); !status) return fail(status.error());
      table.ttl = TtlDefinition{attribute_, index_generation(commit.next_lsn(), 1), true};
    } else {
      table.ttl.reset();
    }
    commit.put(Catalog::key_of(table_name_), Catalog::encode(table), true, std::nullopt);
    if (!enabled_) stage_index_drop(commit, found->ttl->generation, table_name_);
    answer_specification();
  }

 private:
  Status check(const std::optional<TtlDefinition>& ttl) const {
    if (!ttl && !enabled_) return validation_error("TimeToLive is already disabled");
    if (ttl && ttl->attribute != attribute_) {
      return validation_error(
          "TimeToLive is active on a different AttributeName: current AttributeName is " +
          ttl->attribute);
    }
    if (ttl && enabled_) return validation_error("TimeToLive is already enabled");
    return {};
  }

  void answer_specification() {
    std::string specification, body;
    JsonFields members(specification);
    members.truth("Enabled", enabled_);
    members.text("AttributeName", attribute_);
    members.end();
    JsonFields fields(body);
    fields.raw("TimeToLiveSpecification", specification);
    fields.end();
    answer(std::move(body));
  }

  const std::string table_name_;
  const bool enabled_;
  const std::string attribute_;
};

}  // namespace

void update_time_to_live(Node& node, const Request& request, Reply reply) {
  RequestJson json(request.body);
  TtlMembers members;
  Status status = read_request(json, members);
  if (status) status = check_request(members);
  if (!status) return reply.error(status.error());
  const Result<TablePtr> table = node.catalog.resolve(*members.table_name, table_not_found);
  if (!table) return reply.error(table.error());
  node.submit(std::make_unique<UpdateTtlCommand>(
      node, std::move(reply), (*table)->name, *members.enabled, std::string(*members.attribute)));
}

}  // namespace millrace
