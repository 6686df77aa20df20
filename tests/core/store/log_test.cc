#include "core/store/log.h"

#include <atomic>
#include <thread>

#include "core/base/random.h"
#include "log_fixture.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

TEST(SegmentHeader, HasTheBytesThatTheFormatSays) {
  SegmentHeader header;
  header.first_lsn = 0x0102;
  header.previous_segment = 0x0304;
  header.previous_checksum = 0x1122334455667788;
  header.previous_lsn = 0x0506;
  header.previous_time_ms = 0x0708;
  const std::string bytes = header.encode();
  EXPECT_EQ(hex(bytes),
            "4d524c4f47534547"  // magic
            "01000000"
            "00000000"          // version, reserved
            "0201000000000000"  // first LSN
            "0403000000000000"  // previous segment
            "8877665544332211"  // previous frame's checksum
            "0605000000000000"  // its last LSN
            "0807000000000000"  // its time
            "1a7a621e3066189b");
  auto decoded = SegmentHeader::decode(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->encode(), bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    EXPECT_FALSE(SegmentHeader::decode(flipped)) << i;
    EXPECT_FALSE(SegmentHeader::decode(bytes.substr(0, i))) << i;
  }
}

TEST(SegmentFileName, GoesBothWays) {
  EXPECT_EQ(segment_file_name(42), "00000000000000000042.log");
  EXPECT_EQ(segment_of_file_name("00000000000000000042.log"), (SegmentName{42, 0}));
  EXPECT_EQ(segment_file_name(42, 7), "00000000000000000042-7.log");
  EXPECT_EQ(segment_of_file_name("00000000000000000042-7.log"), (SegmentName{42, 7}));
  for (const char* name :
       {"42.log", "0000000000000000004x.log", "00000000000000000042.lo", "LOCK", "spare-1",
        "000000000000000000042.log", "00000000000000000042-.log", "00000000000000000042-0.log",
        "00000000000000000042-07.log", "00000000000000000042-7x.log"}) {
    EXPECT_EQ(segment_of_file_name(name), std::nullopt) << name;
  }
}

TEST_F(LogTest, OfAnEmptyFolderIsEmptyAndCheap) {
  open();
  EXPECT_EQ(log_->next_lsn(), kFirst);
  EXPECT_EQ(log_->durable_lsn(), kFirst - 1);
  EXPECT_EQ(log_->first_retained_lsn(), kFirst);
  EXPECT_TRUE(log_->segments().empty());
  auto frame = log_->frame_holding(kFirst);
  ASSERT_TRUE(frame);
  EXPECT_EQ(*frame, nullptr);
  ASSERT_FALSE(log_->frame_holding(kFirst - 1));
  EXPECT_EQ(log_->frame_holding(kFirst - 1).error().code, ErrorCode::kTrimmed);
}

TEST_F(LogTest, GivesBackWhatWasAppendedAcrossSegmentsAndRestarts) {
  open();
  append_until_segments(4);
  append(30'000);  // larger than a segment
  append(100, 7);
  expect_same(read_all(kFirst), frames_);
  const auto before = log_->segments();
  open();
  expect_same(replayed_, frames_);
  expect_same(read_all(kFirst), frames_);
  EXPECT_EQ(log_->next_lsn(), frames_.back()->last_lsn() + 1);
  EXPECT_EQ(log_->durable_lsn(), frames_.back()->last_lsn());
  const auto after = log_->segments();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].first_lsn, before[i].first_lsn);
    EXPECT_EQ(after[i].last_lsn, before[i].last_lsn);
    EXPECT_EQ(after[i].last_time_ms, before[i].last_time_ms);
    EXPECT_EQ(after[i].bytes, before[i].bytes);
    EXPECT_EQ(after[i].sealed, i + 1 < after.size());
  }
  append();
  append_until_segments(7);
  expect_same(read_all(kFirst), frames_);
}

TEST_F(LogTest, ReplaysFromACheckpointOnAndKnowsTheSegmentsBefore) {
  open();
  append_until_segments(3);
  const LogCheckpoint checkpoint = checkpoint_at(frames_.back());
  const size_t applied = frames_.size();
  const auto before = log_->segments();
  open(checkpoint);
  EXPECT_TRUE(replayed_.empty());
  append_until_segments(5);
  open(checkpoint);
  expect_same(replayed_, {frames_.begin() + static_cast<ptrdiff_t>(applied), frames_.end()});
  EXPECT_EQ(log_->segments()[0].last_lsn, before[0].last_lsn);
  EXPECT_EQ(log_->segments()[0].last_time_ms, before[0].last_time_ms);
  expect_same(read_all(kFirst), frames_);
}

