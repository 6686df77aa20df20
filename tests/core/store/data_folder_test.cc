#include "core/store/data_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/base/random.h"
#include "tests/sim/sim_disk.h"

namespace millrace {
namespace {

const DataFolderIdentity kIdentity{"eu-west-3", "123456789012", "0123456789abcdefghijklmnopqrstuv"};
constexpr const char* kText =
    "millrace-format 2\n"
    "region eu-west-3\n"
    "account 123456789012\n"
    "iterator-key 303132333435363738396162636465666768696a6b6c6d6e6f70717273747576\n"
    "partition-hash xxh3-64\n"
    "checksum xxh3-64\n";

class DataFolderTest : public testing::Test {
 protected:
  std::string error_of(std::string text) {
    sim::SimDisk disk;
    EXPECT_TRUE(DataFolder::open("/data", disk, kIdentity));
    disk.set_content("/data/FORMAT", std::move(text));
    auto folder = DataFolder::open("/data", disk, kIdentity);
    if (folder) return "";
    EXPECT_EQ(folder.error().code, ErrorCode::kConfig);
    return folder.error().message;
  }
  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  }
  sim::SimDisk disk_;
};

TEST_F(DataFolderTest, IsCreatedWithTheTextThatTheFormatSays) {
  auto folder = DataFolder::open("/a/b/data/", disk_, kIdentity);
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(disk_.content("/a/b/data/FORMAT"), kText);
  EXPECT_EQ(folder->path(), "/a/b/data");
  EXPECT_EQ(*disk_.list("/a/b/data"), std::vector<std::string>{"FORMAT"});
}

TEST_F(DataFolderTest, KeepsWhatItWasCreatedWith) {
  ASSERT_TRUE(DataFolder::open("/data", disk_, kIdentity));
  auto folder = DataFolder::open("/data", disk_, {"us-east-1", "1", std::string(32, 'x')});
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(folder->region(), kIdentity.region);
  EXPECT_EQ(folder->account(), kIdentity.account);
  EXPECT_EQ(folder->iterator_key(), kIdentity.iterator_key);
}

TEST_F(DataFolderTest, IsThereWholeOrNotAtAllAfterACrash) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 500; ++round) {
    sim::SimDisk disk;
    disk.lose_power_after(random.below(10));
    bool created = DataFolder::open("/x/data", disk, kIdentity).has_value();
    disk.crash(random);
    if (created) {
      ASSERT_TRUE(disk.exists("/x/data/FORMAT"));
    }
    if (disk.exists("/x/data/FORMAT")) {
      ASSERT_EQ(disk.content("/x/data/FORMAT"), kText);
    }
    ASSERT_TRUE(DataFolder::open("/x/data", disk, kIdentity));
  }
}

TEST_F(DataFolderTest, RefusesANewerFormatByName) {
  EXPECT_EQ(error_of("millrace-format 3\nanything\n"),
            "/data is format 3, this release reads up to 2; use a newer release");
}

TEST_F(DataFolderTest, BecomesOfTheNewestFormatWhenItIsOpened) {
  ASSERT_TRUE(DataFolder::open("/data", disk_, kIdentity));
  disk_.set_content("/data/FORMAT", replaced(kText, "format 2", "format 1"));
  ASSERT_TRUE(DataFolder::open("/data", disk_, {}));
  EXPECT_EQ(disk_.content("/data/FORMAT"), kText);
}

TEST_F(DataFolderTest, SaysWhatIsWrongWithItsFormatFile) {
  const std::string text = kText;
  auto expect_part = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect_part(error_of("hello\n"), "no Millrace data folder");
  expect_part(error_of(replaced(text, "region eu-west-3\n", "region\n")), "FORMAT, line 2");
  expect_part(error_of(replaced(text, "account", "acount")), "unknown name \"acount\"");
  expect_part(error_of(replaced(text, "3031", "30")), "64 hexadecimal digits");
  expect_part(error_of(replaced(text, "3031", "30x1")), "64 hexadecimal digits");
  expect_part(error_of(replaced(text, "hash xxh3-64", "hash md5")), "hash function \"md5\"");
  expect_part(error_of(""), "the file ends before");
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(error_of(text.substr(0, size)), "") << size;
  }
}

TEST_F(DataFolderTest, RefusesAFolderThatHoldsSomethingElse) {
  ASSERT_TRUE(disk_.create_folder("/data"));
  disk_.set_content("/data/.hidden", "");
  disk_.set_content("/data/photo.jpg", "");
  auto folder = DataFolder::open("/data", disk_, kIdentity);
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find("/data holds photo.jpg but no FORMAT file"),
            std::string::npos)
      << folder.error().message;
  ASSERT_TRUE(disk_.remove("/data/photo.jpg"));
  EXPECT_TRUE(DataFolder::open("/data", disk_, kIdentity));
}

TEST(NewIteratorKey, IsAnotherEachTime) {
  EXPECT_EQ(new_iterator_key()->size(), DataFolder::kIteratorKeyBytes);
  EXPECT_NE(*new_iterator_key(), *new_iterator_key());
}

TEST(FolderLock, NamesTheFolderAndTheProcessThatHoldsIt) {
  const std::string path = testing::TempDir() + "folder-lock-" + std::to_string(::getpid());
  std::filesystem::remove_all(path);
  {
    auto lock = FolderLock::acquire(path + "/data");
    ASSERT_TRUE(lock) << lock.error().message;
    const std::string expected = "the data folder " + path + "/data is in use by process " +
                                 std::to_string(::getpid()) + "; stop it, or name another folder";
    const pid_t child = ::fork();
    if (child == 0) {
      auto second = FolderLock::acquire(path + "/data");
      ::_exit(!second && second.error().code == ErrorCode::kConfig &&
                      second.error().message == expected
                  ? 0
                  : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    FolderLock moved = *std::move(lock);
    EXPECT_FALSE(FolderLock::acquire(path + "/data"));
  }
  EXPECT_TRUE(FolderLock::acquire(path + "/data"));
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace millrace
