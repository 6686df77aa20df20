#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  void check_constraints(Violations& violations) const;
  /// The tags by key, after the rules on keys: each once, of allowed characters, not of the service
  /// itself.
  Result<std::map<std::string, std::string, std::less<>>> checked() const;
};

/// The ResourceArn of an operation on tags: there, and the ARN of a table. It names a table that
/// may not exist. `member_status` is what the operation's other members fail; the service looks at
/// them between the form of an ARN and what it is the ARN of.
Status check_tagged_arn(std::optional<std::string_view> arn, const Status& member_status);

/// What a ResourceArn names.
struct PolicyResource {
  TablePtr table;
  std::string stream_label;  // empty: the table itself
  std::string name() const { return table->name; }
};
Result<PolicyResource> find_policy_resource(const Catalog& catalog,
                                            std::optional<std::string_view> arn);

/// Changes a table's definition alone: `change` gives the answer's body and whether anything has
/// changed, or the refusal.
struct AttachmentChange {
  std::string body;
  bool changed = true;
  bool without_body = false;
};
using ChangeAttachments = std::function<Result<AttachmentChange>(Table& table, int64_t time_ms)>;
/// `not_found` is answered if the table has gone when its turn comes.
void submit_attachment_change(Node& node, Reply reply, const Table& table, Error not_found,
                              ChangeAttachments change);

}  // namespace millrace
