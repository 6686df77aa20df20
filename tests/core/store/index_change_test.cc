#include "core/store/index_change.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

TEST(IndexChanges, ComeBackAsTheyWereAdded) {
  IndexChanges changes;
  EXPECT_TRUE(changes.empty());
  changes.put("a", "image");
  changes.put("b", "");
  changes.put_item("c");
  changes.remove("d");
  EXPECT_TRUE(IndexChangesView::well_formed(changes.view().encoded(), true));
  std::vector<IndexChange> read;
  for (const IndexChange& change : changes.view()) read.push_back(change);
  ASSERT_EQ(read.size(), 4u);
  EXPECT_EQ(read[0].kind, IndexChangeKind::kPut);
  EXPECT_EQ(read[0].key, "a");
  EXPECT_EQ(read[0].image, "image");
  EXPECT_EQ(read[1].kind, IndexChangeKind::kPut);
  EXPECT_EQ(read[1].image, "");
  EXPECT_EQ(read[2].kind, IndexChangeKind::kPutItem);
  EXPECT_EQ(read[2].key, "c");
  EXPECT_EQ(read[3].kind, IndexChangeKind::kRemove);
  EXPECT_EQ(read[3].key, "d");
}

// Persisted within frames.
TEST(IndexChanges, HaveTheBytesThatTheFormatSays) {
  IndexChanges changes;
  changes.put("ab", "xyz");
  changes.put_item("c");
  changes.remove("d");
  EXPECT_EQ(changes.view().encoded(), std::string_view("\x01\x02"
                                                       "ab\x03xyz\x02\x01"
                                                       "c\x03\x01"
                                                       "d"));
}

TEST(IndexChanges, NoneIsAnEmptyRange) {
  int count = 0;
  for (const IndexChange& change : IndexChangesView()) count += change.key.empty() ? 1 : 1;
  EXPECT_EQ(count, 0);
}

TEST(IndexChanges, DamagedBytesAreFound) {
  IndexChanges changes;
  changes.put("key", "image");
  changes.remove("other");
  const std::string bytes(changes.view().encoded());
  size_t whole = 0;
  for (size_t size = 1; size < bytes.size(); ++size) {
    if (IndexChangesView::well_formed(bytes.substr(0, size), true)) whole = size;
  }
  EXPECT_EQ(whole, 11u);  // the first change alone
  std::string kind = bytes;
  for (char other : {'\x00', '\x04', '\x7f'}) {
    kind[0] = other;
    EXPECT_FALSE(IndexChangesView::well_formed(kind, true));
  }
}

TEST(IndexChanges, TheItemsImageNeedsAnItem) {
  IndexChanges changes;
  changes.put_item("key");
  EXPECT_TRUE(IndexChangesView::well_formed(changes.view().encoded(), true));
  EXPECT_FALSE(IndexChangesView::well_formed(changes.view().encoded(), false));
}

}  // namespace
}  // namespace millrace
