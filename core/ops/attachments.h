#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/value.h"

namespace millrace {

// What infrastructure tools attach to a table: kept with its definition, shown, and gone with it.
// None of it changes what the table does: policies are not enforced, nor is anything backed up by
// point-in-time recovery.

/// Limits: developer guide, "Tagging resources" and "Resource-based policies".
inline constexpr size_t kTagsMax = 50;
inline constexpr size_t kTagKeyCharactersMax = 128;
inline constexpr size_t kTagValueCharactersMax = 256;
inline constexpr size_t kTagSetBytesMax = 10240;
inline constexpr size_t kPolicyBytesMax = 20480;

/// The policy of a table or of one of its streams.
struct ResourcePolicy {
  std::string document;  // JSON
  int64_t revision = 0;  // a time in ms, higher than that of the policy before
  std::string revision_id() const { return std::to_string(revision); }
};

struct PointInTimeRecovery {
  static constexpr int64_t kPeriodDaysMax = 35;
  int64_t enabled_ms = 0;
  int64_t period_days = kPeriodDaysMax;
};

using Tags = std::map<std::string, std::string, std::less<>>;

struct TableAttachments {
  Tags tags;
  std::map<std::string, Tags, std::less<>> stream_tags;  // by the stream's label; none is empty
  std::optional<ResourcePolicy> policy;
  std::map<std::string, ResourcePolicy, std::less<>> stream_policies;  // by the stream's label
  std::optional<PointInTimeRecovery> recovery;                         // none: off
};

/// Adds them, as far as there are any, to the map that a definition is encoded as, and reads them
/// back. Persisted.
void put_attachments(const TableAttachments& attachments, Value::Map& definition);
Status read_attachments(MapView definition, TableAttachments& attachments);

/// The rules on the form of a policy's document; gives it without white space between its parts, as
/// it is kept. Who may do what by it is not looked at.
Result<std::string> checked_policy(std::string_view document);

Error too_many_tags();
/// Adds or overwrites tags; refuses what would be more than a resource may have.
Status add_tags(const Tags& added, Tags& tags);

}  // namespace millrace
