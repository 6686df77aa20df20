#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/item_json.h"
#include "core/store/engine.h"

namespace millrace::cache {

/// Every version of every item, as the engine told it. Thread-safe.
class NodeHistory final : public CommitObserver {
 public:
  struct Version {
    Lsn lsn = 0;
    std::optional<std::string> image;
  };
  struct Item {
    std::string key;  // a store key
    std::string image;
  };

  void on_commit(const FramePtr& frame) override {
    std::lock_guard lock(mutex_);
    for (const EntryView& entry : *frame) {
      for (const ChangeView& change : entry) {
        std::optional<std::string> image;
        if (change.new_image) image = *change.new_image;
        versions_[std::string(change.key)].push_back({change.lsn, std::move(image)});
      }
    }
  }

  /// The items whose keys begin with `prefix`, in the order of their keys, as of `lsn`.
  std::vector<Item> at(std::string_view prefix, Lsn lsn) const {
    std::vector<Item> items;
    std::lock_guard lock(mutex_);
    for (auto it = versions_.lower_bound(prefix);
         it != versions_.end() && it->first.starts_with(prefix); ++it) {
      auto after = std::upper_bound(it->second.begin(), it->second.end(), lsn,
                                    [](Lsn a, const Version& version) { return a < version.lsn; });
      if (after == it->second.begin() || !std::prev(after)->image) continue;
      items.push_back({it->first, *std::prev(after)->image});
    }
    return items;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Version>, std::less<>> versions_;
};

}  // namespace millrace::cache
