#include "cache/ghost_table.h"

namespace millrace::cache {
namespace {

uint64_t hash_of(uint64_t number) { return number * 0x9e3779b97f4a7c15u ^ number << 17; }

TEST(GhostTable, RemembersOnceWhatLeftLately) {
  GhostTable ghosts;
  EXPECT_FALSE(ghosts.take(hash_of(1)));
  ghosts.add(hash_of(1), 100);
  EXPECT_TRUE(ghosts.take(hash_of(1)));
  EXPECT_FALSE(ghosts.take(hash_of(1)));
}

TEST(GhostTable, ForgetsWhatLeftBeforeTheLastCapacity) {
  GhostTable ghosts;
  for (uint64_t i = 0; i < 150; ++i) ghosts.add(hash_of(i), 100);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_FALSE(ghosts.take(hash_of(i))) << i;
}

TEST(GhostTable, RemembersNearlyAllOfTheLastCapacityWhileItGrows) {
  GhostTable ghosts;
  constexpr uint64_t kCount = 10'000;
  for (uint64_t i = 0; i < kCount; ++i) ghosts.add(hash_of(i), i + 1);
  uint64_t found = 0;
  for (uint64_t i = 0; i < kCount; ++i) found += ghosts.take(hash_of(i));
  EXPECT_GT(found, kCount * 9 / 10);
  EXPECT_LE(ghosts.bytes(), kCount * 16);
}

TEST(GhostTable, ACapacityOfNothingRemembersNothing) {
  GhostTable ghosts;
  ghosts.add(hash_of(1), 0);
  EXPECT_FALSE(ghosts.take(hash_of(1)));
  EXPECT_EQ(ghosts.bytes(), 0u);
}

}  // namespace
}  // namespace millrace::cache
