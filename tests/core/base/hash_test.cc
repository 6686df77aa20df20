#include "core/base/hash.h"

namespace millrace {
namespace {

TEST(Hash, ValuesArePersistedAsTheyAre) {
  // XXH3, 64 bits, seed 0: from the reference implementation.
  EXPECT_EQ(xxh3_64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(xxh3_64("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(xxh3_64("abc"), 0x78af5f94892f3950u);
}

}  // namespace
}  // namespace millrace
