#include <algorithm>

#include "core/base/random.h"
#include "log_fixture.h"

namespace millrace {
namespace {

/// Random work on a log whose power fails at random moments, against the list of what was appended.
class LogCrashTest : public LogTest {
 protected:
  // What the log may and must hold.
  struct Model {
    std::vector<FramePtr> appended;  // acknowledged, in order
    size_t durable = 0;              // so many of them must survive
    std::optional<std::string> in_flight_payload;
    std::optional<LogCheckpoint> checkpoint;
  };

  void run(uint64_t seed, bool sync) {
    Random random(seed);
    disk_.~SimDisk();
    new (&disk_) sim::SimDisk();
    options_.sync = sync;
    options_.segment_bytes = (1 + random.below(8)) * 4096;
    options_.first_segment_bytes = random.one_in(2) ? 4096 : 2048;
    options_.tail_bytes = random.one_in(2) ? 1 : 4000;
    options_.spare_segments = random.below(3);
    model_ = Model();
    ASSERT_NO_FATAL_FAILURE(open());
    for (int life = 0; life < 6; ++life) {
      disk_.lose_power_after(random.below(60));
      while (!disk_.power_lost()) ASSERT_NO_FATAL_FAILURE(work(random));
      ASSERT_NO_FATAL_FAILURE(restart(random));
    }
  }

  void work(Random& random) {
    const uint64_t choice = random.below(20);
    if (choice < 14) {
      append_one(random);
    } else if (choice < 16) {
      (void)log_->prepare_spare();
    } else if (choice < 18 && !model_.appended.empty()) {
      checkpoint_and_trim(random);
    } else if (choice < 19) {
      if (log_->sync()) model_.durable = model_.appended.size();
    } else {
      read_some(random);
    }
  }

  void append_one(Random& random) {
    const size_t size = random.one_in(5)   ? random.below(20'000)
                        : random.one_in(2) ? random.below(3000)
                                           : random.below(100);
    const Lsn first = log_->next_lsn() + (random.one_in(10) ? random.below(1000) : 0);
    FrameBuilder builder(first);
    for (uint64_t entries = 1 + random.below(3); entries > 0; --entries) {
      builder.begin_entry(static_cast<int64_t>(first));
      for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
        std::string image(size, static_cast<char>(random.below(256)));
        builder.add_change(ChangeKind::kInsert, std::to_string(random.next()), image, std::nullopt);
      }
      builder.end_entry();
    }
    FrameBuilder copy = builder;
    auto frame = log_->append(std::move(builder));
    if (frame) {
      model_.appended.push_back(*frame);
      if (options_.sync) model_.durable = model_.appended.size();
    } else {
      ASSERT_TRUE(disk_.power_lost()) << frame.error().message;
      const FramePtr lost = std::move(copy).finish(0, 0, {1, 1});
      model_.in_flight_payload = std::string(lost->bytes().substr(Frame::kHeaderBytes));
    }
  }

  void checkpoint_and_trim(Random& random) {
    if (!log_->sync()) return;
    model_.durable = model_.appended.size();
    const FramePtr& frame = model_.appended[random.below(model_.appended.size())];
    if (model_.checkpoint && frame->last_lsn() < model_.checkpoint->lsn) return;
    if (frame->last_lsn() < log_->first_retained_lsn()) return;
    model_.checkpoint = *log_->checkpoint_at(frame);
    (void)log_->trim(random.below(2) == 0 ? frame->last_lsn() + 1 : frame->first_lsn() / 2);
  }

  void read_some(Random& random) {
    if (model_.appended.empty()) return;
    const size_t from = random.below(model_.appended.size());
    if (model_.appended[from]->first_lsn() < log_->first_retained_lsn()) return;
    LogCursor cursor(*log_, model_.appended[from]->first_lsn());
    for (size_t i = from; i < model_.appended.size(); ++i) {
      auto frame = cursor.next();
      if (!frame && disk_.power_lost()) return;
      ASSERT_TRUE(frame) << frame.error().message;
      ASSERT_EQ((*frame)->bytes(), model_.appended[i]->bytes());
    }
  }

  void restart(Random& random) {
    disk_.crash(random);
    // Starts that themselves lose their power.
    while (random.one_in(3)) {
      disk_.lose_power_after(random.below(6));
      (void)try_open(model_.checkpoint);
      disk_.crash(random);
    }
    ASSERT_NO_FATAL_FAILURE(open(model_.checkpoint));
    ASSERT_NO_FATAL_FAILURE(check());
  }

  void check() {
    const Lsn retained = log_->first_retained_lsn();
    const bool nothing_trimmed =
        model_.appended.empty() || retained <= model_.appended.front()->first_lsn();
    ASSERT_TRUE(nothing_trimmed || (model_.checkpoint && retained <= model_.checkpoint->lsn + 1));
    const std::vector<FramePtr> found = read_all(retained);
    std::vector<FramePtr>& appended = model_.appended;
    // Trimmed frames come first among the appended.
    const auto first = std::find_if(appended.begin(), appended.end(), [&](const FramePtr& frame) {
      return frame->first_lsn() >= retained;
    });
    const size_t trimmed = static_cast<size_t>(first - appended.begin());
    const size_t expected = appended.size() - trimmed;
    ASSERT_GE(trimmed + found.size(), model_.durable);
    ASSERT_LE(found.size(), expected + 1);
    for (size_t i = 0; i < std::min(found.size(), expected); ++i) {
      ASSERT_EQ(found[i]->bytes(), appended[trimmed + i]->bytes());
    }
    if (found.size() > expected) {
      ASSERT_TRUE(model_.in_flight_payload);
      ASSERT_EQ(found.back()->bytes().substr(Frame::kHeaderBytes), *model_.in_flight_payload);
      appended.push_back(found.back());
    } else {
      appended.resize(trimmed + found.size());
    }
    model_.in_flight_payload.reset();
    model_.durable = appended.size();
    std::vector<FramePtr> to_replay;
    for (const FramePtr& frame : appended) {
      if (!model_.checkpoint || frame->first_lsn() > model_.checkpoint->lsn) {
        to_replay.push_back(frame);
      }
    }
    expect_same(replayed_, to_replay);
  }

  Model model_;
};

TEST_F(LogCrashTest, WhatWasSyncedIsThereAndNothingIsHalf) {
  const uint64_t seed = random_seed();
  for (uint64_t round = 0; round < 500; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed + round));
    ASSERT_NO_FATAL_FAILURE(run(seed + round, true));
    if (HasFailure()) return;
  }
}

TEST_F(LogCrashTest, WithoutSyncWhatIsThereIsABeginningAndNothingIsHalf) {
  const uint64_t seed = random_seed();
  for (uint64_t round = 0; round < 500; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed + round));
    ASSERT_NO_FATAL_FAILURE(run(seed + round, false));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace
