#include "core/net/io_threads.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <vector>

namespace millrace {
namespace {

TEST(IoThreads, RunWorkOnTheThreadNamed) {
  IoThreads threads(3);
  threads.start();
  EXPECT_EQ(IoThreads::current(), -1);
  for (size_t i = 0; i < threads.count(); ++i) {
    std::promise<int> ran;
    threads.post(i, [&] { ran.set_value(IoThreads::current()); });
    EXPECT_EQ(ran.get_future().get(), static_cast<int>(i));
  }
}

TEST(IoThreads, PostHereStaysOnItsThread) {
  IoThreads threads(2);
  threads.start();
  std::promise<int> inside, outside;
  threads.post(1, [&] { threads.post_here([&] { inside.set_value(IoThreads::current()); }); });
  threads.post_here([&] { outside.set_value(IoThreads::current()); });
  EXPECT_EQ(inside.get_future().get(), 1);
  EXPECT_EQ(outside.get_future().get(), 0);
}

TEST(IoThreads, PostInWaitsAsLongAsItIsTold) {
  IoThreads threads(2);
  threads.start();
  const auto begun = std::chrono::steady_clock::now();
  std::promise<int> ran;
  threads.post_in(1, 20'000'000, [&] { ran.set_value(IoThreads::current()); });
  EXPECT_EQ(ran.get_future().get(), 1);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(20));
  threads.post_in(1, int64_t{3600} * 1'000'000'000, [] { ADD_FAILURE() << "nobody waited so long"; });
}

TEST(IoThreads, TellWhetherWorkWaits) {
  IoThreads threads(2);
  std::promise<bool> first, last;
  threads.post(0, [&] { first.set_value(threads.work_waits(0)); });
  threads.post(0, [&] { last.set_value(threads.work_waits(0)); });
  EXPECT_TRUE(threads.work_waits(0));
  EXPECT_FALSE(threads.work_waits(1));
  threads.start();
  EXPECT_TRUE(first.get_future().get());
  EXPECT_FALSE(last.get_future().get());
}

TEST(IoThreads, PostHereRunsBehindWhatIsReady) {
  IoThreads threads(1);
  std::vector<int> order;
  std::promise<void> done;
  threads.post(0, [&] {
    order.push_back(1);
    threads.post_here([&] {
      order.push_back(3);
      done.set_value();
    });
  });
  threads.post(0, [&] { order.push_back(2); });
  EXPECT_FALSE(threads.running());
  threads.start();
  EXPECT_TRUE(threads.running());
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  threads.stop();
  threads.join();
  EXPECT_FALSE(threads.running());
}

TEST(IoThreads, LookAtADescriptorAsOftenAsTheyAreTold) {
  const int descriptor = ::eventfd(0, 0);
  IoThreads threads(2);
  std::unique_ptr<IoThreads::Watch> watch = threads.watch(1, descriptor);
  std::promise<std::vector<int>> seen_on;
  std::vector<int> so_far;
  std::function<void()> readable = [&] {
    uint64_t count;
    ASSERT_EQ(::read(descriptor, &count, sizeof count), 8);
    so_far.push_back(IoThreads::current());
    if (so_far.size() == 3) return seen_on.set_value(so_far);
    // Before it is told, and after.
    const uint64_t one = 1;
    if (so_far.size() == 1) {
      ASSERT_EQ(::write(descriptor, &one, sizeof one), 8);
    }
    watch->once_readable(readable);
    if (so_far.size() == 2) {
      ASSERT_EQ(::write(descriptor, &one, sizeof one), 8);
    }
  };
  threads.start();
  threads.post(1, [&] { watch->once_readable(readable); });
  const uint64_t one = 1;
  ASSERT_EQ(::write(descriptor, &one, sizeof one), 8);
  EXPECT_EQ(seen_on.get_future().get(), (std::vector<int>{1, 1, 1}));
  threads.stop();
  threads.join();
  watch.reset();
  EXPECT_EQ(::close(descriptor), 0) << "it stays open";
}

}  // namespace
}  // namespace millrace