TEST_F(LogTest, ACheckpointNeedsAFrameThatIsWrittenThoughNotYetReadable) {
  open();
  FrameBuilder builder(log_->next_lsn());
  builder.begin_entry(1);
  builder.add_change(ChangeKind::kInsert, "key", "image", std::nullopt, {});
  builder.end_entry();
  const FramePtr frame = log_->seal(std::move(builder));
  EXPECT_FALSE(log_->checkpoint_at(frame));
  ASSERT_TRUE(log_->write(frame));
  EXPECT_LT(log_->durable_lsn(), frame->last_lsn());
  const auto checkpoint = log_->checkpoint_at(frame);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->lsn, frame->last_lsn());
  log_->make_readable(*frame);
  open(*checkpoint);
  EXPECT_TRUE(replayed_.empty());
}

TEST_F(LogTest, FindsTheFrameThatHoldsAnLsnOrTheFirstAfterAGap) {
  open();
  append(100, 5);
  const Lsn after_gap = log_->next_lsn() + 50;
  auto frame = log_->append(build(after_gap, 100, 3));
  ASSERT_TRUE(frame);
  frames_.push_back(*frame);
  // A gap between two segments.
  auto large = log_->append(build(log_->next_lsn() + 50, 5000));
  ASSERT_TRUE(large);
  frames_.push_back(*large);
  append();
  ASSERT_EQ(log_->segments().size(), 2u);
  for (int restarted = 0; restarted < 2; ++restarted) {
    for (Lsn lsn = kFirst; lsn <= frames_.back()->last_lsn(); ++lsn) {
      auto found = log_->frame_holding(lsn);
      ASSERT_TRUE(found) << found.error().message;
      const FramePtr& expected = lsn <= frames_[0]->last_lsn()   ? frames_[0]
                                 : lsn <= frames_[1]->last_lsn() ? frames_[1]
                                 : lsn <= frames_[2]->last_lsn() ? frames_[2]
                                                                 : frames_[3];
      ASSERT_EQ((*found)->bytes(), expected->bytes()) << lsn;
    }
    EXPECT_EQ(*log_->frame_holding(log_->next_lsn()), nullptr);
    open();
  }
}

