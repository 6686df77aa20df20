#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/catalog.h"
#include "core/ops/item_write.h"
#include "core/store/view.h"

namespace millrace {

/// What ReturnItemCollectionMetrics SIZE asks for: the item collections that writes touched. Only a
/// table with local indexes has them: all items with one partition key, and their index entries.
/// Source: developer guide, "Item collections in local secondary indexes".
class ItemCollections {
 public:
  void add(const ItemWrite& write);
  bool empty() const { return tables_.empty(); }

  // Sizes are estimated from what a view's files hold.

  /// Appends the ItemCollectionMetrics of the only collection.
  void render_only(const View& view, std::string& out) const;
  /// Appends the metrics of all, by table.
  void render(const View& view, std::string& out) const;

 private:
  struct Collection {
    TablePtr table;
    std::string partition;  // the partition key's encoded value
  };
  static void render(const View& view, const Collection& collection, std::string& out);

  std::map<std::string, std::vector<Collection>> tables_;  // by name
};

}  // namespace millrace
