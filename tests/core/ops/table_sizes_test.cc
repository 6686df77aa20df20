#include "core/ops/table_sizes.h"

#include <gmock/gmock.h>

#include "ops_node.h"

namespace millrace {
namespace {

using testing::HasSubstr;

class Sizes : public testing::Test {
 protected:
  void put(int number) {
    node.ok("PutItem",
            "{'TableName':'films','Item':{'pk':{'S':'" + std::to_string(10000 + number) + "'}}}");
  }
  std::string described() { return node.ok("DescribeTable", "{'TableName':'films'}"); }
  std::string counted(uint64_t count) { return "\"ItemCount\":" + std::to_string(count); }

  OpsNode node;
};

TEST_F(Sizes, a_small_table_is_counted_exactly_when_asked) {
  node.create_table("films", "",
                    ",'GlobalSecondaryIndexes':[{'IndexName':'byPk','KeySchema':[{'AttributeName':"
                    "'pk','KeyType':'HASH'}],'Projection':{'ProjectionType':'KEYS_ONLY'}}]");
  EXPECT_THAT(described(), HasSubstr(counted(0)));
  for (int i = 0; i < 10; ++i) put(i);
  put(3);
  // Two bytes of name and five of value.
  EXPECT_THAT(described(), HasSubstr("\"TableSizeBytes\":70,\"ItemCount\":10"));
  EXPECT_THAT(described(), HasSubstr("\"IndexSizeBytes\":70,\"ItemCount\":10"));
  node.ok("DeleteItem", "{'TableName':'films','Key':{'pk':{'S':'10003'}}}");
  EXPECT_THAT(described(), HasSubstr("\"TableSizeBytes\":63,\"ItemCount\":9"));
  node.restart();
  EXPECT_THAT(described(), HasSubstr("\"TableSizeBytes\":63,\"ItemCount\":9"));
}

TEST_F(Sizes, a_large_table_is_counted_in_slices_behind) {
  node.create_table("films");
  const int count = static_cast<int>(TableSizes::kQuickEntries) + 100;
  for (int i = 0; i < count; i += 25) {
    std::string requests;
    for (int j = i; j < i + 25; ++j) {
      requests += std::string(requests.empty() ? "" : ",") + "{'PutRequest':{'Item':{'pk':{'S':'" +
                  std::to_string(100000 + j) + "'}}}}";
    }
    node.ok("BatchWriteItem", "{'RequestItems':{'films':[" + requests + "]}}");
  }
  const int written = (count + 24) / 25 * 25;
  EXPECT_THAT(described(), HasSubstr(counted(TableSizes::kQuickEntries)));
  TableSizes& sizes = node.catalog().sizes();
  auto count_some = [&] {
    node.clock.advance(1000);
    ASSERT_TRUE(sizes.count_some(*node.engine().view(), node.clock.monotonic_ns()));
  };
  count_some();
  EXPECT_THAT(described(), HasSubstr(counted(written)));
  // The next count waits for its minute.
  node.ok("PutItem", "{'TableName':'films','Item':{'pk':{'S':'more'}}}");
  described();
  count_some();
  EXPECT_THAT(described(), HasSubstr(counted(written)));
  node.clock.advance(60'000);
  described();
  count_some();
  EXPECT_THAT(described(), HasSubstr(counted(written + 1)));
}

}  // namespace
}  // namespace millrace