TEST_F(LogTest, FindsAFrameByItsPosition) {
  open();
  append_until_segments(3);
  for (const FramePtr& expected : frames_) {
    auto frame = log_->frame_at(expected->position());
    ASSERT_TRUE(frame) << frame.error().message;
    ASSERT_EQ((*frame)->bytes(), expected->bytes());
  }
  LogPosition wrong = frames_[0]->position();
  wrong.offset += 1;
  EXPECT_EQ(log_->frame_at(wrong).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(log_->frame_at(frames_.back()->end_position()).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(log_->frame_at({5, 64}).error().code, ErrorCode::kTrimmed);
}

TEST_F(LogTest, ReadsRecentFramesFromMemory) {
  options_.tail_bytes = 1 << 20;
  open();
  append_until_segments(2);
  disk_.fail_next_read();
  std::vector<FramePtr> found = read_all(kFirst);
  ASSERT_EQ(found.size(), frames_.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], frames_[i]);
  EXPECT_EQ(*log_->frame_at(frames_[3]->position()), frames_[3]);
}

TEST_F(LogTest, GivesTrimmedSegmentsBackAndSaysSoToReaders) {
  options_.segment_bytes = 4 << 10;
  options_.spare_segments = 1;
  open();
  append_until_segments(6);
  LogCursor cursor(*log_, kFirst);
  ASSERT_TRUE(cursor.next());
  const auto before = log_->segments();
  ASSERT_TRUE(log_->trim(before[3].first_lsn));
  EXPECT_EQ(log_->segments().size(), 3u);
  EXPECT_EQ(log_->segments()[0].first_lsn, before[3].first_lsn);
  EXPECT_EQ(log_->first_retained_lsn(), before[3].first_lsn);
  EXPECT_EQ(cursor.next().error().code, ErrorCode::kTrimmed);
  EXPECT_EQ(log_->frame_holding(before[3].first_lsn - 1).error().code, ErrorCode::kTrimmed);
  EXPECT_EQ(log_->frame_at(frames_[0]->position()).error().code, ErrorCode::kTrimmed);
  // Two files are kept for use, one was removed.
  auto names = disk_.list("log");
  EXPECT_EQ(names->size(), 5u);
  // The open segment stays whatever is asked.
  ASSERT_TRUE(log_->trim(log_->next_lsn()));
  EXPECT_EQ(log_->segments().size(), 1u);
  std::erase_if(frames_, [&](const FramePtr& f) {
    return f->position().segment != log_->segments()[0].first_lsn;
  });
  // Recycled files serve as segments again, with what is left in them.
  append_until_segments(4);
  expect_same(read_all(log_->first_retained_lsn()), frames_);
  const LogCheckpoint checkpoint = checkpoint_at(frames_.front());
  open(checkpoint);
  expect_same(read_all(log_->first_retained_lsn()), frames_);
}

TEST_F(LogTest, ARestartFindsItsWayWhenTheCheckpointsOwnSegmentWasTrimmed) {
  open();
  append_until_segments(2);
  const FramePtr last_of_first = frames_[frames_.size() - 2];
  ASSERT_NE(last_of_first->position().segment, frames_.back()->position().segment);
  const LogCheckpoint checkpoint = checkpoint_at(last_of_first);
  ASSERT_TRUE(log_->trim(last_of_first->last_lsn() + 1));
  ASSERT_EQ(log_->segments().size(), 1u);
  open(checkpoint);
  expect_same(replayed_, {frames_.back()});
}

TEST_F(LogTest, AReaderThatHasReadAllOfATrimmedSegmentGoesOn) {
  open();
  append_until_segments(2);
  LogCursor cursor(*log_, kFirst);
  for (size_t i = 0; i + 1 < frames_.size(); ++i)
    ASSERT_EQ((*cursor.next())->bytes(), frames_[i]->bytes());
  ASSERT_TRUE(log_->trim(frames_.back()->first_lsn()));
  auto frame = cursor.next();
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(*frame, frames_.back());
}

TEST_F(LogTest, NeverGivesGarbageFromAFileThatIsWrittenAnewUnderTheReader) {
  options_.segment_bytes = options_.first_segment_bytes;
  open();
  append_until_segments(3);
  LogCursor cursor(*log_, kFirst);
  ASSERT_TRUE(cursor.next());  // has the first segment's file open
  ASSERT_TRUE(log_->trim(frames_.back()->first_lsn()));
  append_until_segments(4);
  EXPECT_EQ(cursor.next().error().code, ErrorCode::kTrimmed);
  EXPECT_EQ(cursor.next().error().code, ErrorCode::kTrimmed);
}

TEST_F(LogTest, ReadersNoticeAFrameThatDoesNotFollowTheOneBefore) {
  auto append_with = [this](char c) {
    FrameBuilder builder(log_->next_lsn());
    builder.begin_entry(1);
    builder.add_change(ChangeKind::kInsert, "k", std::string(100, c), std::nullopt);
    builder.end_entry();
    ASSERT_TRUE(log_->append(std::move(builder)));
  };
  open();
  for (char c : {'a', 'b', 'c'}) append_with(c);
  const LogPosition second = log_->frame_holding(kFirst + 1).value()->position();
  const std::string other = disk_.content(path_of(kFirst));
  log_.reset();
  ASSERT_TRUE(disk_.remove(path_of(kFirst)));
  open();
  for (char c : {'x', 'y', 'z'}) append_with(c);
  std::string mixed = disk_.content(path_of(kFirst));
  mixed.replace(second.offset, std::string::npos, other, second.offset);
  disk_.set_content(path_of(kFirst), mixed);
  LogCursor cursor(*log_, kFirst);
  ASSERT_TRUE(cursor.next());
  auto frame = cursor.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::kCorruption);
  EXPECT_NE(
      frame.error().message.find(path_of(kFirst) + " at byte " + std::to_string(second.offset)),
      std::string::npos)
      << frame.error().message;
}

TEST_F(LogTest, PreparesSparesInPiecesAndUsesThem) {
  options_.segment_bytes = 9 << 20;
  open();
  int calls = 1;
  for (auto more = log_->prepare_spare(); *more; more = log_->prepare_spare()) ++calls;
  EXPECT_EQ(calls, 9);
  EXPECT_FALSE(*log_->prepare_spare());
  EXPECT_EQ(disk_.list("log")->size(), 1u);
  append_until_segments(2);
  EXPECT_EQ(log_->segments()[1].bytes, options_.segment_bytes);
  EXPECT_EQ(disk_.list("log")->size(), 2u);
  // With a spare ready, a switch costs a folder's sync and one flush.
  while (*log_->prepare_spare()) {
  }
  const uint64_t syncs = disk_.syncs();
  append((9 << 20) - 500);
  EXPECT_EQ(disk_.syncs(), syncs + 2);
}

TEST_F(LogTest, RemovesAnUnfinishedSpareAtTheNextStart) {
  options_.segment_bytes = 9 << 20;
  open();
  ASSERT_TRUE(*log_->prepare_spare());
  EXPECT_EQ(disk_.list("log")->size(), 1u);
  open();
  EXPECT_EQ(disk_.list("log")->size(), 0u);
}

TEST_F(LogTest, SyncsOncePerAppend) {
  open();
  append();
  const uint64_t syncs = disk_.syncs();
  append();
  append();
  EXPECT_EQ(disk_.syncs(), syncs + 2);
}

