#include "sidecar/tail.h"

#include <cstdlib>
#include <ctime>

namespace millrace::sidecar {
namespace {

class TailTest : public testing::Test {
 protected:
  TailTest() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  static std::string described(std::string_view line, bool color = false) {
    Result<std::string> text = describe_change(line, color);
    return text ? *text : "error: " + text.error().message;
  }
};

TEST_F(TailTest, AnInsertIsOneLine) {
  EXPECT_EQ(described(R"({"lsn":17,"time":1790000000123,"table":"films","event":"INSERT",)"
                      R"("keys":{"title":{"S":"Rush"},"year":{"N":"2013"}},)"
                      R"("new":{"title":{"S":"Rush"},"year":{"N":"2013"},"n":{"N":"1"}}})"),
            "14:13:20.123  INSERT  films  title=\"Rush\"  year=2013\n");
}

TEST_F(TailTest, AModificationShowsWhatDiffers) {
  EXPECT_EQ(
      described(R"({"lsn":17,"time":1790000000004,"table":"t","event":"MODIFY",)"
                R"("keys":{"pk":{"S":"a"}},)"
                R"("old":{"pk":{"S":"a"},"gone":{"BOOL":true},"n":{"N":"1"},"same":{"NULL":true}},)"
                R"("new":{"pk":{"S":"a"},"n":{"N":"2"},"same":{"NULL":true},)"
                R"("odd name":{"M":{"l":{"L":[{"N":"1"},{"B":"AQ=="}]},"s":{"SS":["x","y"]}}}}})"),
      "14:13:20.004  MODIFY  t  pk=\"a\"\n"
      "    - gone: true\n"
      "    ~ n: 1 → 2\n"
      "    + \"odd name\": {l: [1, b64\"AQ==\"], s: {\"x\", \"y\"}}\n");
}

TEST_F(TailTest, ANestedChangeIsShownWhereItIs) {
  EXPECT_EQ(
      described(
          R"({"lsn":17,"time":1790000000004,"table":"t","event":"MODIFY",)"
          R"("keys":{"pk":{"S":"a"}},)"
          R"("old":{"m":{"M":{"a b":{"M":{"n":{"N":"1"},"same":{"N":"9"}}},"gone":{"S":"x"}}},)"
          R"("l":{"L":[{"N":"1"},{"M":{"age":{"N":"39"}}},{"N":"3"}]},)"
          R"("tags":{"SS":["x","y"]},"turns":{"S":"s"}},)"
          R"("new":{"m":{"M":{"a b":{"M":{"n":{"N":"2"},"same":{"N":"9"}}},"is":{"S":"x"}}},)"
          R"("l":{"L":[{"N":"1"},{"M":{"age":{"N":"40"}}}]},)"
          R"("tags":{"SS":["y","z"]},"turns":{"M":{}}}})"),
      "14:13:20.004  MODIFY  t  pk=\"a\"\n"
      "    ~ l[1].age: 39 → 40\n"
      "    - l[2]: 3\n"
      "    ~ m.\"a b\".n: 1 → 2\n"
      "    - m.gone: \"x\"\n"
      "    + m.is: \"x\"\n"
      "    ~ tags: -\"x\" +\"z\"\n"
      "    ~ turns: \"s\" → {}\n");
}

TEST_F(TailTest, WithoutAnOldImageThereIsNothingToCompare) {
  EXPECT_EQ(described(R"({"lsn":1,"time":0,"table":"t","event":"MODIFY",)"
                      R"("keys":{"pk":{"S":"a"}},"new":{"pk":{"S":"a"}}})"),
            "00:00:00.000  MODIFY  t  pk=\"a\"\n");
}

TEST_F(TailTest, WhoRemovedItIsNamedWhenItWasNoClient) {
  EXPECT_EQ(
      described(R"({"lsn":1,"time":0,"table":"t","event":"REMOVE","keys":{"pk":{"B":"AQ=="}},)"
                R"("identity":"dynamodb.amazonaws.com"})"),
      "00:00:00.000  REMOVE  t  pk=b64\"AQ==\"  by dynamodb.amazonaws.com\n");
}

TEST_F(TailTest, ControlCharactersNeverReachTheTerminal) {
  std::string text = described(R"({"lsn":1,"time":0,"table":"t","event":"INSERT",)"
                               R"("keys":{"p\u001bk":{"S":"a\u001b[31mb"}}})");
  EXPECT_EQ(text.find('\033'), std::string::npos) << text;
}

TEST_F(TailTest, LongValuesAreCutBetweenCharacters) {
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "ü";
  std::string text =
      described(R"({"lsn":1,"time":0,"table":"t","event":"INSERT","keys":{"pk":{"S":")" + umlauts +
                R"("}}})");
  EXPECT_LT(text.size(), 250u);
  EXPECT_NE(text.find("ü…\n"), std::string::npos) << text;
}

TEST_F(TailTest, ColoursTellTheEventsApart) {
  EXPECT_EQ(
      described(R"({"lsn":1,"time":0,"table":"t","event":"REMOVE","keys":{"pk":{"S":"a"}}})", true),
      "\033[2m00:00:00.000\033[0m  \033[31mREMOVE\033[0m  t  \033[36mpk\033[0m=\"a\"\n");
}

TEST_F(TailTest, WhatIsNoChangeIsAnError) {
  for (const char* line : {"", "{}", "[1]", "{\"event\":1}", "not json"})
    EXPECT_FALSE(describe_change(line, false)) << line;
}

}  // namespace
}  // namespace millrace::sidecar
