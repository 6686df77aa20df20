#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/store/log.h"
#include "tests/sim/sim_disk.h"

namespace millrace {

inline constexpr Lsn kFirst = 1000;

/// A log on a simulated disk, with small segments.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    options_.folder = "log";
    options_.segment_bytes = 16 << 10;
    options_.first_segment_bytes = 4 << 10;
    options_.tail_bytes = 1;  // the newest frame only
  }

  Status try_open(std::optional<LogCheckpoint> checkpoint = std::nullopt) {
    log_.reset();
    replayed_.clear();
    auto log =
        Log::open(disk_, options_, kFirst, checkpoint, [this](const FramePtr& frame, const auto&) {
          replayed_.push_back(frame);
          return Status();
        });
    if (!log) return log.error();
    log_ = *std::move(log);
    return {};
  }
  void open(std::optional<LogCheckpoint> checkpoint = std::nullopt) {
    Status status = try_open(checkpoint);
    ASSERT_TRUE(status) << status.error().message;
  }

  static FrameBuilder build(Lsn first_lsn, size_t image_bytes, int changes = 1) {
    FrameBuilder builder(first_lsn);
    builder.begin_entry(static_cast<int64_t>(first_lsn) * 10);
    for (int i = 0; i < changes; ++i) {
      builder.add_change(ChangeKind::kInsert, "key-" + std::to_string(first_lsn),
                         std::string(image_bytes, static_cast<char>('a' + first_lsn % 26)),
                         std::nullopt);
    }
    builder.end_entry();
    return builder;
  }
  /// Appends a frame, which must succeed.
  FramePtr append(size_t image_bytes = 100, int changes = 1) {
    auto frame = log_->append(build(log_->next_lsn(), image_bytes, changes));
    EXPECT_TRUE(frame) << frame.error().message;
    if (!frame) return nullptr;
    frames_.push_back(*frame);
    return *frame;
  }
  void append_until_segments(size_t count) {
    while (log_->segments().size() < count) append(500);
  }
  LogCheckpoint checkpoint_at(const FramePtr& frame) { return *log_->checkpoint_at(frame); }

  /// All frames from `from` on, by a cursor.
  std::vector<FramePtr> read_all(Lsn from) {
    std::vector<FramePtr> result;
    LogCursor cursor(*log_, from);
    for (;;) {
      auto frame = cursor.next();
      EXPECT_TRUE(frame) << frame.error().message;
      if (!frame || !*frame) return result;
      result.push_back(*frame);
    }
  }
  static void expect_same(const std::vector<FramePtr>& found,
                          const std::vector<FramePtr>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i]->bytes(), expected[i]->bytes()) << "frame " << i;
      ASSERT_EQ(found[i]->position(), expected[i]->position()) << "frame " << i;
      ASSERT_EQ(found[i]->last_time_ms(), expected[i]->last_time_ms()) << "frame " << i;
    }
  }

  std::string path_of(Lsn segment) const { return "log/" + segment_file_name(segment); }
  void damage(const FramePtr& frame, size_t byte, char mask = 1) {
    const std::string path = path_of(frame->position().segment);
    std::string content = disk_.content(path);
    char& c = content[frame->position().offset + byte];
    c = static_cast<char>(c ^ mask);
    disk_.set_content(path, content);
  }
  void expect_damage_at(const Status& status, LogPosition position) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
    const std::string& message = status.error().message;
    EXPECT_NE(message.find(path_of(position.segment) + " at byte " +
                           std::to_string(position.offset) + ":"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("Restore the data folder from a copy"), std::string::npos) << message;
  }

  sim::SimDisk disk_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  std::vector<FramePtr> replayed_;
  std::vector<FramePtr> frames_;  // appended
};

}  // namespace millrace
