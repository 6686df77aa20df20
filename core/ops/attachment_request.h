#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/attachments.h"
#include "core/ops/operation.h"
#include "core/ops/request_json.h"
#include "core/ops/violations.h"

namespace millrace {

/// A list of tags as a request has it.
struct TagMembers {
  struct Tag {
    std::optional<std::string_view> key, value;
  };
  std::vector<Tag> list;

  Status read(JsonValue value);
  /// The tags by key, after the rules on them: sizes, allowed characters, each key once and none of
  /// the service itself.
  Result<Tags> checked() const;
};

/// The rules on the key of a tag to be added or removed.
Status check_tag_key(std::optional<std::string_view> key);

/// The ResourceArn of an operation on tags: there, and the ARN of a table or stream of this region
/// and account, which may not exist. `member_status` is what the operation's other members fail;
/// the service looks at them between the form of an ARN and what it is the ARN of.
Status check_tagged_arn(const Catalog& catalog, std::optional<std::string_view> arn,
                        const Status& member_status);

/// What a ResourceArn names.
struct TableOrStream {
  TablePtr table;
  std::string stream_label;  // empty: the table itself
};
Result<TableOrStream> find_policy_resource(const Catalog& catalog,
                                           std::optional<std::string_view> arn);
/// Of an ARN that check_tagged_arn() has seen. None: there is no such table or stream.
std::optional<TableOrStream> find_tagged_resource(const Catalog& catalog, std::string_view arn);
Error tagged_not_found(std::string_view arn);

/// Changes a table's definition alone: `change` gives the answer's body and whether anything has
/// changed, or the refusal.
struct AttachmentChange {
  std::string body;
  bool changed = true;
  bool without_body = false;
};
using ChangeAttachments = std::function<Result<AttachmentChange>(Table& table, int64_t time_ms)>;
/// `not_found` is answered if the table or stream has gone when its turn comes.
void submit_attachment_change(Node& node, Reply reply, const TableOrStream& resource,
                              Error not_found, ChangeAttachments change);

}  // namespace millrace
