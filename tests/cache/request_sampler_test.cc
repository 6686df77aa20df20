#include "cache/request_sampler.h"

#include <vector>

namespace millrace::cache {
namespace {

TEST(RequestSampler, ChoosesItsShareAlsoOfRequestsThatAlternate) {
  constexpr int kKinds = RequestSampler::kOneIn;
  constexpr int kOfAKind = 100'000;
  RequestSampler sampler;
  std::vector<int> chosen(kKinds);
  for (int i = 0; i < kOfAKind; ++i) {
    for (int& kind : chosen) kind += sampler.chooses();
  }
  const double expected = static_cast<double>(kOfAKind) / RequestSampler::kOneIn;
  // Five standard deviations; the generator's seed is fixed.
  for (int kind : chosen) EXPECT_NEAR(kind, expected, 5 * 80);
}

}  // namespace
}  // namespace millrace::cache
