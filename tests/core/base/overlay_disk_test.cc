#include "core/base/overlay_disk.h"

#include "core/base/memory_disk.h"

namespace millrace {
namespace {

using ::testing::UnorderedElementsAre;

std::string content(Disk& disk, const std::string& path) {
  std::string out;
  EXPECT_TRUE(disk.open(path, false).value()->read(0, 1 << 20, out).has_value());
  return out;
}

TEST(OverlayDisk, ShowsWhatIsDoneToItAndLeavesTheDiskBelowAsItIs) {
  MemoryDisk below(1 << 20);
  const std::string large(40000, 'l');
  ASSERT_TRUE(below.open("d/large", true).value()->write(0, large).has_value());
  ASSERT_TRUE(below.open("d/other", true).value()->write(0, "other").has_value());
  ASSERT_TRUE(below.open("d/gone", true).value()->write(0, "gone").has_value());

  OverlayDisk disk(below);
  EXPECT_EQ(content(disk, "d/large"), large);
  std::string expected = large + "and more";
  expected.replace(16380, 8, "changed!");
  {
    std::unique_ptr<File> file = disk.open("d/large", false).value();
    ASSERT_TRUE(file->write(16380, "changed!").has_value());
    ASSERT_TRUE(file->write(40000, "and more").has_value());
    EXPECT_EQ(file->size().value(), expected.size());
  }
  EXPECT_EQ(content(disk, "d/large"), expected) << "also when it is opened again";
  ASSERT_TRUE(disk.remove("d/gone").has_value());
  EXPECT_FALSE(disk.exists("d/gone"));
  EXPECT_FALSE(disk.remove("d/gone").has_value());
  ASSERT_TRUE(disk.rename("d/other", "d/renamed").has_value());
  ASSERT_TRUE(disk.open("d/new", true).value()->write(3, "x").has_value());
  EXPECT_THAT(disk.list("d").value(), UnorderedElementsAre("large", "renamed", "new"));
  EXPECT_EQ(content(disk, "d/new"), std::string_view("\0\0\0x", 4));
  EXPECT_FALSE(disk.open("d/absent", false).has_value());

  EXPECT_THAT(below.list("d").value(), UnorderedElementsAre("large", "other", "gone"));
  EXPECT_EQ(content(below, "d/large"), large);
}

}  // namespace
}  // namespace millrace
