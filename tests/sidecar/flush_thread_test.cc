#include "sidecar/flush_thread.h"

#include <gtest/gtest.h>

#include <future>

#include "core/base/clock.h"

namespace millrace::sidecar {
namespace {

// A flush takes as long as the test says.
class DiskTime final : public Clock {
 public:
  int64_t wall_ms() const override { return 0; }
  int64_t monotonic_ns() const override { return now_ns; }
  std::atomic<int64_t> now_ns{0};
};

class FlushThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    threads_.start();
    flush_thread_.start();
  }
  void TearDown() override {
    threads_.stop();
    threads_.join();
    flush_thread_.stop();
  }

  // The threads on which one flush of `duration_ns` was written and finished.
  std::pair<std::thread::id, std::thread::id> flush(int64_t duration_ns) {
    std::promise<std::pair<std::thread::id, std::thread::id>> promise;
    auto writer = std::make_shared<std::thread::id>();
    threads_.post(0, [&, writer] {
      flush_thread_.flush(
          [&, writer] {
            *writer = std::this_thread::get_id();
            clock_.now_ns += duration_ns;
          },
          [&, writer] {
            promise.set_value({*writer, std::this_thread::get_id()});
          });
    });
    return promise.get_future().get();
  }

  DiskTime clock_;
  IoThreads threads_{1};
  std::atomic<uint64_t> reads_{0};
  FlushThread flush_thread_{threads_, clock_, [this] { return reads_.load(); }};
};

TEST_F(FlushThreadTest, AQuickDiskIsWaitedForWhereTheCommitRuns) {
  for (int i = 0; i < 50; ++i) {
    auto [writer, finisher] = flush(100'000);
    EXPECT_EQ(writer, finisher);
  }
}

TEST_F(FlushThreadTest, ASlowDiskIsWaitedForElsewhereAndTheCommitFinishedWhereItBegan) {
  const std::thread::id network = flush(0).second;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(flush(5'000'000).second, network);
  EXPECT_NE(flush(5'000'000).first, network);
  // It became quick again.
  for (int i = 0; i < 50; ++i) flush(10'000);
  EXPECT_EQ(flush(10'000).first, network);
}

TEST_F(FlushThreadTest, WhileClientsReadAQuickDiskIsWaitedForElsewhereToo) {
  const std::thread::id network = flush(10'000).second;
  ++reads_;
  EXPECT_NE(flush(10'000).first, network);
  // So it stays for a second after the last read.
  clock_.now_ns += 900'000'000;
  EXPECT_NE(flush(10'000).first, network);
  clock_.now_ns += 200'000'000;
  EXPECT_EQ(flush(10'000).first, network);
}

TEST_F(FlushThreadTest, AFewReadsAmongManyFlushesDoNotHaveThemAllHandedOver) {
  const std::thread::id network = flush(10'000).second;
  int handed_over = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i % 250 == 0) ++reads_;
    handed_over += flush(10'000).first != network;
  }
  EXPECT_EQ(handed_over, 4 * 64);
}

TEST(FlushThread, FinishesAtTheEndWhatTheNetworkThreadsHaveNot) {
  DiskTime clock;
  IoThreads threads(1);
  FlushThread flush_thread(threads, clock, [] { return uint64_t{0}; });
  flush_thread.start();
  // Nobody runs the network thread: the first flush makes the disk slow, the second is handed over.
  flush_thread.flush([&] { clock.now_ns += 1'000'000'000; }, [] {});
  bool written = false, finished = false;
  flush_thread.flush([&] { written = true; }, [&] { finished = true; });
  flush_thread.stop();
  EXPECT_TRUE(written);
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace millrace::sidecar
