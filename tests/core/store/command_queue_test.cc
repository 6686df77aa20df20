#include "core/store/command_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

constexpr size_t kLarge = CommandQueue::kLargeBytes + 1;

class Named final : public Command {
 public:
  Named(char name, size_t bytes, bool alone) : name(name), bytes_(bytes), alone_(alone) {}
  size_t bytes() const override { return bytes_; }
  bool alone() const override { return alone_; }
  void evaluate(Commit&) override {}
  void done(const Status&) override {}

  const char name;

 private:
  const size_t bytes_;
  const bool alone_;
};

class CommandQueueTest : public testing::Test {
 protected:
  bool push(char name, size_t bytes = 100, bool alone = false) {
    std::unique_ptr<Command> command = std::make_unique<Named>(name, bytes, alone);
    const bool pushed = queue_.push(std::move(command)).has_value();
    EXPECT_EQ(command == nullptr, pushed);
    return pushed;
  }
  static std::string names(const CommandBatch& batch) {
    std::string text;
    for (const auto& command : batch) text.push_back(static_cast<const Named&>(*command).name);
    return text;
  }
  std::string take(bool room_for_large = true) { return names(queue_.take(room_for_large)); }

  CommandQueue queue_{10 * kLarge, 1000};
};

TEST_F(CommandQueueTest, ABatchTakesWhatWaitsUpToItsBytesAndOneCommandThatHasMore) {
  for (char name : std::string("abc")) push(name, 400);
  push('d', 2000);
  EXPECT_EQ(take(), "ab");
  EXPECT_EQ(take(), "c");
  EXPECT_EQ(take(), "d");
  EXPECT_EQ(take(), "");
}

TEST_F(CommandQueueTest, ACommandThatIsAloneHasABatchOfItsOwn) {
  push('a');
  push('b', 100, true);
  push('c');
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "c");
}

TEST_F(CommandQueueTest, ALargeCommandGoesByItselfWhenNoOtherWaits) {
  push('L', kLarge);
  push('M', kLarge);
  push('a');
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "L");
  push('b');
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "M");
}

TEST_F(CommandQueueTest, ALargeCommandIsPassedALimitedNumberOfTimes) {
  push('L', kLarge);
  for (int i = 0; i < CommandQueue::kPassesMax; ++i) {
    push('a');
    EXPECT_EQ(take(), "a");
  }
  push('a');
  EXPECT_EQ(take(), "L");
  EXPECT_EQ(take(), "a");
}

TEST_F(CommandQueueTest, WithoutRoomALargeCommandWaitsAndOthersGoOn) {
  push('L', kLarge);
  EXPECT_EQ(queue_.large_count(), 1u);
  EXPECT_FALSE(queue_.has_next(false));
  EXPECT_TRUE(queue_.has_next(true));
  EXPECT_EQ(take(false), "");
  push('a');
  EXPECT_TRUE(queue_.has_next(false));
  EXPECT_EQ(take(false), "a");
  EXPECT_EQ(take(true), "L");
  EXPECT_FALSE(queue_.has_next(true));
}

TEST_F(CommandQueueTest, WhatIsGivenBackComesNextInItsOldOrder) {
  for (char name : std::string("abcd")) push(name);
  CommandBatch batch = queue_.take(true);
  queue_.give_back(batch, 1);
  EXPECT_EQ(names(batch), "a");
  EXPECT_EQ(queue_.bytes(), 300u);
  EXPECT_EQ(take(), "bcd");
  EXPECT_EQ(queue_.bytes(), 0u);
}

TEST_F(CommandQueueTest, BeyondItsBytesACommandIsRefusedAndLeftAsItWas) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(push('a', kLarge / 2));
  EXPECT_FALSE(push('a'));
  EXPECT_FALSE(push('L', kLarge));
  EXPECT_EQ(queue_.take_all().size(), 20u);
  EXPECT_EQ(queue_.bytes(), 0u);
}

TEST_F(CommandQueueTest, LargeCommandsLeaveAQuarterOfTheBytesToOthers) {
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(push('L', kLarge));
  EXPECT_FALSE(push('L', kLarge));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(push('a', kLarge / 2));
  EXPECT_EQ(queue_.take_all().size(), 12u);
  // However large it is, one is taken, and the others have theirs beside it.
  EXPECT_TRUE(push('L', 20 * kLarge));
  EXPECT_FALSE(push('L', kLarge));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(push('a', kLarge / 2));
  EXPECT_FALSE(push('a', kLarge / 2));
}

}  // namespace
}  // namespace millrace
