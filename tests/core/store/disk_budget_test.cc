#include "core/store/disk_budget.h"

#include <gtest/gtest.h>

#include "tests/sim/sim_disk.h"

namespace millrace {
namespace {

using Level = DiskBudget::Level;

class DiskBudgetTest : public ::testing::Test {
 protected:
  void use(const std::string& path, size_t bytes) {
    disk_.set_content(path, std::string(bytes, 'x'));
  }
  Level measured(DiskBudget& budget) {
    EXPECT_TRUE(budget.measure());
    return budget.level();
  }
  sim::SimDisk disk_;
};

TEST_F(DiskBudgetTest, RefusesGrowthInTheReserveAndAllWritesInItsLastPart) {
  DiskBudget budget(disk_, "/data", 1000 << 10);  // the reserve: 250 KB, its last part: 31 KB
  EXPECT_EQ(measured(budget), Level::kRoomy);
  EXPECT_TRUE(budget.may_grow());
  use("/data/log/a", 740 << 10);
  EXPECT_EQ(measured(budget), Level::kRoomy);
  use("/data/tables/b", 20 << 10);
  EXPECT_EQ(measured(budget), Level::kLow);
  EXPECT_EQ(budget.may_grow().error().code, ErrorCode::kRequestLimitExceeded);
  EXPECT_TRUE(budget.may_write());
  use("/data/tables/b", 240 << 10);
  EXPECT_EQ(measured(budget), Level::kExhausted);
  EXPECT_EQ(budget.may_write().error().code, ErrorCode::kRequestLimitExceeded);
  EXPECT_EQ(budget.figures().used_bytes, 980u << 10);
  EXPECT_EQ(budget.figures().room_bytes, 20u << 10);
  EXPECT_EQ(budget.figures().budget_bytes, 1000u << 10);
}

TEST_F(DiskBudgetTest, GoesBackOnlyWithSomeRoomToSpare) {
  DiskBudget budget(disk_, "/data", 1000 << 10);
  use("/data/a", 760 << 10);
  EXPECT_EQ(measured(budget), Level::kLow);
  use("/data/a", 740 << 10);  // 260 KB of room, 266 KB would do
  EXPECT_EQ(measured(budget), Level::kLow);
  use("/data/a", 730 << 10);
  EXPECT_EQ(measured(budget), Level::kRoomy);
}

TEST_F(DiskBudgetTest, TheFileSystemIsTheBudgetWhereItHasLess) {
  DiskBudget budget(disk_, "/data", 0);
  use("/data/a", 100 << 10);
  use("/other", 700 << 10);
  disk_.set_capacity(1000 << 10);
  EXPECT_EQ(measured(budget), Level::kRoomy);
  EXPECT_EQ(budget.figures().budget_bytes, 300u << 10);
  use("/other", 870 << 10);  // others may take it too
  EXPECT_EQ(measured(budget), Level::kLow);
}

TEST_F(DiskBudgetTest, AWriteThatWasRefusedStopsAllUntilTheNextLook) {
  DiskBudget budget(disk_, "/data", 0);
  EXPECT_EQ(measured(budget), Level::kRoomy);
  budget.note_full();
  EXPECT_FALSE(budget.may_write());
  EXPECT_EQ(measured(budget), Level::kRoomy);
}

}  // namespace
}  // namespace millrace
