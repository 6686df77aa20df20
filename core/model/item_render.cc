#include <algorithm>
#include <bit>

#include "core/model/item_json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace {
namespace {

bool must_escape(char c) { return (static_cast<uint8_t>(c) < 0x20) | (c == '"') | (c == '\\'); }

#ifdef __SSE2__
// A bit for each of sixteen bytes that must be escaped.
unsigned escape_mask(const char* bytes) {
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  const __m128i control =
      _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);  // at most 0x1f
  const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))));
}
#endif

// How many bytes at the front of `text` need no escape.
size_t plain_prefix(std::string_view text) {
  size_t i = 0;
#ifdef __SSE2__
  constexpr size_t kBlock = 16;
  if (text.size() >= kBlock) {
    for (;;) {
      const unsigned mask = escape_mask(text.data() + i);
      if (mask != 0) return i + static_cast<size_t>(std::countr_zero(mask));
      if (i == text.size() - kBlock) return text.size();
      i = std::min(i + kBlock, text.size() - kBlock);  // the last block may overlap
    }
  }
#endif
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

std::string printed_key_value(ValueView value) {
  std::string text = "AttributeValue: {" + std::string(wire_name(value.type())) + ":";
  if (value.type() == ValueType::kNumber) {
    value.number().append_text(text);
  } else if (value.type() == ValueType::kString) {
    text += value.scalar();
  } else {
    const std::string size = std::to_string(value.scalar().size());
    text += "java.nio.HeapByteBuffer[pos=0 lim=" + size + " cap=" + size + "]";
  }
  return text + "}";
}

}  // namespace millrace
