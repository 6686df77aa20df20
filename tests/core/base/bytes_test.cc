#include "core/base/bytes.h"

#include <iostream>

#include "core/base/random.h"

namespace millrace {
namespace {

TEST(Bytes, IntegersArePersistedAsTheyAre) {
  std::string out;
  put_fixed16(out, 0x0102);
  put_fixed32(out, 0x01020304);
  put_fixed64(out, 0x0102030405060708);
  EXPECT_EQ(out, std::string_view("\x02\x01\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01"));
  out.clear();
  put_big_endian16(out, 0x0102);
  put_big_endian64(out, 0x0102030405060708);
  EXPECT_EQ(out, std::string_view("\x01\x02\x01\x02\x03\x04\x05\x06\x07\x08"));
  out.clear();
  put_varint(out, 0);
  put_varint(out, 127);
  put_varint(out, 128);
  put_varint(out, 300);
  EXPECT_EQ(out, std::string_view("\x00\x7f\x80\x01\xac\x02", 6));
  out.clear();
  put_varint(out, UINT64_MAX);
  EXPECT_EQ(out, std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

TEST(Bytes, WhatIsWrittenIsRead) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 2000; ++round) {
    const uint64_t number = random.next() >> random.below(64);
    const auto small = static_cast<uint32_t>(number);
    std::string text(random.below(200), 'x');
    std::string out;
    out.push_back('\x7f');
    put_fixed32(out, small);
    put_fixed64(out, number);
    put_varint(out, number);
    put_length_prefixed(out, text);
    ByteReader in(out);
    uint8_t byte;
    uint32_t read_small;
    uint64_t read_number, read_varint;
    std::string_view read_text;
    ASSERT_TRUE(in.u8(byte) && in.fixed32(read_small) && in.fixed64(read_number) &&
                in.varint(read_varint) && in.length_prefixed(read_text));
    ASSERT_EQ(byte, 0x7f);
    ASSERT_EQ(read_small, small);
    ASSERT_EQ(read_number, number);
    ASSERT_EQ(read_varint, number);
    ASSERT_EQ(read_text, text);
    ASSERT_TRUE(in.empty());
    ASSERT_EQ(get_big_endian64([&] {
                std::string b;
                put_big_endian64(b, number);
                return b;
              }()
                                   .data()),
              number);
  }
}

TEST(Bytes, AReaderNeverReadsPastTheEnd) {
  std::string_view bytes;
  uint8_t byte;
  uint32_t small;
  uint64_t number;
  EXPECT_FALSE(ByteReader("").u8(byte));
  EXPECT_FALSE(ByteReader("abc").fixed32(small));
  EXPECT_FALSE(ByteReader("abcdefg").fixed64(number));
  EXPECT_FALSE(ByteReader("abc").bytes(4, bytes));
  EXPECT_FALSE(ByteReader("\x80").varint(number));
  EXPECT_FALSE(ByteReader("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01").varint(number));
  EXPECT_FALSE(ByteReader("\x04"
                          "abc")
                   .length_prefixed(bytes));
  EXPECT_FALSE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                          "abc")
                   .length_prefixed(bytes));
}

TEST(Bytes, BigEndianOrdersAsMemcmpDoes) {
  std::string small, great;
  put_big_endian64(small, 255);
  put_big_endian64(great, 256);
  EXPECT_LT(small, great);
}

}  // namespace
}  // namespace millrace
