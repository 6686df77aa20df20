#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/definition_request.h"
#include "core/ops/index.h"
#include "core/ops/key_schema_request.h"
#include "core/ops/settings_request.h"

namespace millrace {

// The definition of a secondary index as CreateTable and UpdateTable bring it. The steps in the
// order of the service's checks; each relies on those before it.

struct ProjectionMembers {
  std::optional<std::string_view> type;
  std::optional<std::vector<std::string_view>> non_key_attributes;
};

/// A GlobalSecondaryIndex, a CreateGlobalSecondaryIndexAction or a LocalSecondaryIndex.
struct IndexMembers {
  std::optional<std::string_view> name;
  std::optional<KeyElements> key_schema;
  std::optional<ProjectionMembers> projection;
  std::optional<ThroughputMembers> throughput;  // these three: not of a local index
  UnitsMembers on_demand, warm;

  size_t projected_attributes() const {
    return projection->non_key_attributes ? projection->non_key_attributes->size() : 0;
  }

  /// Reads one member; those that it does not know are ignored.
  Status read(std::string_view member, JsonValue value, IndexKind kind);
};

/// GlobalSecondaryIndexes or LocalSecondaryIndexes.
Status read_indexes(JsonValue value, IndexKind kind, std::vector<IndexMembers>& indexes);

/// Constraints of the model. `path` is the index's, with its full stop:
/// "globalSecondaryIndexes.1.member.".
void check_index_constraints(const IndexMembers& index, IndexKind kind, const std::string& path,
                             Violations& violations);

/// Rules that an index keeps by itself: its key, what it projects. `attributes` are the definitions
/// of attributes. A global index may have up to four partition and four sort attributes.
Status check_global_index_key(const IndexMembers& index);
Status check_projection(const IndexMembers& index);
/// The limit on what all indexes of a table project by name.
Status check_projected_attributes(size_t count);

/// The index, without its generation and throughput. The checks above have passed.
Index index_of(const IndexMembers& members, IndexKind kind, const KeyElements& attributes);

}  // namespace millrace
