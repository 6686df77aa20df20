#include "core/base/disk.h"

#include <cstdlib>
#include <filesystem>

namespace millrace {
namespace {

class PosixDiskTest : public ::testing::Test {
 protected:
  PosixDiskTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "millrace-disk-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~PosixDiskTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  PosixDisk disk_;
};

TEST_F(PosixDiskTest, FilesAreReadAndWrittenAtOffsets) {
  std::unique_ptr<File> file = disk_.open(path("f"), true).value();
  ASSERT_TRUE(file->write(0, "hello").has_value());
  ASSERT_TRUE(file->write(8, "world").has_value());
  ASSERT_TRUE(file->write(0, "J").has_value());
  EXPECT_EQ(file->size().value(), 13u);
  std::string out = "replaced";
  ASSERT_TRUE(file->read(0, 100, out).has_value());
  EXPECT_EQ(out, std::string_view("Jello\0\0\0world", 13));
  ASSERT_TRUE(file->read(9, 3, out).has_value());
  EXPECT_EQ(out, "orl");
  ASSERT_TRUE(file->read(100, 3, out).has_value());
  EXPECT_EQ(out, "");
  EXPECT_TRUE(file->sync().has_value());
  file.reset();
  ASSERT_TRUE(disk_.open(path("f"), true).value()->read(0, 5, out).has_value());
  EXPECT_EQ(out, "Jello");
}

TEST_F(PosixDiskTest, ALargeFileIsRemovedInParts) {
  std::unique_ptr<File> file = disk_.open(path("f"), true).value();
  ASSERT_TRUE(file->write(20 << 20, "end").has_value());
  EXPECT_TRUE(disk_.remove_in_parts(path("f")).has_value());
  EXPECT_FALSE(disk_.exists(path("f")));
  EXPECT_LE(file->size().value(), 4u << 20);  // what was left of it when it lost its name
  EXPECT_FALSE(disk_.remove_in_parts(path("f")).has_value());
}

TEST_F(PosixDiskTest, OpensOnlyWhatExistsUnlessItMayCreate) {
  Result<std::unique_ptr<File>> missing = disk_.open(path("none"), false);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
  EXPECT_NE(missing.error().message.find(path("none")), std::string::npos);
  EXPECT_FALSE(disk_.exists(path("none")));
}

TEST_F(PosixDiskTest, FoldersAreListedAndChanged) {
  ASSERT_TRUE(disk_.create_folder(path("sub")).has_value());
  ASSERT_TRUE(disk_.create_folder(path("sub")).has_value()) << "it may exist already";
  ASSERT_TRUE(disk_.open(path("sub/a"), true).has_value());
  ASSERT_TRUE(disk_.open(path("sub/b"), true).has_value());
  EXPECT_THAT(disk_.list(path("sub")).value(), ::testing::UnorderedElementsAre("a", "b"));
  ASSERT_TRUE(disk_.rename(path("sub/a"), path("sub/b")).has_value());
  EXPECT_THAT(disk_.list(path("sub")).value(), ::testing::ElementsAre("b"));
  EXPECT_TRUE(disk_.sync_folder(path("sub")).has_value());
  ASSERT_TRUE(disk_.remove(path("sub/b")).has_value());
  EXPECT_THAT(disk_.list(path("sub")).value(), ::testing::IsEmpty());

  EXPECT_EQ(disk_.list(path("none")).error().code, ErrorCode::kIo);
  EXPECT_EQ(disk_.rename(path("none"), path("x")).error().code, ErrorCode::kIo);
  EXPECT_EQ(disk_.remove(path("none")).error().code, ErrorCode::kIo);
  EXPECT_EQ(disk_.sync_folder(path("none")).error().code, ErrorCode::kIo);
  EXPECT_EQ(disk_.create_folder(path("none/deeper")).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace millrace
