#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/model/number.h"

namespace millrace {

/// The types of an attribute value. Persisted: the first byte of every encoded value.
enum class ValueType : uint8_t {
  kNull = 0,
  kFalse = 1,  // BOOL false
  kTrue = 2,   // BOOL true
  kNumber = 3,
  kString = 4,
  kBinary = 5,
  kStringSet = 6,
  kNumberSet = 7,
  kBinarySet = 8,
  kList = 9,
  kMap = 10,
};

/// DynamoDB's name of a type on the wire: "S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L",
/// "M".
std::string_view wire_name(ValueType type);

// The encoding of a value (persisted; from the wire to the log, the tables and the cache):
//
//   value  := type:u8 payload
//   payload of null, false, true:  nothing
//             number:              length:varint, Number::append_ordered bytes
//             string, binary:      length:varint, bytes (binary is raw, not base64)
//             sets:                length:varint of what follows; count:varint; elements, each
//                                  length:varint, bytes; sorted by bytes, no duplicates
//             list:                length:varint of what follows; count:varint; values
//             map:                 length:varint of what follows; count:varint; entries, each
//                                  name length:varint, name, value; sorted by name's bytes
//   item   := count:varint; entries as a map's  (a map's payload without its length)
//
// It is canonical: two values are equal exactly if their bytes are.

class ListView;
class MapView;
class SetView;

/// One encoded value within bytes that outlive the view. Views are made from validated bytes (see
/// validate_item), so reading them cannot fail.
class ValueView {
 public:
  ValueView() = default;
  /// `bytes` is exactly one encoded value.
  explicit ValueView(std::string_view bytes) : bytes_(bytes) {}

  ValueType type() const { return static_cast<ValueType>(bytes_[0]); }
  std::string_view encoded() const { return bytes_; }
  /// The bytes of a string or binary, the ordered bytes of a number.
  std::string_view scalar() const;
  Number number() const;
  SetView set() const;
  ListView list() const;
  MapView map() const;

  bool is_bool() const { return type() == ValueType::kTrue || type() == ValueType::kFalse; }
  bool operator==(const ValueView& other) const { return bytes_ == other.bytes_; }

 private:
  std::string_view bytes_;
};

/// The elements of an encoded set; numbers in ordered form.
class SetView {
 public:
  explicit SetView(std::string_view counted_elements);
  size_t size() const { return size_; }
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) : rest_(rest) {}
    std::string_view operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.data() != other.rest_.data(); }

   private:
    std::string_view rest_;
  };
  Iterator begin() const { return Iterator(elements_); }
  Iterator end() const { return Iterator(elements_.substr(elements_.size())); }
  bool contains(std::string_view element) const;

 private:
  size_t size_ = 0;
  std::string_view elements_;
};

/// The values of an encoded list.
class ListView {
 public:
  explicit ListView(std::string_view counted_values);
  size_t size() const { return size_; }
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) : rest_(rest) {}
    ValueView operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.data() != other.rest_.data(); }

   private:
    std::string_view rest_;
  };
  Iterator begin() const { return Iterator(values_); }
  Iterator end() const { return Iterator(values_.substr(values_.size())); }
  /// The value at `index`, if the list is that long.
  std::optional<ValueView> at(size_t index) const;

 private:
  size_t size_ = 0;
  std::string_view values_;
};

/// The entries of an encoded map, or of an item, in the order of their names.
class MapView {
 public:
  MapView() = default;
  explicit MapView(std::string_view counted_entries);
  size_t size() const { return size_; }
  struct Entry {
    std::string_view name;
    ValueView value;
  };
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) : rest_(rest) {}
    Entry operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.data() != other.rest_.data(); }

   private:
    std::string_view rest_;
  };
  Iterator begin() const { return Iterator(entries_); }
  Iterator end() const { return Iterator(entries_.substr(entries_.size())); }
  std::optional<ValueView> get(std::string_view name) const;

 private:
  size_t size_ = 0;
  std::string_view entries_;
};

/// An encoded item within bytes that outlive the view.
class ItemView {
 public:
  ItemView() = default;
  explicit ItemView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view encoded() const { return bytes_; }
  MapView attributes() const { return MapView(bytes_); }
  std::optional<ValueView> get(std::string_view name) const { return attributes().get(name); }

 private:
  std::string_view bytes_;
};

/// Checks bytes from disk: a well-formed canonical item, nested at most 32 deep. kCorruption if
/// not.
Status validate_item(std::string_view encoded_item);

/// A value as a tree, for building and changing; encode() gives its canonical bytes.
class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::map<std::string, Value, std::less<>>;

  Value() = default;  // null
  static Value null() { return {}; }
  static Value boolean(bool value);
  static Value string(std::string value);
  static Value binary(std::string value);
  static Value number(const Number& value);
  static Value list(List values);
  static Value map(Map entries);
  /// `elements` as scalar bytes of `type` (numbers in ordered form); sorted and made unique here.
  static Value set(ValueType type, std::vector<std::string> elements);
  static Value decode(ValueView view);

  ValueType type() const { return type_; }
  /// Bytes of a string, binary or number (ordered form).
  const std::string& scalar() const { return scalar_; }
  Number as_number() const;
  List& list() { return list_; }
  const List& list() const { return list_; }
  Map& map() { return map_; }
  const Map& map() const { return map_; }
  std::vector<std::string>& set() { return set_; }
  const std::vector<std::string>& set() const { return set_; }

  void encode(std::string& out) const;
  std::string encoded() const {
    std::string out;
    encode(out);
    return out;
  }

 private:
  ValueType type_ = ValueType::kNull;
  std::string scalar_;
  std::vector<std::string> set_;
  List list_;
  Map map_;
};

/// An item as a tree.
using ItemTree = Value::Map;
ItemTree decode_item(ItemView item);
std::string encode_item(const ItemTree& item);

/// Bytes that DynamoDB counts for an item: names in UTF-8 plus values (numbers as
/// Number::charged_size, 1 for NULL and BOOL, 3 for a list or map plus 1 an element).
/// Source: developer guide, "DynamoDB item sizes and formats".
size_t charged_size(ItemView item);
size_t charged_size(ValueView value);
size_t charged_size(const Value& value);

/// The most an item may count: 400 KB. Persisted bytes are bounded by it.
inline constexpr size_t kItemBytesMax = 400 * 1024;
/// How deep lists and maps may nest.
inline constexpr int kNestingMax = 32;

}  // namespace millrace
