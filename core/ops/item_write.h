#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/expr/expression.h"
#include "core/ops/capacity.h"
#include "core/ops/catalog.h"
#include "core/store/engine.h"

namespace millrace {

enum class WriteKind : uint8_t { kPut, kUpdate, kDelete, kConditionCheck };

/// One write of one item, ready for the committer: what PutItem, UpdateItem and DeleteItem are, and
/// what batches and transactions are made of.
struct ItemWrite {
  WriteKind kind = WriteKind::kPut;
  TablePtr table;     // as it was when the request was parsed
  std::string key;    // store key
  std::string image;  // kPut: the new item; else the key's attributes; encoded
  std::optional<Update> update;
  std::optional<Condition> condition;
  bool return_old_on_failure = false;
  Bindings bindings;        // what the expressions refer to
  size_t legacy_bytes = 0;  // of what was compiled from members from before expressions

  size_t bytes() const {
    return key.size() + image.size() + bindings.bytes() + legacy_bytes + sizeof *this;
  }
};

/// What a write found and would leave behind.
struct ItemOutcome {
  bool existed = false;
  bool exists = false;
  bool changed = false;
  bool logs_old_image = false;
  TablePtr table;             // as of this write
  std::string old_image;      // if existed
  std::string updated_image;  // of an update that changed something
  IndexChanges index_changes;

  std::string_view new_image(const ItemWrite& write) const {
    if (write.kind == WriteKind::kPut) return write.image;
    if (write.kind == WriteKind::kUpdate && changed) return updated_image;
    return old_image;
  }
  /// Roughly what it adds to the log.
  size_t staged_bytes(const ItemWrite& write) const {
    if (!changed) return 0;
    return (logs_old_image ? old_image.size() : 0) + (exists ? new_image(write).size() : 0) +
           index_changes.bytes();
  }
  size_t old_bytes() const { return existed ? charged_size(ItemView(old_image)) : 0; }
  size_t new_bytes(const ItemWrite& write) const {
    return exists ? charged_size(ItemView(new_image(write))) : 0;
  }
};

/// Reads the item, checks table and condition and computes the outcome; stages nothing. Its errors
/// are the client's (ConditionalCheckFailedException with the item if asked for, ...) or the
/// disk's.
Status evaluate_write(const ItemWrite& write, const Catalog& catalog, Commit& commit,
                      ItemOutcome& outcome);

/// Stages the outcome; nothing if it leaves the item as it was.
void stage_write(const ItemWrite& write, const ItemOutcome& outcome, Commit& commit);

/// Item larger than kItemBytesMax?
bool is_too_large(std::string_view image);

}  // namespace millrace
