#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// What a change of an item does to one entry of an index. Persisted as the first byte of each.
enum class IndexChangeKind : uint8_t {
  kPut = 1,      // with an image of its own, which may be empty
  kPutItem = 2,  // the image is the item's new one
  kRemove = 3,
};

struct IndexChange {
  IndexChangeKind kind = IndexChangeKind::kPut;
  std::string_view key;    // a whole store key, with the index's generation
  std::string_view image;  // kPut
};

// Index changes travel within the change of their item, encoded (persisted):
//
//   (kind:u8; key length:varint, key; [image length:varint, image]  if kPut)*

/// Reads encoded index changes, which outlive the view. Nothing is checked again: the bytes are a
/// builder's or of a frame that was checked.
class IndexChangesView {
 public:
  IndexChangesView() = default;
  explicit IndexChangesView(std::string_view encoded) : encoded_(encoded) {}
  /// Whether `encoded` is what a view may be made of; with kPutItem only if there is a new image.
  static bool well_formed(std::string_view encoded, bool item_has_image);

  bool empty() const { return encoded_.empty(); }
  std::string_view encoded() const { return encoded_; }

  class Iterator {
   public:
    const IndexChange& operator*() const { return change_; }
    const IndexChange* operator->() const { return &change_; }
    Iterator& operator++() {
      load();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_end_ != other.at_end_; }

   private:
    friend class IndexChangesView;
    void load();
    bool at_end_ = true;
    std::string_view rest_;
    IndexChange change_;
  };
  Iterator begin() const;
  Iterator end() const { return {}; }

 private:
  std::string_view encoded_;
};

/// Collects the index changes of one change of an item. Each key may come once.
class IndexChanges {
 public:
  void put(std::string_view key, std::string_view image);
  void put_item(std::string_view key);
  void remove(std::string_view key);

  bool empty() const { return encoded_.empty(); }
  size_t bytes() const { return encoded_.size(); }
  void clear() { encoded_.clear(); }
  IndexChangesView view() const { return IndexChangesView(encoded_); }
  operator IndexChangesView() const { return view(); }  // NOLINT: one is the other's bytes

 private:
  std::string encoded_;
};

/// Calls `write` with the key, and the image if it stays, of each changed entry.
template <typename Write>
void for_each_index_change(IndexChangesView changes, std::optional<std::string_view> item_image,
                           Write&& write) {
  for (const IndexChange& change : changes) {
    switch (change.kind) {
      case IndexChangeKind::kPut:
        write(change.key, std::optional<std::string_view>(change.image));
        break;
      case IndexChangeKind::kPutItem:
        write(change.key, item_image);
        break;
      case IndexChangeKind::kRemove:
        write(change.key, std::optional<std::string_view>());
        break;
    }
  }
}

}  // namespace millrace
