#include "streams/start_at.h"

#include "stream_node.h"

namespace millrace::streams {
namespace {

using Kind = StartAt::Kind;

StartAt parsed(std::string_view text) {
  auto start = StartAt::parse(text);
  EXPECT_TRUE(start) << text << ": " << start.error().message;
  return start ? *start : StartAt{};
}

TEST(StartAt, IsTheHorizonTheTipAnLsnOrATime) {
  EXPECT_EQ(parsed("trim_horizon"), StartAt{});
  EXPECT_EQ(parsed("latest"), (StartAt{Kind::kLatest}));
  EXPECT_EQ(parsed("1876951040000017"), (StartAt{Kind::kLsn, 1876951040000017}));
  const struct {
    const char* text;
    int64_t time_ms;
  } times[] = {
      {"0", 0},
      {"1790000000", 1'790'000'000'000},
      {"1790000000.25", 1'790'000'000'250},
      {"1790000000.123456789", 1'790'000'000'123},
      {"1790000000250", 1'790'000'000'250},
      {"2026-11-25", 1'795'564'800'000},
      {"2026-11-25T10:00", 1'795'600'800'000},
      {"2026-11-25T10:00:00Z", 1'795'600'800'000},
      {"2026-11-25T10:00:00.5Z", 1'795'600'800'500},
      {"2026-11-25 10:00:00", 1'795'600'800'000},
      {"2026-11-25T10:00:00+01:30", 1'795'595'400'000},
      {"2026-11-25T10:00:00-00:01", 1'795'600'860'000},
      {"2024-02-29T00:00:00Z", 1'709'164'800'000},
  };
  for (const auto& time : times)
    EXPECT_EQ(parsed(time.text), (StartAt{Kind::kTime, 0, time.time_ms})) << time.text;
}

TEST(StartAt, AnythingElseIsRefusedWithWhatMayBeWritten) {
  for (const char* text : {"",
                           "yesterday",
                           "-1",
                           "+1",
                           "1.",
                           "1.x",
                           ".5",
                           "1e9",
                           "17900000000000.5",
                           "99999999999999999999999",
                           "2026-13-01",
                           "2026-02-29",
                           "2026-11-25T24:00",
                           "2026-11-25T10",
                           "2026-11-25T10:00:60Z",
                           "2026-11-25T10:00:00.Z",
                           "2026-11-25T10:00:00+1",
                           "2026-11-25x",
                           "2026-1-2",
                           "LATEST"}) {
    auto start = StartAt::parse(text);
    ASSERT_FALSE(start) << text;
    EXPECT_EQ(start.error().code, ErrorCode::kConfig);
    EXPECT_EQ(
        start.error().message,
        "'" + std::string(text) +
            "' is no place to begin; write trim_horizon (all that the log still holds), "
            "latest (what comes from now on), a time such as 2026-11-25T10:00:00Z, or an LSN");
  }
}

TEST(StartAt, ATimeMeansTheFirstChangeThenOrLater) {
  StreamNode node(32 << 10);
  node.create_table("t", std::nullopt);
  std::vector<std::pair<int64_t, Lsn>> written;
  for (int i = 0; i < 300; ++i) {
    node.clock.advance(1000);
    written.emplace_back(node.clock.wall_ms(),
                         node.put("t", "k", std::string(300, 'x') + std::to_string(i)));
  }
  ASSERT_GT(node.log().segments().size(), 3u);
  auto at = [&](int64_t time_ms) {
    return *StartAt{Kind::kTime, 0, time_ms}.resolve(node.log(), node.catalog(), {});
  };
  for (const auto& [time_ms, lsn] : written) {
    ASSERT_EQ(at(time_ms), lsn);
    ASSERT_EQ(at(time_ms - 999), lsn);
  }
  EXPECT_EQ(at(0), node.log().first_retained_lsn());
  EXPECT_EQ(at(node.clock.wall_ms() + 1), node.log().durable_lsn() + 1);
}

}  // namespace
}  // namespace millrace::streams
