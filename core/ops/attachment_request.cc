#include "core/ops/attachment_request.h"

#include <algorithm>

#include "core/model/refusals.h"
#include "core/ops/arn.h"
#include "core/ops/attachments.h"
#include "core/ops/definition_command.h"
#include "core/ops/write_request.h"

namespace millrace {

namespace {

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Letters and digits of any script, spaces, and "+-=._:/@". Of what is not ASCII most pictures
// (U+1F000 to U+1FFFF) are told from letters, no other signs.
bool is_tag_text(std::string_view text) {
  if (text.find("\xF0\x9F") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || (c & 0x80) != 0 ||
           std::string_view(" \t+-=._:/@").find(c) != std::string_view::npos;
  });
}

bool is_reserved(std::string_view key) {
  constexpr std::string_view kReserved = "aws:";
  return key.size() >= kReserved.size() &&
         std::equal(kReserved.begin(), kReserved.end(), key.begin(),
                    [](char a, char b) { return a == b || a == (b | 0x20); });
}

// The table or stream of an ARN, which may be of any partition, region and account.
struct Named {
  Arn arn;
  std::string_view table;
  std::string_view stream_label;  // empty: the table itself
};

Error bad_arn(std::string_view arn) {
  return validation_error("Invalid TableArn: Invalid ResourceArn provided as input " +
                          std::string(arn));
}

Result<Named> named_by(std::string_view text) {
  constexpr std::string_view kTable = "table/";
  constexpr std::string_view kStream = "/stream/";
  constexpr std::string_view kIndex = "/index/";
  const std::optional<Arn> arn = split_arn(text);
  if (!arn) return bad_arn(text);
  if (arn->service != "dynamodb") return access_denied();
  Named named{*arn, arn->resource, {}};
  const Error not_ours =
      invalid_parameter("Provided Arn is not a DynamoDB resource arn: " + std::string(text));
  if (!named.table.starts_with(kTable)) return not_ours;
  named.table.remove_prefix(kTable.size());
  if (const size_t slash = named.table.find('/'); slash != std::string_view::npos) {
    const std::string_view part = named.table.substr(slash);
    if (part.starts_with(kIndex)) {
      return invalid_parameter(
          "Invalid resource arn provided, only table or stream is accepted. Provided resource "
          "arn: " +
          std::string(text));
    }
    if (!part.starts_with(kStream) || part.size() == kStream.size()) return not_ours;
    named.stream_label = part.substr(kStream.size());
    named.table = named.table.substr(0, slash);
  }
  if (named.table.size() < 3 || named.table.size() > 255) return bad_arn(text);
  return named;
}

bool is_of_region(const Arn& arn, const Catalog& catalog) {
  return arn.partition == kPartition && arn.region == catalog.region();
}

// Or no stream is meant.
bool has_stream(const Table& table, std::string_view label) {
  return label.empty() || std::any_of(table.streams.begin(), table.streams.end(),
                                      [&](const auto& stream) { return stream.label == label; });
}

Status check_prefix(std::string_view arn) {
  if (is_arn(arn)) return {};
  return invalid_parameter("ARNs must start with 'arn:': " + std::string(arn));
}

class AttachmentCommand final : public DefinitionCommand {
 public:
  AttachmentCommand(Node& node, Reply reply, const TableOrStream& resource, Error not_found,
                    ChangeAttachments change)
      : DefinitionCommand(node, std::move(reply)),
        name_(resource.table->name),
        generation_(resource.table->generation),
        stream_label_(resource.stream_label),
        not_found_(std::move(not_found)),
        change_(std::move(change)) {}

  void evaluate(Commit& commit) override {
    const TablePtr found = catalog_.find(name_);
    if (found == nullptr || found->generation != generation_ || !has_stream(*found, stream_label_))
      return fail(std::move(not_found_));
    Table table = *found;
    Result<AttachmentChange> change = change_(table, commit.time_ms());
    if (!change) return fail(change.error());
    if (change->changed) {
      const std::string image = Catalog::encode(table);
      // What takes something away is let in near the disk budget too.
      if (image.size() >= Catalog::encode(*found).size()) {
        if (Status status = commit.may_grow(); !status) return fail(status.error());
      }
      commit.put(Catalog::key_of(name_), image, true, std::nullopt);
    }
    answer(std::move(change->body));
    if (change->without_body) answer_without_body();
  }

