#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace {

// All multi-byte integers on disk are little-endian, except within order-preserving keys, where they
// are big-endian so that memcmp orders them. Both forms are persisted.

inline void put_fixed16(std::string& out, uint16_t value) {
  char b[2] = {static_cast<char>(value), static_cast<char>(value >> 8)};
  out.append(b, sizeof b);
}
inline void put_fixed32(std::string& out, uint32_t value) {
  char b[4];
  for (int i = 0; i < 4; ++i) b[i] = static_cast<char>(value >> (8 * i));
  out.append(b, sizeof b);
}
inline void put_fixed64(std::string& out, uint64_t value) {
  char b[8];
  for (int i = 0; i < 8; ++i) b[i] = static_cast<char>(value >> (8 * i));
  out.append(b, sizeof b);
}
inline void put_big_endian16(std::string& out, uint16_t value) {
  char b[2] = {static_cast<char>(value >> 8), static_cast<char>(value)};
  out.append(b, sizeof b);
}
inline void put_big_endian64(std::string& out, uint64_t value) {
  char b[8];
  for (int i = 0; i < 8; ++i) b[i] = static_cast<char>(value >> (56 - 8 * i));
  out.append(b, sizeof b);
}
inline uint32_t get_fixed32(const char* p) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(p[i])} << (8 * i);
  return value;
}
inline uint64_t get_fixed64(const char* p) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{static_cast<uint8_t>(p[i])} << (8 * i);
  return value;
}
inline uint16_t get_big_endian16(const char* p) {
  return static_cast<uint16_t>(uint16_t{static_cast<uint8_t>(p[0])} << 8 |
                               static_cast<uint8_t>(p[1]));
}
inline uint64_t get_big_endian64(const char* p) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(p[i]);
  return value;
}

/// LEB128: seven bits a byte, low bits first; at most ten bytes.
inline void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
inline void put_length_prefixed(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}

/// A cursor over bytes from outside (disk, wire). Every read says whether it could be made; after
/// one that could not, the reader's position is unspecified.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : p_(bytes.data()), end_(p_ + bytes.size()) {}

  bool empty() const { return p_ == end_; }
  size_t remaining() const { return static_cast<size_t>(end_ - p_); }
  std::string_view rest() const { return {p_, remaining()}; }

  [[nodiscard]] bool u8(uint8_t& value) {
    if (p_ == end_) return false;
    value = static_cast<uint8_t>(*p_++);
    return true;
  }
  [[nodiscard]] bool fixed32(uint32_t& value) {
    if (remaining() < 4) return false;
    value = get_fixed32(p_);
    p_ += 4;
    return true;
  }
  [[nodiscard]] bool fixed64(uint64_t& value) {
    if (remaining() < 8) return false;
    value = get_fixed64(p_);
    p_ += 8;
    return true;
  }
  [[nodiscard]] bool varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && p_ != end_; shift += 7) {
      uint8_t byte = static_cast<uint8_t>(*p_++);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  [[nodiscard]] bool bytes(size_t size, std::string_view& value) {
    if (remaining() < size) return false;
    value = {p_, size};
    p_ += size;
    return true;
  }
  [[nodiscard]] bool length_prefixed(std::string_view& value) {
    uint64_t size;
    return varint(size) && size <= remaining() && bytes(size, value);
  }

 private:
  const char* p_;
  const char* end_;
};

}  // namespace millrace
