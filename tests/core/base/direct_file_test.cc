#include "core/base/direct_file.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "core/base/async_write.h"

namespace millrace {
namespace {

class DirectFileTest : public ::testing::Test {
 protected:
  // Not in the folder for temporary files, which may be in memory and take no direct writes.
  DirectFileTest() {
    std::string pattern = (std::filesystem::current_path() / "direct-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DirectFileTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/f"; }

  std::string folder_;
  PosixDisk disk_;
};

TEST_F(DirectFileTest, WhatIsWrittenFromFrontToBackIsReadAtOnce) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
  std::unique_ptr<File> reader = disk_.open(path(), false).value();
  std::string model, out;
  // Sizes around the block's and the buffer's, which is 1 MB.
  const size_t sizes[] = {1, 100, 4095, 4096, 4097, 30'000, (1u << 20) - 1, (1u << 20) + 5000};
  for (int i = 0; i < 60; ++i) {
    std::string bytes(sizes[random() % std::size(sizes)], static_cast<char>('a' + i % 26));
    ASSERT_TRUE(file->write(model.size(), bytes).has_value());
    model += bytes;
    ASSERT_TRUE(file->sync().has_value());
    for (File* from : {file.get(), reader.get()}) {
      size_t offset = random() % model.size();
      size_t size = std::min<size_t>(model.size() - offset, 5000);
      ASSERT_TRUE(from->read(offset, size, out).has_value());
      ASSERT_EQ(out, model.substr(offset, size));
    }
  }
  ASSERT_TRUE(reader->read(0, model.size(), out).has_value());
  EXPECT_EQ(out, model);
}

TEST_F(DirectFileTest, GoesOnInTheMiddleOfABlockOfAnotherRun) {
  std::string out;
  ASSERT_TRUE(disk_.open(path(), true).value()->write(0, std::string(10'000, 'x')).has_value());
  std::unique_ptr<File> file = disk_.open_direct(path(), false).value();
  ASSERT_TRUE(file->write(5000, "new").has_value());
  ASSERT_TRUE(file->read(0, 20'000, out).has_value());
  // What follows within the block of 4 KiB is zero, what follows the block is as it was.
  EXPECT_EQ(out, std::string(5000, 'x') + "new" + std::string(8192 - 5003, '\0') +
                     std::string(10'000 - 8192, 'x'));
  EXPECT_EQ(file->size().value(), 10'000u);
}

TEST_F(DirectFileTest, WritesBehindTheEndOfTheFile) {
  std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
  ASSERT_TRUE(file->write(4100, "z").has_value());
  std::string out;
  ASSERT_TRUE(file->read(4090, 20, out).has_value());
  EXPECT_EQ(out, std::string(10, '\0') + 'z' + std::string(9, '\0'));
}

TEST_F(DirectFileTest, SaysWhatCannotBeOpened) {
  auto file = disk_.open_direct(path() + "/none/of/it", true);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
}

// Written by both ways in turn, of sizes around the block's and the buffer's.
TEST_F(DirectFileTest, WhatIsBegunIsThereOnceItHasEnded) {
  std::unique_ptr<AsyncWrite> write = AsyncWrite::create();
  if (write == nullptr) GTEST_SKIP() << "no asynchronous writes here";
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
  std::string model, out;
  const size_t sizes[] = {1, 100, 4095, 4096, 4097, 30'000, (1u << 20) - 5000, (1u << 20) + 1};
  int begun = 0;
  for (int i = 0; i < 60; ++i) {
    std::string bytes(sizes[random() % std::size(sizes)], static_cast<char>('a' + i % 26));
    if (i % 3 > 0 && file->begin_durable_write(*write, model.size(), bytes)) {
      ++begun;
      pollfd ready{write->ready_fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
      ASSERT_TRUE(file->end_durable_write(*write).has_value());
      ASSERT_EQ(::poll(&ready, 1, 0), 0) << "its notification was taken";
    } else {
      ASSERT_TRUE(file->write(model.size(), bytes).has_value());
      ASSERT_TRUE(file->sync().has_value());
    }
    model += bytes;
  }
  if (begun == 0) GTEST_SKIP() << "no asynchronous writes here";
  ASSERT_TRUE(file->read(0, model.size() + 1, out).has_value());
  EXPECT_TRUE(out.compare(0, model.size(), model) == 0);
}

TEST_F(DirectFileTest, WhatCannotBeBegunIsLeftToWrite) {
  std::unique_ptr<AsyncWrite> write = AsyncWrite::create();
  if (write == nullptr) GTEST_SKIP() << "no asynchronous writes here";
  std::unique_ptr<File> direct = disk_.open_direct(path(), true).value();
  EXPECT_FALSE(direct->begin_durable_write(*write, 0, std::string(2u << 20, 'x')));
  std::unique_ptr<File> buffered = disk_.open(path(), false).value();
  EXPECT_FALSE(buffered->begin_durable_write(*write, 0, "x"));
}

// Bounds the size of files while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(DirectFileTest, ABegunWriteThatFailsOrIsCutShortIsTold) {
  std::unique_ptr<AsyncWrite> write = AsyncWrite::create();
  std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
  if (write == nullptr || !file->begin_durable_write(*write, 0, std::string(8192, 'x'))) {
    GTEST_SKIP() << "no asynchronous writes here";
  }
  ASSERT_TRUE(file->end_durable_write(*write).has_value());
  std::string out;
  {
    const FileSizeLimit limit(16'384);
    // The kernel may refuse a write beyond the limit at once, or at its end.
    EXPECT_FALSE(file->begin_durable_write(*write, 32'768, "x") &&
                 file->end_durable_write(*write).has_value());
    // Only its first block is within the limit: the rest is written the other way, which fails.
    if (file->begin_durable_write(*write, 12'288, std::string(8192, 'y'))) {
      EXPECT_FALSE(file->end_durable_write(*write).has_value());
      ASSERT_TRUE(file->read(0, 100'000, out).has_value());
      EXPECT_EQ(out, std::string(8192, 'x') + std::string(4096, '\0') + std::string(4096, 'y'));
    }
  }
  ASSERT_TRUE(file->begin_durable_write(*write, 100, "goes on"));
  ASSERT_TRUE(file->end_durable_write(*write).has_value());
  ASSERT_TRUE(file->read(95, 12, out).has_value());
  EXPECT_EQ(out, "xxxxxgoes on");
}

// A write whose end says how much of it was made.
class CutShort final : public AsyncWrite {
 public:
  explicit CutShort(int64_t result) : result_(result) {}
  int ready_fd() const override { return -1; }
  bool begin(int, const char*, size_t, uint64_t) override { return true; }
  int64_t end() override { return result_; }

 private:
  const int64_t result_;
};

TEST_F(DirectFileTest, WhatABegunWriteLeftIsWrittenTheOtherWay) {
  for (const int64_t result : {0, 4096, -EINTR, -ENOSPC}) {
    std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
    std::string out;
    ASSERT_TRUE(file->write(0, std::string(12'288, 'o')).has_value());
    CutShort write(result);
    if (!file->begin_durable_write(write, 0, std::string(8192, 'n')))
      GTEST_SKIP() << "no asynchronous writes here";
    ASSERT_TRUE(file->end_durable_write(write).has_value());
    ASSERT_TRUE(file->read(0, 100'000, out).has_value());
    const size_t made = result > 0 ? static_cast<size_t>(result) : 0;
    EXPECT_EQ(out, std::string(made, 'o') + std::string(8192 - made, 'n') + std::string(4096, 'o'));
  }
  std::unique_ptr<File> file = disk_.open_direct(path(), true).value();
  CutShort write(-EIO);
  ASSERT_TRUE(file->begin_durable_write(write, 0, "x"));
  EXPECT_FALSE(file->end_durable_write(write).has_value());
}

}  // namespace
}  // namespace millrace
