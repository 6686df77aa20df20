#include <simdjson.h>

#include "core/base/bytes.h"
#include "core/model/value.h"

namespace millrace {
namespace {

Error corrupt(const char* what) {
  return make_error(ErrorCode::kCorruption, std::string("malformed item: ") + what);
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

// Reads a varint and refuses a longer form than needed, which would make equal items differ.
bool canonical_varint(ByteReader& in, uint64_t& value) {
  const size_t before = in.remaining();
  if (!in.varint(value)) return false;
  size_t needed = 1;
  for (uint64_t rest = value >> 7; rest != 0; rest >>= 7) ++needed;
  return before - in.remaining() == needed;
}

bool canonical_bytes(ByteReader& in, std::string_view& bytes) {
  uint64_t size;
  return canonical_varint(in, size) && size <= in.remaining() && in.bytes(size, bytes);
}

Status validate_value(ByteReader& in, int level);

Status validate_scalar(ValueType type, std::string_view bytes) {
  if (type == ValueType::kNumber) {
    if (auto number = Number::from_ordered(bytes); !number) return std::move(number).error();
  } else if (type == ValueType::kString && !is_utf8(bytes)) {
    return corrupt("a string is not UTF-8");
  }
  return {};
}

Status validate_set(ValueType type, ByteReader& in, uint64_t count) {
  const ValueType element_type = type == ValueType::kStringSet   ? ValueType::kString
                                 : type == ValueType::kNumberSet ? ValueType::kNumber
                                                                 : ValueType::kBinary;
  if (count == 0) return corrupt("an empty set");
  std::string_view previous;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view element;
    if (!canonical_bytes(in, element)) return corrupt("a set's element is cut off");
    if (i > 0 && previous.compare(element) >= 0) return corrupt("a set is not in order");
    RETURN_IF_ERROR(validate_scalar(element_type, element));
    previous = element;
  }
  return {};
}

Status validate_entries(ByteReader& in, uint64_t count, int level) {
  std::string_view previous;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view name;
    if (!canonical_bytes(in, name)) return corrupt("a name is cut off");
    if (i > 0 && previous.compare(name) >= 0) return corrupt("names are not in order");
    if (!is_utf8(name)) return corrupt("a name is not UTF-8");
    RETURN_IF_ERROR(validate_value(in, level));
    previous = name;
  }
  return {};
}

// `level` counts from 1, a top-level attribute's value.
Status validate_value(ByteReader& in, int level) {
  if (level > kNestingMax) return corrupt("nested too deep");
  uint8_t byte;
  if (!in.u8(byte) || byte > static_cast<uint8_t>(ValueType::kMap)) return corrupt("unknown type");
  const auto type = static_cast<ValueType>(byte);
  if (type <= ValueType::kTrue) return {};
  std::string_view bytes;
  if (!canonical_bytes(in, bytes)) return corrupt("a value is cut off");
  if (type <= ValueType::kBinary) return validate_scalar(type, bytes);
  ByteReader content(bytes);
  uint64_t count;
  if (!canonical_varint(content, count)) return corrupt("a count is cut off");
  if (type == ValueType::kMap) {
    RETURN_IF_ERROR(validate_entries(content, count, level + 1));
  } else if (type == ValueType::kList) {
    for (uint64_t i = 0; i < count; ++i) RETURN_IF_ERROR(validate_value(content, level + 1));
  } else {
    RETURN_IF_ERROR(validate_set(type, content, count));
  }
  if (!content.empty()) return corrupt("bytes after a value's end");
  return {};
}

}  // namespace

Status validate_item(std::string_view encoded_item) {
  ByteReader in(encoded_item);
  uint64_t count;
  if (!canonical_varint(in, count)) return corrupt("a count is cut off");
  RETURN_IF_ERROR(validate_entries(in, count, 1));
  if (!in.empty()) return corrupt("bytes after its end");
  return {};
}

}  // namespace millrace
