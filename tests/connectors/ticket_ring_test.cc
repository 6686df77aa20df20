#include "connectors/ticket_ring.h"

#include "core/base/random.h"

namespace millrace::connectors {
namespace {

TEST(TicketRing, PopsOnlyWhatIsAcknowledgedWithoutAGap) {
  TicketRing ring(4);
  uint64_t first = ring.push(10, 1, 100);
  uint64_t second = ring.push(11, 2, 200);
  TicketRing::Slot slot;
  ring.acknowledge(second);
  EXPECT_FALSE(ring.pop_acknowledged(slot));
  ring.acknowledge(first);
  ASSERT_TRUE(ring.pop_acknowledged(slot));
  EXPECT_EQ(slot.lsn, 10u);
  EXPECT_EQ(ring.bytes(), 200u);
  ASSERT_TRUE(ring.pop_acknowledged(slot));
  EXPECT_EQ(slot.lsn, 11u);
  EXPECT_FALSE(ring.pop_acknowledged(slot));
  EXPECT_TRUE(ring.empty());
}

TEST(TicketRing, IgnoresTicketsFromBeforeAClear) {
  TicketRing ring(2);
  uint64_t old = ring.push(10, 1, 1);
  ring.clear();
  uint64_t fresh = ring.push(10, 1, 1);
  EXPECT_NE(old, fresh);
  ring.acknowledge(old);
  ring.acknowledge(fresh + 1);
  TicketRing::Slot slot;
  EXPECT_FALSE(ring.pop_acknowledged(slot));
}

TEST(TicketRing, AgreesWithAModelOverManyRounds) {
  constexpr uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  TicketRing ring(16);
  std::vector<std::pair<uint64_t, bool>> model;  // ticket, acknowledged; oldest first
  for (int round = 0; round < 100000; ++round) {
    if (!ring.full() && random.one_in(2)) {
      model.emplace_back(ring.push(static_cast<Lsn>(round), round, 1), false);
    } else if (!model.empty()) {
      auto& [ticket, acknowledged] = model[random.below(model.size())];
      ring.acknowledge(ticket);
      acknowledged = true;
    }
    TicketRing::Slot slot;
    while (ring.pop_acknowledged(slot)) {
      ASSERT_TRUE(model.front().second);
      model.erase(model.begin());
    }
    ASSERT_TRUE(model.empty() || !model.front().second);
    ASSERT_EQ(ring.size(), model.size());
    ASSERT_EQ(ring.bytes(), model.size());
  }
}

}  // namespace
}  // namespace millrace::connectors