 private:
  const std::string name_;
  const Generation generation_;
  const std::string stream_label_;
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

Status check_tag_key(std::optional<std::string_view> key) {
  const size_t size = key ? characters(*key) : 0;
  if (size == 0 || size > kTagKeyCharactersMax || !is_tag_text(*key))
    return validation_error("The Tag Key provided is invalid, Key: " +
                            std::string(key.value_or("null")));
  if (is_reserved(*key))
    return validation_error("Tag Key cannot be prefixed with aws:, Key: " + std::string(*key));
  return {};
}

Result<Tags> TagMembers::checked() const {
  Tags tags;
  for (const Tag& tag : list) {
    RETURN_IF_ERROR(check_tag_key(tag.key));
    if (!tag.value || characters(*tag.value) > kTagValueCharactersMax || !is_tag_text(*tag.value))
      return validation_error("The Tag Value provided is invalid, Value: " +
                              std::string(tag.value.value_or("null")));
    if (!tags.emplace(*tag.key, *tag.value).second)
      return validation_error("Duplicate Tag Keys provided as input: Duplicate Tag Key found " +
                              std::string(*tag.key));
  }
  return tags;
}

Status check_tagged_arn(const Catalog& catalog, std::optional<std::string_view> arn,
                        const Status& member_status) {
  if (!arn) return validation_error("Invalid TableArn");
  RETURN_IF_ERROR(check_prefix(*arn));
  RETURN_IF_ERROR(member_status);
  ASSIGN_OR_RETURN(const Named named, named_by(*arn));
  if (named.arn.account != catalog.account()) return access_denied();
  if (!is_of_region(named.arn, catalog)) return bad_arn(*arn);
  return {};
}

Result<TableOrStream> find_policy_resource(const Catalog& catalog,
                                           std::optional<std::string_view> arn) {
  if (!arn) {
    Violations violations;
    violations.require(false, "resourceArn");
    return violations.status().error();
  }
  RETURN_IF_ERROR(check_prefix(*arn));
  ASSIGN_OR_RETURN(const Named named, named_by(*arn));
  if (named.arn.account != catalog.account()) {
    return validation_error(
        "This action is only supported by accounts that match the resource owner\u2019s account.");
  }
  if (!is_of_region(named.arn, catalog))
    return invalid_parameter("Invalid resource Arn: " + std::string(*arn));
  TableOrStream resource{catalog.find(named.table), std::string(named.stream_label)};
  if (resource.table == nullptr) return table_not_found(named.table);
  if (!has_stream(*resource.table, resource.stream_label)) {
    return make_error(ErrorCode::kResourceNotFound,
                      "Requested resource not found: Stream: " + resource.stream_label +
                          " not found for Table: " + resource.table->name);
  }
  return resource;
}

std::optional<TableOrStream> find_tagged_resource(const Catalog& catalog, std::string_view arn) {
  const Named named = *named_by(arn);
  TableOrStream resource{catalog.find(named.table), std::string(named.stream_label)};
  const bool there =
      resource.table != nullptr && has_stream(*resource.table, resource.stream_label);
  return there ? std::optional(std::move(resource)) : std::nullopt;
}

Error tagged_not_found(std::string_view arn) {
  return make_error(ErrorCode::kResourceNotFound, "Requested resource not found: ResourceArn: " +
                                                      std::string(arn) + " not found");
}

void submit_attachment_change(Node& node, Reply reply, const TableOrStream& resource,
                              Error not_found, ChangeAttachments change) {
  node.submit(std::make_unique<AttachmentCommand>(node, std::move(reply), resource,
                                                  std::move(not_found), std::move(change)));
}

}  // namespace millrace
