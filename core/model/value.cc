#include "core/model/value.h"

#include <algorithm>

#include "core/base/bytes.h"

namespace millrace {
namespace {

// Reads a varint from bytes that are known to be well-formed.
uint64_t take_varint(const char*& p) {
  uint64_t value = static_cast<uint8_t>(*p++);
  if (value < 0x80) return value;
  value &= 0x7f;
  for (int shift = 7;; shift += 7) {
    const uint8_t byte = static_cast<uint8_t>(*p++);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

std::string_view take_bytes(const char*& p) {
  const size_t size = take_varint(p);
  std::string_view bytes(p, size);
  p += size;
  return bytes;
}

// The bytes of the encoded value at the front of well-formed bytes.
std::string_view front_value(std::string_view bytes) {
  const char* p = bytes.data() + 1;
  if (static_cast<ValueType>(bytes[0]) > ValueType::kTrue) take_bytes(p);
  return {bytes.data(), static_cast<size_t>(p - bytes.data())};
}

std::string_view drop_front(std::string_view bytes, const char* to) {
  return bytes.substr(static_cast<size_t>(to - bytes.data()));
}

// What follows type and length.
std::string_view payload(std::string_view encoded) {
  const char* p = encoded.data() + 1;
  return take_bytes(p);
}

}  // namespace

std::string_view wire_name(ValueType type) {
  switch (type) {
    case ValueType::kNull:
      return "NULL";
    case ValueType::kFalse:
    case ValueType::kTrue:
      return "BOOL";
    case ValueType::kNumber:
      return "N";
    case ValueType::kString:
      return "S";
    case ValueType::kBinary:
      return "B";
    case ValueType::kStringSet:
      return "SS";
    case ValueType::kNumberSet:
      return "NS";
    case ValueType::kBinarySet:
      return "BS";
    case ValueType::kList:
      return "L";
    case ValueType::kMap:
      return "M";
  }
  return "";
}

std::string_view ValueView::scalar() const { return payload(bytes_); }
Number ValueView::number() const { return Number::from_ordered(scalar()).value(); }
SetView ValueView::set() const { return SetView(payload(bytes_)); }
ListView ValueView::list() const { return ListView(payload(bytes_)); }
MapView ValueView::map() const { return MapView(payload(bytes_)); }

SetView::SetView(std::string_view counted_elements) {
  const char* p = counted_elements.data();
  size_ = take_varint(p);
  elements_ = drop_front(counted_elements, p);
}

std::string_view SetView::Iterator::operator*() const {
  const char* p = rest_.data();
  return take_bytes(p);
}

SetView::Iterator& SetView::Iterator::operator++() {
  const char* p = rest_.data();
  take_bytes(p);
  rest_ = drop_front(rest_, p);
  return *this;
}

bool SetView::contains(std::string_view element) const {
  for (std::string_view candidate : *this) {
    const int order = candidate.compare(element);
    if (order >= 0) return order == 0;
  }
  return false;
}

ListView::ListView(std::string_view counted_values) {
  const char* p = counted_values.data();
  size_ = take_varint(p);
  values_ = drop_front(counted_values, p);
}

ValueView ListView::Iterator::operator*() const { return ValueView(front_value(rest_)); }

ListView::Iterator& ListView::Iterator::operator++() {
  rest_.remove_prefix(front_value(rest_).size());
  return *this;
}

std::optional<ValueView> ListView::at(size_t index) const {
  if (index >= size_) return std::nullopt;
  Iterator it = begin();
  for (; index > 0; --index) ++it;
  return *it;
}

MapView::MapView(std::string_view counted_entries) {
  if (counted_entries.empty()) return;
  const char* p = counted_entries.data();
  size_ = take_varint(p);
  entries_ = drop_front(counted_entries, p);
}

MapView::Entry MapView::Iterator::operator*() const {
  const char* p = rest_.data();
  std::string_view name = take_bytes(p);
  return {name, ValueView(front_value(drop_front(rest_, p)))};
}

MapView::Iterator& MapView::Iterator::operator++() {
  const ValueView value = (**this).value;
  rest_ = drop_front(rest_, value.encoded().data() + value.encoded().size());
  return *this;
}

std::optional<ValueView> MapView::get(std::string_view name) const {
  for (const Entry entry : *this) {
    const int order = entry.name.compare(name);
    if (order == 0) return entry.value;
    if (order > 0) break;
  }
  return std::nullopt;
}

Value Value::boolean(bool value) {
  Value v;
  v.type_ = value ? ValueType::kTrue : ValueType::kFalse;
  return v;
}

Value Value::string(std::string value) {
  Value v;
  v.type_ = ValueType::kString;
  v.scalar_ = std::move(value);
  return v;
}

Value Value::binary(std::string value) {
  Value v;
  v.type_ = ValueType::kBinary;
  v.scalar_ = std::move(value);
  return v;
}

Value Value::number(const Number& value) {
  Value v;
  v.type_ = ValueType::kNumber;
  value.append_ordered(v.scalar_);
  return v;
}

Value Value::list(List values) {
  Value v;
  v.type_ = ValueType::kList;
  v.list_ = std::move(values);
  return v;
}

Value Value::map(Map entries) {
  Value v;
  v.type_ = ValueType::kMap;
  v.map_ = std::move(entries);
  return v;
}

Value Value::set(ValueType type, std::vector<std::string> elements) {
  CHECK(type == ValueType::kStringSet || type == ValueType::kNumberSet ||
        type == ValueType::kBinarySet);
  Value v;
  v.type_ = type;
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  v.set_ = std::move(elements);
  return v;
}

Value Value::decode(ValueView view) {
  Value v;
  v.type_ = view.type();
  switch (v.type_) {
    case ValueType::kNull:
    case ValueType::kFalse:
    case ValueType::kTrue:
      break;
    case ValueType::kNumber:
    case ValueType::kString:
    case ValueType::kBinary:
      v.scalar_ = view.scalar();
      break;
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet: {
      const SetView set = view.set();
      v.set_.reserve(set.size());
      for (std::string_view element : set) v.set_.emplace_back(element);
      break;
    }
    case ValueType::kList: {
      const ListView list = view.list();
      v.list_.reserve(list.size());
      for (ValueView element : list) v.list_.push_back(decode(element));
      break;
    }
    case ValueType::kMap:
      for (const MapView::Entry entry : view.map()) {
        v.map_.emplace_hint(v.map_.end(), entry.name, decode(entry.value));
      }
      break;
  }
  return v;
}

Number Value::as_number() const {
  CHECK(type_ == ValueType::kNumber);
  return Number::from_ordered(scalar_).value();
}

namespace {

void append_entries(const Value::Map& entries, std::string& out) {
  put_varint(out, entries.size());
  for (const auto& [name, value] : entries) {
    put_length_prefixed(out, name);
    value.encode(out);
  }
}

}  // namespace

void Value::encode(std::string& out) const {
  out.push_back(static_cast<char>(type_));
  switch (type_) {
    case ValueType::kNull:
    case ValueType::kFalse:
    case ValueType::kTrue:
      return;
    case ValueType::kNumber:
    case ValueType::kString:
    case ValueType::kBinary:
      put_length_prefixed(out, scalar_);
      return;
    default:
      break;
  }
  std::string content;
  if (type_ == ValueType::kList) {
    put_varint(content, list_.size());
    for (const Value& value : list_) value.encode(content);
  } else if (type_ == ValueType::kMap) {
    append_entries(map_, content);
  } else {
    put_varint(content, set_.size());
    for (const std::string& element : set_) put_length_prefixed(content, element);
  }
  put_length_prefixed(out, content);
}

ItemTree decode_item(ItemView item) {
  ItemTree tree;
  for (const MapView::Entry entry : item.attributes()) {
    tree.emplace_hint(tree.end(), entry.name, Value::decode(entry.value));
  }
  return tree;
}

std::string encode_item(const ItemTree& item) {
  std::string out;
  append_entries(item, out);
  return out;
}

namespace {

// A value's size, of its encoding and of its tree alike.
template <typename AnyValue>
size_t size_of(const AnyValue& value) {
  size_t size = 0;
  switch (value.type()) {
    case ValueType::kNull:
    case ValueType::kFalse:
    case ValueType::kTrue:
      return 1;
    case ValueType::kNumber:
      return Number::from_ordered(value.scalar()).value().charged_size();
    case ValueType::kString:
    case ValueType::kBinary:
      return value.scalar().size();
    case ValueType::kStringSet:
    case ValueType::kBinarySet:
      for (std::string_view element : value.set()) size += element.size();
      return size;
    case ValueType::kNumberSet:
      for (std::string_view element : value.set()) {
        size += Number::from_ordered(element).value().charged_size();
      }
      return size;
    case ValueType::kList:
      for (const auto& element : value.list()) size += 1 + size_of(element);
      return 3 + size;
    case ValueType::kMap:
      for (const auto& [name, entry] : value.map()) size += 1 + name.size() + size_of(entry);
      return 3 + size;
  }
  return 0;
}

}  // namespace

size_t charged_size(ValueView value) { return size_of(value); }
size_t charged_size(const Value& value) { return size_of(value); }

size_t charged_size(ItemView item) {
  size_t size = 0;
  for (const MapView::Entry entry : item.attributes()) {
    size += entry.name.size() + charged_size(entry.value);
  }
  return size;
}

}  // namespace millrace
