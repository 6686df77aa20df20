#include "core/base/direct_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

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

}  // namespace
}  // namespace millrace
