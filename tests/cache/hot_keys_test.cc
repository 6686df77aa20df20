#include "cache/hot_keys.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/base/random.h"

namespace millrace::cache {
namespace {

void count(HotKeys& hot, const std::string& key, RequestKind kind = RequestKind::kRead,
           uint32_t now_s = 0) {
  hot.count(key, xxh3_64(key), kind, now_s);
}

std::map<std::string, HotKey> collected(HotKeys& hot, uint32_t now_s = 0) {
  std::vector<HotKey> keys;
  hot.collect(now_s, keys);
  std::map<std::string, HotKey> by_key;
  for (HotKey& key : keys) by_key[key.key] = key;
  EXPECT_EQ(by_key.size(), keys.size()) << "a key is there twice";
  return by_key;
}

struct Traffic {
  const char* name;
  double zipf_exponent;  // 0: all keys alike
  size_t keys;
};

std::vector<size_t> requests_of(const Traffic& traffic, size_t count, Random& random) {
  std::vector<double> cumulative;
  double sum = 0;
  for (size_t i = 0; i < traffic.keys; ++i) {
    cumulative.push_back(sum += std::pow(static_cast<double>(i + 1), -traffic.zipf_exponent));
  }
  std::vector<size_t> requests;
  for (size_t i = 0; i < count; ++i) {
    const auto at = std::lower_bound(cumulative.begin(), cumulative.end(), random.fraction() * sum);
    requests.push_back(
        std::min<size_t>(static_cast<size_t>(at - cumulative.begin()), traffic.keys - 1));
  }
  return requests;
}

TEST(HotKeys, CountsAreWithinTheAlgorithmsBoundsOfTheExactOnes) {
  constexpr size_t kRequests = 50'000;
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (const Traffic& traffic : {Traffic{"zipf 1.0", 1.0, 5000}, Traffic{"zipf 0.5", 0.5, 5000},
                                 Traffic{"uniform", 0, 500}, Traffic{"few", 1.0, 20}}) {
    SCOPED_TRACE(traffic.name);
    for (size_t keys_max : {1, 10, 64}) {
      HotKeys hot(keys_max);
      std::map<std::string, uint64_t> exact;
      for (size_t number : requests_of(traffic, kRequests, random)) {
        const std::string key = "key" + std::to_string(number);
        ++exact[key];
        count(hot, key, random.one_in(4) ? RequestKind::kWrite : RequestKind::kRead);
      }
      const auto tracked = collected(hot);
      EXPECT_LE(tracked.size(), keys_max);
      const uint64_t error_max = kRequests / keys_max;
      uint64_t sum = 0;
      for (const auto& [name, key] : tracked) {
        EXPECT_LE(key.requests(), exact[name]);
        EXPECT_GE(key.requests() + key.excess, exact[name]);
        EXPECT_LE(key.excess, error_max);
        sum += key.requests() + key.excess;
      }
      EXPECT_EQ(sum, kRequests);
      for (const auto& [name, number] : exact) {
        EXPECT_TRUE(number <= error_max || tracked.contains(name)) << name << " " << number;
      }
    }
  }
}

TEST(HotKeys, FewKeysAreCountedExactlyByKindOfRequest) {
  HotKeys hot(4);
  for (int i = 0; i < 5; ++i) count(hot, "a");
  for (int i = 0; i < 3; ++i) count(hot, "a", RequestKind::kWrite);
  count(hot, "b");
  auto keys = collected(hot);
  EXPECT_EQ(keys["a"].reads, 5u);
  EXPECT_EQ(keys["a"].writes, 3u);
  EXPECT_EQ(keys["a"].excess, 0u);
  EXPECT_EQ(keys["b"].requests(), 1u);
}

TEST(HotKeys, MemoryIsBoundedWhateverIsAsked) {
  HotKeys hot(64);
  const std::string longest(3000, 'k');
  for (int i = 0; i < 100'000; ++i) count(hot, std::to_string(i) + longest);
  EXPECT_EQ(collected(hot).size(), 64u);
  // A string takes twice what it holds at most when it grows.
  EXPECT_LE(hot.bytes(), 64 * (2 * (longest.size() + 8) + 64));
}

TEST(HotKeys, OldRequestsWeighHalfForEachMinuteThatHasBegunSince) {
  HotKeys hot(8);
  for (int i = 0; i < 64; ++i)
    count(hot, "then", i % 2 ? RequestKind::kRead : RequestKind::kWrite, 59);
  for (int i = 0; i < 20; ++i) count(hot, "now", RequestKind::kRead, 180);
  auto keys = collected(hot, 180);
  EXPECT_EQ(keys["then"].reads, 4u);
  EXPECT_EQ(keys["then"].writes, 4u);
  EXPECT_EQ(keys["now"].reads, 20u);
  EXPECT_FALSE(collected(hot, 180 + 60 * 5).contains("then"));
  EXPECT_TRUE(collected(hot, 180 + 60 * 40).empty());
}

TEST(HotKeys, ALookAtTheClockThatComesLateChangesNothing) {
  HotKeys hot(8);
  for (int i = 0; i < 16; ++i) count(hot, "a", RequestKind::kRead, 120);
  count(hot, "a", RequestKind::kRead, 119);
  EXPECT_EQ(collected(hot, 119)["a"].reads, 17u);
}

TEST(HotKeys, ASteadyRateIsItsCountByTheWindow) {
  constexpr uint32_t kStart = 1010;
  HotKeys hot(8);
  for (uint32_t now = kStart; now < kStart + 1000; ++now) {
    for (int i = 0; i < 100; ++i) count(hot, "a", RequestKind::kRead, now);
    if (now < kStart + 10) continue;
    const double rate = static_cast<double>(collected(hot, now + 1)["a"].reads) /
                        HotKeys::window_s(kStart, now + 1);
    ASSERT_NEAR(rate, 100, 2) << now - kStart;
  }
}

}  // namespace
}  // namespace millrace::cache
