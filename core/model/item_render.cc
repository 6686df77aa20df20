#include <bit>
#include <cstring>

#include "core/model/item_json.h"

namespace millrace {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101u;
constexpr uint64_t kHighs = 0x8080808080808080u;

// A high bit set in (at least) the lowest byte of `word` that JSON must escape: below 0x20, '"' or
// '\'.
uint64_t bytes_to_escape(uint64_t word) {
  auto zero_bytes = [](uint64_t x) { return (x - kOnes) & ~x; };
  const uint64_t control = (word - kOnes * 0x20) & ~word;
  return (control | zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\')) & kHighs;
}

bool must_escape(char c) { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

// How many bytes at the front of `text` need no escape.
size_t plain_prefix(std::string_view text) {
  static_assert(std::endian::native == std::endian::little);
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (const uint64_t found = bytes_to_escape(word); found != 0) {
      return i + static_cast<size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (i < text.size() && !must_escape(text[i])) ++i;
  return i;
}

void append_escape(char c, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
  }
}

void render_scalar(ValueType type, std::string_view scalar, std::string& out) {
  if (type == ValueType::kString || type == ValueType::kStringSet) {
    render_json_string(scalar, out);
    return;
  }
  out += '"';
  if (type == ValueType::kNumber || type == ValueType::kNumberSet) {
    Number::from_ordered(scalar).value().append_text(out);
  } else {
    render_base64(scalar, out);
  }
  out += '"';
}

void render_entries(MapView entries, std::string& out) {
  out += '{';
  bool first = true;
  for (const MapView::Entry entry : entries) {
    if (!first) out += ',';
    first = false;
    render_json_string(entry.name, out);
    out += ':';
    render_value(entry.value, out);
  }
  out += '}';
}

}  // namespace

void render_item(ItemView item, std::string& out) {
  out.reserve(out.size() + item.encoded().size() * 5 / 4 + 64);
  render_entries(item.attributes(), out);
}

void render_value(ValueView value, std::string& out) {
  const ValueType type = value.type();
  switch (type) {
    case ValueType::kNull:
      out += R"({"NULL":true})";
      return;
    case ValueType::kFalse:
      out += R"({"BOOL":false})";
      return;
    case ValueType::kTrue:
      out += R"({"BOOL":true})";
      return;
    case ValueType::kString:
      out += R"({"S":)";
      render_json_string(value.scalar(), out);
      break;
    case ValueType::kNumber:
    case ValueType::kBinary:
      out += type == ValueType::kNumber ? R"({"N":)" : R"({"B":)";
      render_scalar(type, value.scalar(), out);
      break;
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet: {
      out += "{\"";
      out += wire_name(type);
      out += "\":";
      char separator = '[';
      for (std::string_view element : value.set()) {
        out += separator;
        separator = ',';
        render_scalar(type, element, out);
      }
      out += ']';
      break;
    }
    case ValueType::kList: {
      out += R"({"L":[)";
      bool first = true;
      for (ValueView element : value.list()) {
        if (!first) out += ',';
        first = false;
        render_value(element, out);
      }
      out += ']';
      break;
    }
    case ValueType::kMap:
      out += R"({"M":)";
      render_entries(value.map(), out);
      break;
  }
  out += '}';
}

void render_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (;;) {
    const size_t plain = plain_prefix(text);
    out.append(text.data(), plain);
    if (plain == text.size()) break;
    append_escape(text[plain], out);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

}  // namespace millrace
