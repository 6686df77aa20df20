#include "core/store/manifest_end.h"

#include <gtest/gtest.h>
#include <leveldb/db.h>
#include <leveldb/env.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace millrace {
namespace {

// A manifest that LevelDB wrote: many small tables, so that it has many records and two blocks.
class ManifestEndTest : public ::testing::Test {
 protected:
  ManifestEndTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "millrace-manifest-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    leveldb::Options options;
    options.create_if_missing = true;
    leveldb::DB* db = nullptr;
    EXPECT_TRUE(leveldb::DB::Open(options, folder_, &db).ok());
    std::unique_ptr<leveldb::DB> owned(db);
    for (int i = 0; manifest().size() < 40'000; ++i) {
      EXPECT_TRUE(db->Put({}, std::string(1000, 'k') + std::to_string(i % 7), "v").ok());
      leveldb::Slice nowhere("");
      db->CompactRange(&nowhere, &nowhere);
    }
    content_ = manifest();
  }
  ~ManifestEndTest() override { std::filesystem::remove_all(folder_); }

  std::string manifest() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (!entry.path().filename().string().starts_with("MANIFEST-")) continue;
      std::string content;
      EXPECT_TRUE(
          leveldb::ReadFileToString(leveldb::Env::Default(), entry.path().string(), &content).ok());
      return content;
    }
    return {};
  }

  std::string folder_;
  std::string content_;
};

TEST_F(ManifestEndTest, AWholeManifestEndsWhereTheFileDoes) {
  EXPECT_EQ(manifest_end(content_), content_.size());
  EXPECT_EQ(manifest_end(""), 0u);
}

TEST_F(ManifestEndTest, WhatIsTornOfTheLastRecordIsCutOff) {
  // Where the last record begins: a file that lacks its last byte ends there.
  const size_t last = manifest_end(std::string_view(content_).substr(0, content_.size() - 1));
  ASSERT_LT(last, content_.size() - 1);
  for (size_t at = last; at < content_.size(); ++at) {
    EXPECT_EQ(manifest_end(std::string_view(content_).substr(0, at)), last);
    std::string torn = content_;
    std::fill(torn.begin() + static_cast<ptrdiff_t>(at), torn.end(), '\0');
    if (torn != content_) {
      EXPECT_EQ(manifest_end(torn), last) << "zero from " << at;
    }
  }
}

TEST_F(ManifestEndTest, DamageBeforeAnotherRecordIsLeftToBeFound) {
  const size_t last = manifest_end(std::string_view(content_).substr(0, content_.size() - 1));
  for (size_t at = 0; at < last; at += 13) {
    std::string damaged = content_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    EXPECT_EQ(manifest_end(damaged), damaged.size()) << at;
  }
}

}  // namespace
}  // namespace millrace
