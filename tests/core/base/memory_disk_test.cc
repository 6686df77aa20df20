#include "core/base/memory_disk.h"

namespace millrace {
namespace {

using ::testing::UnorderedElementsAre;

class MemoryDiskTest : public ::testing::Test {
 protected:
  std::string content(const std::string& path) {
    std::string out;
    EXPECT_TRUE(disk_.open(path, false).value()->read(0, 1 << 20, out).has_value());
    return out;
  }
  MemoryDisk disk_{1 << 20};
};

TEST_F(MemoryDiskTest, FilesAreReadAndWrittenAtOffsets) {
  std::unique_ptr<File> file = disk_.open("d/f", true).value();
  ASSERT_TRUE(file->write(0, "hello").has_value());
  ASSERT_TRUE(file->write(16380, "over the page").has_value());
  EXPECT_EQ(file->size().value(), 16393u);
  std::string out = "replaced";
  ASSERT_TRUE(file->read(16380, 100, out).has_value());
  EXPECT_EQ(out, "over the page");
  ASSERT_TRUE(file->read(3, 4, out).has_value());
  EXPECT_EQ(out, std::string_view("lo\0\0", 4));
  ASSERT_TRUE(file->read(20000, 4, out).has_value());
  EXPECT_EQ(out, "");
}

TEST_F(MemoryDiskTest, NamesAreListedRenamedAndRemoved) {
  ASSERT_TRUE(disk_.create_folder("d").has_value());
  ASSERT_TRUE(disk_.open("d/a", true).value()->write(0, "a").has_value());
  ASSERT_TRUE(disk_.open("d/b", true).value()->write(0, "b").has_value());
  ASSERT_TRUE(disk_.create_folder("d/sub").has_value());
  ASSERT_TRUE(disk_.open("dx", true).has_value());
  EXPECT_THAT(disk_.list("d").value(), UnorderedElementsAre("a", "b", "sub"));
  std::unique_ptr<File> replaced = disk_.open("d/b", false).value();
  ASSERT_TRUE(disk_.rename("d/a", "d/b").has_value());
  EXPECT_EQ(content("d/b"), "a");
  std::string out;
  ASSERT_TRUE(replaced->read(0, 1, out).has_value());
  EXPECT_EQ(out, "b") << "an open file outlives its name";
  ASSERT_TRUE(disk_.remove("d/b").has_value());
  EXPECT_FALSE(disk_.exists("d/b"));
  EXPECT_FALSE(disk_.remove("d/b").has_value());
  EXPECT_FALSE(disk_.open("d/b", false).has_value());
}

TEST_F(MemoryDiskTest, ZerosTakeNoMemoryAndWhatIsWrittenIsBounded) {
  std::unique_ptr<File> file = disk_.open("zeros", true).value();
  ASSERT_TRUE(file->write(0, std::string(8 << 20, '\0')).has_value());
  EXPECT_EQ(file->size().value(), 8u << 20);
  EXPECT_EQ(disk_.free_bytes("").value(), 1u << 20);

  Status full = file->write(0, std::string(2 << 20, 'x'));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(disk_.used_bytes("zeros").value(), 1u << 20);
  EXPECT_TRUE(file->write(100, "where there are pages already").has_value());

  ASSERT_TRUE(disk_.remove("zeros").has_value());
  EXPECT_EQ(disk_.free_bytes("").value(), 0u) << "it is still open";
  file.reset();
  EXPECT_EQ(disk_.free_bytes("").value(), 1u << 20);
}

}  // namespace
}  // namespace millrace
