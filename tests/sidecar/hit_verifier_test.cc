#include "sidecar/hit_verifier.h"

#include <gmock/gmock.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <vector>

#include "core/model/schema.h"
#include "core/ops/catalog.h"
#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string page_of(const HitVerifier& verifier) {
  std::vector<prometheus::MetricFamily> families;
  verifier.collect(families);
  return prometheus::TextSerializer().Serialize(families);
}

class HitVerifierTest : public testing::Test {
 protected:
  HitVerifierTest() {
    start_event_log(LogFormat::kText);
    table.name = "films";
    table.generation = kFirstUserGeneration;
    table.key.partition = {"id", ValueType::kString};
    append_partition_prefix(table.generation, "abc", key);
  }
  std::string logged(HitVerifier& verifier, const Result<bool>& equal, const CheckedHit& hit) {
    testing::internal::CaptureStderr();
    verifier.checked(equal, hit);
    return testing::internal::GetCapturedStderr();
  }
  CheckedHit item() { return {"GetItem", table, {}, key, 17}; }
  CheckedHit page() { return {"Query", table, "byYear", {}, 18}; }

  Table table;
  std::string key;
};

TEST_F(HitVerifierTest, ChoosesTheFractionOfTheReads) {
  HitVerifier all(1, 2, Random(1));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(all.chooses());
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HitVerifier some(0.01, 2, Random(seed));
    int chosen = 0;
    for (int i = 0; i < 1'000'000; ++i) chosen += some.chooses();
    EXPECT_NEAR(chosen, 10'000, 300) << "seed " << seed;
  }
}

TEST_F(HitVerifierTest, ReadsThatAlternateAreChosenAlike) {
  HitVerifier some(0.01, 2, Random(1));
  int even = 0, odd = 0;
  for (int i = 0; i < 1'000'000; i += 2) {
    even += some.chooses();
    odd += some.chooses();
  }
  EXPECT_NEAR(even, odd, 500);
}

TEST_F(HitVerifierTest, CountsAndTellsOfMismatches) {
  HitVerifier verifier(1, 2, Random(1));
  EXPECT_THAT(page_of(verifier), HasSubstr("millrace_cache_mismatch_ratio 0\n"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(logged(verifier, true, item()), "");
  EXPECT_EQ(logged(verifier, make_error(ErrorCode::kCorruption, "a block"), item()), "");
  const std::string line = logged(verifier, false, item());
  for (const char* part : {"cache-mismatch", "operation=GetItem", "table=films", "abc", "lsn=17"})
    EXPECT_THAT(line, HasSubstr(part));
  EXPECT_THAT(logged(verifier, false, page()), HasSubstr("index=byYear"));
  const std::string metrics = page_of(verifier);
  auto count = [](const std::string& cache, const std::string& outcome, int value) {
    return "millrace_cache_checked_hits_total{cache=\"" + cache + "\",outcome=\"" + outcome +
           "\"} " + std::to_string(value) + "\n";
  };
  for (const std::string& sample :
       {count("item", "equal", 3), count("item", "mismatch", 1), count("item", "unreadable", 1),
        count("query", "equal", 0), count("query", "mismatch", 1),
        std::string("millrace_cache_mismatch_ratio 0.4\n")}) {
    EXPECT_THAT(metrics, HasSubstr(sample));
  }
}

TEST_F(HitVerifierTest, AMismatchThatComesAllTheTimeDoesNotFillTheLog) {
  HitVerifier verifier(1, 2, Random(1));
  int lines = 0;
  for (int i = 0; i < 1000; ++i) lines += !logged(verifier, false, item()).empty();
  EXPECT_EQ(lines, 10);
}

}  // namespace
}  // namespace millrace::sidecar