TEST_F(LogTest, WithoutSyncAppendsSyncNothingUntilAskedTo) {
  options_.sync = false;
  open();
  append();
  const uint64_t syncs = disk_.syncs();
  append();
  append();
  EXPECT_EQ(disk_.syncs(), syncs);
  EXPECT_EQ(frames_.back()->durable_lsn(), kFirst - 1);
  ASSERT_TRUE(log_->sync());
  EXPECT_EQ(disk_.syncs(), syncs + 1);
  append();
  EXPECT_EQ(frames_.back()->durable_lsn(), frames_[2]->last_lsn());
}

TEST_F(LogTest, AfterAFailedSyncNothingIsAppendedAnyMore) {
  open();
  append();
  disk_.fail_next_sync();
  auto failed = log_->append(build(log_->next_lsn(), 10));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_EQ(log_->durable_lsn(), frames_.back()->last_lsn());
  EXPECT_FALSE(log_->append(build(log_->next_lsn(), 10)));
  EXPECT_FALSE(log_->sync());
  expect_same(read_all(kFirst), frames_);
}

TEST_F(LogTest, AfterAFailedWriteNothingIsAppendedAnyMore) {
  open();
  append();
  disk_.fail_next_write();
  ASSERT_FALSE(log_->append(build(log_->next_lsn(), 10)));
  ASSERT_FALSE(log_->append(build(log_->next_lsn(), 10)));
  open();
  expect_same(replayed_, frames_);
  append();
}

TEST_F(LogTest, AFullDiskRefusesTheSwitchOfSegmentsAndTheLogGoesOnOnceThereIsRoom) {
  open();
  append();
  disk_.set_capacity(6 << 10);
  auto refused = log_->append(build(log_->next_lsn(), 4000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDiskFull);
  EXPECT_FALSE(log_->failed());
  EXPECT_FALSE(*log_->prepare_spare()) << "the last room is left alone";
  EXPECT_EQ(disk_.list("log")->size(), 1u) << "what was begun is gone";
  append(10);  // what fits goes on
  disk_.set_capacity(std::nullopt);
  append(4000);
  expect_same(read_all(kFirst), frames_);
  open();
  expect_same(replayed_, frames_);
  append(4000);
  expect_same(read_all(kFirst), frames_);
}

TEST_F(LogTest, CursorsFollowWhileAnotherThreadAppends) {
  options_.tail_bytes = 3000;
  options_.segment_bytes = 32 << 10;
  open();
  constexpr int kFrames = 3000;
  std::atomic<bool> ready{false};
  std::vector<std::string> expected(kFrames);
  auto read = [&] {
    LogCursor cursor(*log_, kFirst);
    for (int i = 0; i < kFrames;) {
      auto frame = cursor.next();
      ASSERT_TRUE(frame) << frame.error().message;
      if (!*frame) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ((*frame)->first_lsn(), kFirst + static_cast<Lsn>(i));
      ASSERT_EQ((*frame)->begin()->change_count(), 1u);
      ++i;
    }
  };
  std::thread first(read), second(read);
  std::thread maintenance([&] {
    while (!ready) {
      ASSERT_TRUE(log_->prepare_spare());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(log_->append(build(log_->next_lsn(), static_cast<size_t>(i % 700))));
  }
  first.join();
  second.join();
  ready = true;
  maintenance.join();
}

TEST_F(LogTest, SlowReadersAreToldOfTrimmingAndNeverMisled) {
  options_.segment_bytes = options_.first_segment_bytes;
  options_.tail_bytes = 1000;
  open();
  append();
  std::atomic<bool> done{false};
  auto read = [&](uint64_t seed) {
    Random random(seed);
    while (!done) {
      LogCursor cursor(*log_, log_->first_retained_lsn());
      Lsn last = 0;
      for (int i = 0; i < 50; ++i) {
        auto frame = cursor.next();
        if (!frame) {
          ASSERT_EQ(frame.error().code, ErrorCode::kTrimmed) << frame.error().message;
          break;
        }
        if (!*frame) break;
        ASSERT_TRUE(last == 0 || (*frame)->first_lsn() == last + 1);
        last = (*frame)->last_lsn();
        if (random.one_in(4)) std::this_thread::yield();
      }
    }
  };
  std::thread first(read, 1), second(read, 2);
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(log_->append(build(log_->next_lsn(), static_cast<size_t>(i % 900))));
    const auto segments = log_->segments();
    if (segments.size() > 3) {
      ASSERT_TRUE(log_->trim(segments[2].first_lsn));
    }
  }
  done = true;
  first.join();
  second.join();
}

}  // namespace
}  // namespace millrace
