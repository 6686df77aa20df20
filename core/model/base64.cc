#include <array>

#include "core/model/item_json.h"

namespace millrace {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> kSextets = [] {
  std::array<int8_t, 256> sextets{};
  sextets.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    sextets[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return sextets;
}();

int sextet(char c) { return kSextets[static_cast<uint8_t>(c)]; }

}  // namespace

void render_base64(std::string_view bytes, std::string& out) {
  size_t at = out.size();
  out.resize(at + (bytes.size() + 2) / 3 * 4);
  char* p = out.data() + at;
  auto byte = [&](size_t i) {
    return i < bytes.size() ? uint32_t{static_cast<uint8_t>(bytes[i])} : 0;
  };
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t triple = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *p++ = kAlphabet[triple >> 18];
    *p++ = kAlphabet[triple >> 12 & 63];
    *p++ = i + 1 < bytes.size() ? kAlphabet[triple >> 6 & 63] : '=';
    *p++ = i + 2 < bytes.size() ? kAlphabet[triple & 63] : '=';
  }
}

bool parse_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  const size_t digits = text.size() - padding;
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int value = sextet(text[i]);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 == 3) {
      out += static_cast<char>(bits >> 16);
      out += static_cast<char>(bits >> 8);
      out += static_cast<char>(bits);
      bits = 0;
    }
  }
  // The bits that the padding leaves over must be zero, or equal bytes would have several texts.
  if (padding == 1) {
    if ((bits & 3) != 0) return false;
    out += static_cast<char>(bits >> 10);
    out += static_cast<char>(bits >> 2);
  } else if (padding == 2) {
    if ((bits & 15) != 0) return false;
    out += static_cast<char>(bits >> 4);
  }
  return true;
}

}  // namespace millrace
