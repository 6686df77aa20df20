#include "core/net/gzip.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Gzip, RoundTrips) {
  for (size_t size : {0u, 1u, 1000u, 100000u}) {
    const std::string plain(size, 'q');
    std::string packed, back = "before";
    gzip(plain, packed);
    EXPECT_EQ(gunzip(packed, 200000, back), GunzipOutcome::kDone);
    EXPECT_EQ(back, "before" + plain);
  }
}

TEST(Gzip, RefusesABomb) {
  std::string packed, out;
  gzip(std::string(10 << 20, '\0'), packed);
  ASSERT_LT(packed.size(), 100000u);
  EXPECT_EQ(gunzip(packed, 1 << 20, out), GunzipOutcome::kTooLarge);
  // One that lies about its size does not fit what it says.
  packed.replace(packed.size() - 4, 4, std::string("\x10\0\0\0", 4));
  EXPECT_EQ(gunzip(packed, 1 << 20, out), GunzipOutcome::kBad);
  EXPECT_TRUE(out.empty());
}

TEST(Gzip, RefusesDamage) {
  std::string packed, out;
  gzip("some text that is long enough to be worth it", packed);
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_NE(gunzip(std::string_view(packed).substr(0, size), 1 << 20, out), GunzipOutcome::kDone);
  }
  EXPECT_EQ(gunzip(packed + packed, 1 << 20, out), GunzipOutcome::kBad);
  packed[12] = static_cast<char>(packed[12] ^ 0x40);
  EXPECT_NE(gunzip(packed, 1 << 20, out), GunzipOutcome::kDone);
  EXPECT_TRUE(out.empty());
}

TEST(Gzip, ChecksumIsTheUsualOne) { EXPECT_EQ(crc32("123456789"), 0xcbf43926u); }

}  // namespace
}  // namespace millrace
