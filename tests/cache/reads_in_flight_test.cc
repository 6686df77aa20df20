#include "cache/reads_in_flight.h"

#include <utility>

namespace millrace::cache {
namespace {

using Role = ReadsInFlight::Role;

class ReadsInFlightTest : public ::testing::Test {
 protected:
  Role begin(uint64_t hash) {
    std::function<void()> resume = [] {};
    return reads_.begin(hash, resume);
  }
  ReadsInFlight reads_;
};

TEST_F(ReadsInFlightTest, TheFirstReadsAndTheOthersWait) {
  EXPECT_EQ(begin(1), Role::kReader);
  EXPECT_EQ(begin(1), Role::kWaiter);
  EXPECT_EQ(begin(1), Role::kWaiter);
  EXPECT_EQ(begin(2), Role::kReader);
  EXPECT_EQ(reads_.finish(1, true).size(), 2u);
  EXPECT_EQ(begin(1), Role::kReader);
}

TEST_F(ReadsInFlightTest, FinishingWhatNeverBeganIsNothing) {
  EXPECT_TRUE(reads_.finish(1, true).empty());
  EXPECT_TRUE(reads_.finish(1, false).empty());
  EXPECT_EQ(begin(1), Role::kReader);
}

TEST_F(ReadsInFlightTest, ReadsBeyondTheLimitAreIndependent) {
  for (uint64_t hash = 0; hash < ReadsInFlight::kReadsMax; ++hash) {
    EXPECT_EQ(begin(hash), Role::kReader);
  }
  EXPECT_EQ(begin(ReadsInFlight::kReadsMax), Role::kIndependent);
  reads_.finish(0, true);
  EXPECT_EQ(begin(ReadsInFlight::kReadsMax), Role::kReader);
}

TEST_F(ReadsInFlightTest, WaitersBeyondTheLimitAreIndependent) {
  EXPECT_EQ(begin(1), Role::kReader);
  for (size_t i = 0; i < ReadsInFlight::kWaitersMax; ++i) EXPECT_EQ(begin(1), Role::kWaiter);
  EXPECT_EQ(begin(1), Role::kIndependent);
  EXPECT_EQ(reads_.finish(1, true).size(), ReadsInFlight::kWaitersMax);
  EXPECT_EQ(begin(1), Role::kReader);
  EXPECT_EQ(begin(1), Role::kWaiter);
}

TEST_F(ReadsInFlightTest, WaitersThatNeverAskAgainDoNotFillTheTable) {
  for (uint64_t hash = 0; hash < 3 * ReadsInFlight::kReadsMax; ++hash) {
    EXPECT_EQ(begin(hash), Role::kReader);
    EXPECT_EQ(begin(hash), Role::kWaiter);
    EXPECT_EQ(reads_.finish(hash, false).size(), 1u);
  }
}

}  // namespace
}  // namespace millrace::cache
