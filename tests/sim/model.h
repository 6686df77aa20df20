#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::sim {

/// An item of the simulated table (partition key p, sort key s).
struct Item {
  uint64_t value = 0;            // of attribute v: names the write that made it
  std::optional<int64_t> count;  // of attribute n
  std::string pad;               // of attribute pad; none if empty
  std::optional<int64_t> until;  // of attribute u: the second at which it expires
  bool operator==(const Item&) const = default;
};

struct Key {
  uint64_t partition = 0;
  uint64_t sort = 0;
  auto operator<=>(const Key&) const = default;
  /// `{"p":{"S":"..."},"s":{"N":"..."}}`
  std::string json() const;
};

/// The item as Millrace renders it: attributes in the order of their names.
std::string json(const Key& key, const Item& item);

using Items = std::map<Key, Item>;

/// One change that the log must hold.
struct Change {
  Key key;
  std::optional<Item> before;
  std::optional<Item> after;
  uint64_t operation = 0;  // changes of one transaction share it
  bool transaction = false;
  bool expiry = false;  // it was deleted for its time
};

/// What the table must be: every write's changes in the order of submission. Writes are added when
/// they are submitted; how many of them are durable the log says.
class Model {
 public:
  /// As of every submitted write.
  const Items& submitted() const { return submitted_; }
  /// As of the durable ones.
  const Items& durable() const { return durable_; }

  /// Sets or removes an item; a write that leaves it as it was makes no change.
  void write(const Key& key, std::optional<Item> after, uint64_t operation, bool transaction);

  /// Removes an item that has expired.
  void expire(const Key& key, uint64_t operation);

  const std::vector<Change>& changes() const { return changes_; }
  size_t durable_count() const { return durable_count_; }
  /// The next change has been found in the log.
  void confirm();
  /// A crash: what is not durable never was.
  void forget_unconfirmed();

 private:
  std::vector<Change> changes_;
  size_t durable_count_ = 0;
  Items submitted_;
  Items durable_;
};

}  // namespace millrace::sim
