#include "core/ops/attachment_request.h"

#include <algorithm>

#include "core/model/refusals.h"
#include "core/ops/attachments.h"
#include "core/ops/definition_command.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Letters and digits of any script, spaces, and "+-=._:/@".
bool is_tag_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || (c & 0x80) != 0 ||
           std::string_view(" \t+-=._:/@").find(c) != std::string_view::npos;
  });
}

void check_length(std::optional<std::string_view> text, size_t least, size_t most,
                  const std::string& path, Violations& violations) {
  violations.require(text.has_value(), path);
  if (!text) return;
  const size_t size = characters(*text);
  if (size < least) {
    violations.add(text, path,
                   "Member must have length greater than or equal to " + std::to_string(least));
  } else if (size > most) {
    violations.add(text, path,
                   "Member must have length less than or equal to " + std::to_string(most));
  }
}

// What follows "table/" in the ARN of a table or stream of any region and account; empty if it is
// the ARN of something else.
std::string_view named_by(std::string_view arn) {
  constexpr std::string_view kService = "arn:aws:dynamodb:";
  if (!arn.starts_with(kService)) return {};
  arn.remove_prefix(kService.size());
  const size_t region = arn.find(':');
  if (region == 0 || region == std::string_view::npos) return {};
  arn.remove_prefix(region + 1);
  const size_t account = arn.find_first_not_of("0123456789");
  constexpr std::string_view kTable = ":table/";
  if (account == 0 || account == std::string_view::npos ||
      arn.substr(account, kTable.size()) != kTable) {
    return {};
  }
  return arn.substr(account + kTable.size());
}

bool is_table_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 255 && name.find('/') == std::string_view::npos;
}

Error bad_arn(std::string_view arn) {
  return validation_error("Invalid TableArn: Invalid ResourceArn provided as input " +
                          std::string(arn));
}

Status check_prefix(std::string_view arn) {
  if (arn.starts_with("arn:")) return {};
  return invalid_parameter("Invalid ResourceArn: ARNs must start with 'arn:': " + std::string(arn));
}

class AttachmentCommand final : public DefinitionCommand {
 public:
  AttachmentCommand(Node& node, Reply reply, const Table& table, Error not_found,
                    ChangeAttachments change)
      : DefinitionCommand(node, std::move(reply)),
        name_(table.name),
        generation_(table.generation),
        not_found_(std::move(not_found)),
        change_(std::move(change)) {}

  void evaluate(Commit& commit) override {
    const TablePtr found = catalog_.find(name_);
    if (found == nullptr || found->generation != generation_) return fail(std::move(not_found_));
    Table table = *found;
    Result<AttachmentChange> change = change_(table, commit.time_ms());
    if (!change) return fail(change.error());
    if (change->changed)
      commit.put(Catalog::key_of(name_), Catalog::encode(table), true, std::nullopt);
    answer(std::move(change->body));
    if (change->without_body) answer_without_body();
  }

 private:
  const std::string name_;
  const Generation generation_;
  Error not_found_;
  const ChangeAttachments change_;
};

}  // namespace

Status TagMembers::read(JsonValue value) {
  list.clear();
  ASSIGN_OR_RETURN(JsonArray array, read_list(value));
  return each_element(array, [&](size_t, JsonValue element) -> Status {
    ASSIGN_OR_RETURN(JsonObject object, read_structure_element(element, "Tag"));
    Tag& tag = list.emplace_back();
    return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
      if (name == "Key") return read_string(inner, tag.key);
      if (name == "Value") return read_string(inner, tag.value);
      return {};
    });
  });
}

void TagMembers::check_constraints(Violations& violations) const {
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string path = "tags." + std::to_string(i + 1) + ".member.";
    check_length(list[i].value, 0, kTagValueCharactersMax, path + "value", violations);
    check_length(list[i].key, 1, kTagKeyCharactersMax, path + "key", violations);
  }
}

Result<std::map<std::string, std::string, std::less<>>> TagMembers::checked() const {
  std::map<std::string, std::string, std::less<>> tags;
  for (const Tag& tag : list) {
    const std::string key(*tag.key);
    if (key.starts_with("aws:"))
      return invalid_parameter("Tag keys that start with 'aws:' are reserved: " + key);
    if (!is_tag_text(key) || !is_tag_text(*tag.value))
      return invalid_parameter("Tag key or value contains invalid characters: " + key);
    if (!tags.emplace(key, *tag.value).second)
      return invalid_parameter("Tag keys must be unique: " + key);
  }
  return tags;
}

Status check_tagged_arn(std::optional<std::string_view> arn, const Status& member_status) {
  if (!arn) return validation_error("Invalid TableArn");
  RETURN_IF_ERROR(check_prefix(*arn));
  RETURN_IF_ERROR(member_status);
  if (!is_table_name(named_by(*arn))) return bad_arn(*arn);
  return {};
}

Result<PolicyResource> find_policy_resource(const Catalog& catalog,
                                            std::optional<std::string_view> arn) {
  if (!arn) {
    Violations violations;
    violations.require(false, "resourceArn");
    return violations.status().error();
  }
  RETURN_IF_ERROR(check_prefix(*arn));
  std::string_view name = named_by(*arn);
  constexpr std::string_view kStream = "/stream/";
  PolicyResource resource;
  if (const size_t at = name.find(kStream); at != std::string_view::npos) {
    resource.stream_label = name.substr(at + kStream.size());
    name = name.substr(0, at);
    if (resource.stream_label.empty()) return bad_arn(*arn);
  }
  if (!is_table_name(name)) return bad_arn(*arn);
  resource.table = catalog.resolve(catalog.table_arn(name));
  if (resource.table == nullptr || !arn->starts_with(catalog.table_arn(name)))
    return table_not_found(name);
  const auto& streams = resource.table->streams;
  const bool has_stream = std::any_of(streams.begin(), streams.end(), [&](const auto& stream) {
    return stream.label == resource.stream_label;
  });
  if (!resource.stream_label.empty() && !has_stream) {
    return make_error(ErrorCode::kResourceNotFound,
                      "Requested resource not found: Stream: " + std::string(*arn) + " not found");
  }
  return resource;
}

void submit_attachment_change(Node& node, Reply reply, const Table& table, Error not_found,
                              ChangeAttachments change) {
  node.submit(std::make_unique<AttachmentCommand>(node, std::move(reply), table,
                                                  std::move(not_found), std::move(change)));
}

}  // namespace millrace
