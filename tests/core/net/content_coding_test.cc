#include "core/net/content_coding.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

namespace millrace {
namespace {

std::string gzipped(std::string_view plain) {
  std::string packed;
  encode(ContentCoding::kGzip, plain, packed);
  return packed;
}

TEST(ContentCoding, GzipComesBack) {
  for (size_t size : {0u, 1u, 1000u, 100000u}) {
    const std::string plain(size, 'q');
    std::string back = "before";
    EXPECT_EQ(gunzip(gzipped(plain), 200000, back), GunzipOutcome::kDone);
    EXPECT_EQ(back, "before" + plain);
  }
}

TEST(ContentCoding, DeflateIsInZlibsFrame) {
  const std::string plain(10000, 'd');
  std::string packed, back(20000, '\0');
  encode(ContentCoding::kDeflate, plain, packed);
  size_t size = 0;
  libdeflate_decompressor* const decompressor = libdeflate_alloc_decompressor();
  ASSERT_EQ(libdeflate_zlib_decompress(decompressor, packed.data(), packed.size(), back.data(),
                                       back.size(), &size),
            LIBDEFLATE_SUCCESS);
  libdeflate_free_decompressor(decompressor);
  back.resize(size);
  EXPECT_EQ(back, plain);
}

TEST(ContentCoding, MembersAreOneText) {
  // The last one's size says little of the whole's.
  const std::string large(100000, 'l');
  std::string out = "before";
  EXPECT_EQ(gunzip(gzipped(large) + gzipped("") + gzipped("end"), 100003, out),
            GunzipOutcome::kDone);
  EXPECT_EQ(out, "before" + large + "end");
  EXPECT_EQ(gunzip(gzipped(large) + gzipped("end"), 100002, out), GunzipOutcome::kTooLarge);
  EXPECT_EQ(out, "before" + large + "end");
}

TEST(ContentCoding, RefusesABomb) {
  std::string packed = gzipped(std::string(10 << 20, '\0'));
  std::string out;
  ASSERT_LT(packed.size(), 100000u);
  EXPECT_EQ(gunzip(packed, 1 << 20, out), GunzipOutcome::kTooLarge);
  // One that lies about its size gets no more.
  packed.replace(packed.size() - 4, 4, std::string("\x10\0\0\0", 4));
  EXPECT_EQ(gunzip(packed, 1 << 20, out), GunzipOutcome::kTooLarge);
  EXPECT_EQ(gunzip(packed, 11 << 20, out), GunzipOutcome::kBad);
  EXPECT_TRUE(out.empty());
  EXPECT_LE(out.capacity(), 22u << 20);
}

TEST(ContentCoding, RefusesDamage) {
  std::string packed = gzipped("some text that is long enough to be worth it");
  std::string out;
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_EQ(gunzip(std::string_view(packed).substr(0, size), 1 << 20, out), GunzipOutcome::kBad);
    EXPECT_EQ(gunzip(packed + packed.substr(0, size), 1 << 20, out),
              size == 0 ? GunzipOutcome::kDone : GunzipOutcome::kBad);
    out.clear();
  }
  EXPECT_EQ(gunzip(packed + "junk", 1 << 20, out), GunzipOutcome::kBad);
  EXPECT_EQ(gunzip(packed + std::string(30, 'j'), 1 << 20, out), GunzipOutcome::kBad);
  packed[12] = static_cast<char>(packed[12] ^ 0x40);
  EXPECT_EQ(gunzip(packed, 1 << 20, out), GunzipOutcome::kBad);
  EXPECT_TRUE(out.empty());
}

// As the service does by ScyllaDB's test/alternator/test_compressed_response.py, which runs there.
TEST(ContentCoding, TheAcceptedOneIsTheServices) {
  constexpr ContentCoding kNone = ContentCoding::kIdentity, kGzip = ContentCoding::kGzip,
                          kDeflate = ContentCoding::kDeflate;
  const struct {
    const char* accepted;
    ContentCoding coding;
  } cases[] = {
      {"", kNone},
      {"identity", kNone},
      {"br", kNone},
      {"x-gzip", kNone},
      {"gzippy", kNone},
      {"\"gzip\"", kNone},
      {"gzip br", kNone},
      {"gzip:q=1", kNone},
      {"gzip ;q=0", kNone},
      {"gzip; q=0.000", kNone},
      {"*;q=0", kNone},
      {"br;q=0.8,identity;q=0.5,*;q=0", kNone},
      {"gzip;nq=1;q=0 ", kNone},
      {"gzip", kGzip},
      {"GZIP, identity", kGzip},
      {"dog, gzip ,, cat", kGzip},
      {"gzip, deflate", kGzip},
      {"br, identity, deflate, gzip", kDeflate},
      {"gzip;q=0.8, deflate;q=0.5", kGzip},
      {"br, gzip;q=0, deflate; q = 0.5 , identity;q=0", kDeflate},
      {"*", kGzip},
      {"*, deflate;q=0.5", kGzip},
      {"*, deflate", kDeflate},
      {"*, identity", kGzip},
      {"*, gzip;q=0.5", kDeflate},
      {"*;q=0.5,identity", kGzip},
      {"gzip;q=0.5,identity;q=0.8", kGzip},
      {"deflate;q=0.5, gzip;q=31", kGzip},
      {"gzip;q=31,deflate;q=51", kGzip},
      {"deflate;q=0.5, gzip;q=0.2", kDeflate},
      {"deflate;q=0.5, gzip;q=1;q=0.2", kGzip},
      {"deflate;q=0.5,gzip;q=0.", kDeflate},
      {"deflate;q=0.5,gzip;q=0.x", kGzip},
      {"deflate;q=-0.5,gzip;q=0.2", kGzip},
      {"gzip;q=0, gzip;q=1, gzip;q=0", kGzip},
      {"br,identity;q=0.5,gzip;q=0.0001", kGzip},
      {"deflate;q=0.5, gzip;q=nan", kGzip},
  };
  for (const auto& [accepted, coding] : cases) {
    EXPECT_EQ(accepted_coding(accepted), coding) << accepted;
  }
}

TEST(ContentCoding, ChecksumIsTheUsualOne) { EXPECT_EQ(crc32("123456789"), 0xcbf43926u); }

}  // namespace
}  // namespace millrace
