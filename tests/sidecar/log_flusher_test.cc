#include "sidecar/log_flusher.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/disk.h"

namespace millrace::sidecar {
namespace {

// A flush takes as long as the test says.
class DiskTime final : public Clock {
 public:
  int64_t wall_ms() const override { return 0; }
  int64_t monotonic_ns() const override { return now_ns; }
  std::atomic<int64_t> now_ns{0};
};

// Tells on which threads its parts ran.
class TestFlush : public Flush {
 public:
  TestFlush(DiskTime& clock, int64_t takes_ns) : clock_(clock), takes_ns_(takes_ns) {}
  void write() override {
    clock_.now_ns += takes_ns_;
    written_on = std::this_thread::get_id();
  }
  bool begin(AsyncWrite&) override { return false; }
  void end(AsyncWrite&) override {}
  void finish() override { finished.set_value(std::this_thread::get_id()); }

  std::thread::id written_on;
  std::promise<std::thread::id> finished;

 private:
  DiskTime& clock_;
  const int64_t takes_ns_;
};

class LogFlusherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    threads_.start();
    flusher_.start();
  }
  void TearDown() override {
    threads_.stop();
    threads_.join();
    flusher_.stop();
  }

  // Where it was finished, once it has been.
  std::thread::id run(TestFlush& flush) {
    threads_.post(0, [&] { flusher_.flush(flush); });
    return flush.finished.get_future().get();
  }
  struct Threads {
    std::thread::id writer, finisher;
  };
  Threads flush(int64_t takes_ns) {
    TestFlush flush(clock_, takes_ns);
    const std::thread::id finisher = run(flush);
    return {flush.written_on, finisher};
  }

  DiskTime clock_;
  IoThreads threads_{1};
  LogFlusher flusher_{threads_, clock_};
};

TEST_F(LogFlusherTest, WhatTakesNoTimeIsDoneWhereTheCommitRuns) {
  auto [first_writer, network] = flush(10'000);
  EXPECT_NE(first_writer, network) << "nobody knows yet";
  for (int i = 0; i < 50; ++i) {
    auto [writer, finisher] = flush(10'000);
    EXPECT_EQ(finisher, network);
    EXPECT_EQ(writer, network);
  }
}

TEST_F(LogFlusherTest, WhatMustBeWaitedForIsElsewhereAndTheCommitFinishedWhereItBegan) {
  const std::thread::id network = flush(0).finisher;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(flush(100'000).finisher, network);
  EXPECT_NE(flush(100'000).writer, network);
  // The disk became one in memory.
  for (int i = 0; i < 50; ++i) flush(10'000);
  EXPECT_EQ(flush(10'000).writer, network);
}

// Begins a write to a file.
class FileFlush final : public TestFlush {
 public:
  FileFlush(DiskTime& clock, File& file, std::function<void()> begun = {})
      : TestFlush(clock, 0), file_(file), begun_(std::move(begun)) {}
  bool begin(AsyncWrite& write) override {
    if (!file_.begin_durable_write(write, 0, "bytes")) return false;
    if (begun_) begun_();
    return true;
  }
  void end(AsyncWrite& write) override {
    EXPECT_TRUE(file_.end_durable_write(write).has_value());
    written_on = std::this_thread::get_id();
  }

 private:
  File& file_;
  const std::function<void()> begun_;
};

class LogFlusherFileTest : public LogFlusherTest {
 protected:
  void SetUp() override {
    LogFlusherTest::SetUp();
    // Not in the folder for temporary files, which may be in memory and take no direct writes.
    file_ = PosixDisk().open_direct(kPath, true).value();
    std::unique_ptr<AsyncWrite> write = AsyncWrite::create();
    if (write == nullptr || !file_->begin_durable_write(*write, 0, "x"))
      GTEST_SKIP() << "no asynchronous writes here";
    ASSERT_TRUE(file_->end_durable_write(*write).has_value());
  }
  void TearDown() override {
    LogFlusherTest::TearDown();
    static_cast<void>(PosixDisk().remove(kPath));
  }

  const std::string kPath = "log-flusher-test-file";
  std::unique_ptr<File> file_;
};

TEST_F(LogFlusherFileTest, TheNetworkThreadServesOthersWhileAWriteIsUnderWay) {
  const std::thread::id network = flush(0).finisher;
  for (int i = 0; i < 20; ++i) {
    // What was posted before the write had begun runs before it is finished.
    bool served = false;
    FileFlush file_flush(clock_, *file_, [&] { threads_.post(0, [&] { served = true; }); });
    EXPECT_EQ(run(file_flush), network);
    EXPECT_EQ(file_flush.written_on, network);
    EXPECT_TRUE(served);
  }
  std::string out;
  ASSERT_TRUE(file_->read(0, 5, out).has_value());
  EXPECT_EQ(out, "bytes");
}

TEST_F(LogFlusherFileTest, FinishesAtTheEndWhatIsUnderWay) {
  std::promise<void> begun;
  FileFlush file_flush(clock_, *file_, [&] {
    threads_.stop();
    begun.set_value();
  });
  threads_.post(0, [&] { flusher_.flush(file_flush); });
  begun.get_future().get();
  threads_.join();
  flusher_.stop();
  EXPECT_EQ(file_flush.finished.get_future().get(), std::this_thread::get_id());
}

TEST(LogFlusher, FinishesAtTheEndWhatTheNetworkThreadsHaveNot) {
  DiskTime clock;
  IoThreads threads(1);
  LogFlusher flusher(threads, clock);
  flusher.start();
  // Nobody runs the network thread.
  TestFlush flush(clock, 0);
  flusher.flush(flush);
  flusher.stop();
  EXPECT_NE(flush.written_on, std::this_thread::get_id());
  EXPECT_EQ(flush.finished.get_future().get(), std::this_thread::get_id());
}

}  // namespace
}  // namespace millrace::sidecar
