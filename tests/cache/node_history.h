#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/model/item_json.h"
#include "core/model/schema.h"
#include "core/store/engine.h"

namespace millrace::cache {

/// An item of the table `games`: `user` and `slot` are its key; some have a `level`, and with it
/// `rank` (sort key of the local index `byRank`) and `tag` (sort key of the global index
/// `byLevel`). Both indexes hold keys alone.
struct GameRow {
  std::string key;    // store key
  std::string image;  // as JSON
  std::string user;
  int slot = 0;
  bool levelled = false;
  int level = 0;

  static constexpr int kSlots = 6;
  static constexpr int kLevels = 3;
  static const std::vector<std::string>& users() {
    static const std::vector<std::string> names{"ann", "bob", "cat", "dan"};
    return names;
  }

  GameRow(std::string_view store_key, ItemView view) : key(store_key) {
    render_item(view, image);
    user = view.get("user")->scalar();
    slot = std::stoi(view.get("slot")->number().text());
    if (const auto found = view.get("level")) {
      levelled = true;
      level = std::stoi(found->number().text());
    }
  }

  int rank() const { return level * 100 + slot; }
  std::string tag() const { return user + std::to_string(slot); }
  std::string table_key() const { return "{" + slot_and_user() + "}"; }
  std::string rank_key() const {
    return R"({"rank":{"N":")" + std::to_string(rank()) + R"("},)" + slot_and_user() + "}";
  }
  std::string level_key() const {
    return R"({"level":{"N":")" + std::to_string(level) + R"("},"slot":{"N":")" +
           std::to_string(slot) + R"("},"tag":{"S":")" + tag() + R"("},"user":{"S":")" + user +
           R"("}})";
  }

 private:
  std::string slot_and_user() const {
    return R"("slot":{"N":")" + std::to_string(slot) + R"("},"user":{"S":")" + user + R"("})";
  }
};

/// Rows in the order of their store keys.
using GameRows = std::vector<const GameRow*>;

/// Every version of every row, as the engine told it. Thread-safe.
class NodeHistory final : public CommitObserver {
 public:
  void on_commit(const FramePtr& frame) override {
    std::lock_guard lock(mutex_);
    for (const EntryView& entry : *frame) {
      for (const ChangeView& change : entry) {
        if (get_big_endian64(change.key.data()) < kFirstUserGeneration) continue;
        Version version{change.lsn, nullptr};
        if (change.new_image)
          version.row = std::make_unique<GameRow>(change.key, ItemView(*change.new_image));
        versions_[std::string(change.key)].push_back(std::move(version));
      }
    }
  }

  /// The rows whose keys begin with `prefix` as of `lsn`. They live as long as this.
  GameRows at(std::string_view prefix, Lsn lsn) const {
    GameRows rows;
    std::lock_guard lock(mutex_);
    for (auto it = versions_.lower_bound(prefix);
         it != versions_.end() && it->first.starts_with(prefix); ++it) {
      const auto after =
          std::upper_bound(it->second.begin(), it->second.end(), lsn,
                           [](Lsn a, const Version& version) { return a < version.lsn; });
      if (after == it->second.begin()) continue;
      if (const GameRow* row = std::prev(after)->row.get()) rows.push_back(row);
    }
    return rows;
  }

 private:
  struct Version {
    Lsn lsn = 0;
    std::unique_ptr<const GameRow> row;  // none: a removal
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Version>, std::less<>> versions_;
};

}  // namespace millrace::cache
