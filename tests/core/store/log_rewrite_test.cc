#include "core/store/log_rewrite.h"

#include <algorithm>
#include <cstdio>

#include "core/base/random.h"
#include "log_rewrite_fixture.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

TEST(RewrittenSegmentHeader, HasTheBytesThatTheFormatSays) {
  SegmentHeader header;
  header.first_lsn = 0x0102;
  header.previous_segment = 0x0304;
  header.previous_checksum = 0x1122334455667788;
  header.previous_lsn = 0x0506;
  header.previous_time_ms = 0x0708;
  header.rewritten = SegmentRewritten{2, 0x090a, 0x2233445566778899, 0x0b0c, 0x1234, 5, 3, 7};
  const std::string bytes = header.encode();
  EXPECT_EQ(hex(bytes),
            "4d524c4f47534547"  // magic
            "02000000"
            "00000000"          // version, reserved
            "0201000000000000"  // first LSN
            "0403000000000000"  // previous segment
            "8877665544332211"  // previous frame's checksum
            "0605000000000000"  // its last LSN
            "0807000000000000"  // its time
            "0200000000000000"  // how often it was rewritten
            "0a09000000000000"  // last LSN
            "9988776655443322"  // last frame's checksum
            "0c0b000000000000"  // its time
            "3412000000000000"  // end of the frames
            "0500000000000000"  // checksum of the last that is left
            "0300000000000000"  // length of the list of what was left out
            "0700000000000000"  // its checksum
            "ebb4e7bcad458f4a");
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

TEST(ARewrittenSegmentsFrame, CountsTheRewritesInItsChecksum) {
  FrameBuilder builder(100);
  builder.begin_entry(1);
  builder.add_change(ChangeKind::kInsert, "key", "image", std::nullopt);
  builder.end_entry();
  FrameBuilder again = builder;
  const FramePtr plain = std::move(builder).finish(99, 7, {50, 4096, 0});
  const FramePtr moved = std::move(again).finish(99, 7, {50, 4096, 1});
  EXPECT_EQ(hex(moved->bytes().substr(44, 8)), "3eda94f8d5bed27f");
  EXPECT_NE(plain->checksum(), moved->checksum());
  EXPECT_TRUE(Frame::parse(std::string(moved->bytes()), {50, 4096, 1}));
  EXPECT_FALSE(Frame::parse(std::string(moved->bytes()), {50, 4096, 0}));
  EXPECT_FALSE(Frame::parse(std::string(moved->bytes()), {50, 4096, 2}));
}

TEST(LeftOutList, HasTheBytesThatTheFormatSays) {
  EXPECT_EQ(hex(encode_left_out({{1, 2}, {0x0304, 0x0506}})),
            "01000000000000000200000000000000"
            "04030000000000000605000000000000");
}

TEST_F(LogRewriteTest, KeepsWhatIsNeededAndSaysWhatItLeftOut) {
  open();
  fill(6);
  const auto before = log_->segments();
  rewrite_all(only(kQuiet));
  const auto after = log_->segments();
  ASSERT_EQ(after.size(), before.size());
  uint64_t bytes_before = 0, bytes_after = 0;
  // The last but one is the first's size: small. The open one stays.
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].first_lsn, before[i].first_lsn);
    EXPECT_EQ(after[i].last_lsn, before[i].last_lsn);
    EXPECT_EQ(after[i].last_time_ms, before[i].last_time_ms);
    if (after[i].rewrites == 0) continue;
    EXPECT_LE(after[i].bytes, before[i].bytes / 2 + 100);
    bytes_before += before[i].bytes;
    bytes_after += after[i].bytes;
  }
  EXPECT_EQ(after.back().rewrites, 0u);
  const RewriteStatistics statistics = log_->rewrite_statistics();
  EXPECT_GE(statistics.segments, 4u);
  EXPECT_EQ(statistics.bytes_before, bytes_before);
  EXPECT_EQ(statistics.bytes_after, bytes_after);
  EXPECT_EQ(lsns(read_all(kFirst), kQuiet), appended(kQuiet));
  EXPECT_LT(lsns(read_all(kFirst), kBusy).size(), appended(kBusy).size() / 2);
  const Lsn through =
      log_->left_out_through([](uint64_t generation) { return generation == kBusy; }).value();
  EXPECT_GT(through, after[3].first_lsn);
  EXPECT_LT(through, after.back().first_lsn);
  EXPECT_EQ(log_->left_out_through([](uint64_t of) { return of == kQuiet; }).value(), 0u);
}

TEST_F(LogRewriteTest, ATransactionIsKeptWhole) {
  open();
  fill(6);
  rewrite_all(only(kQuiet));
  size_t transactions = 0;
  for (const FramePtr& frame : read_all(kFirst)) {
    for (const EntryView& entry : *frame) {
      std::vector<uint64_t> generations;
      for (const ChangeView& change : entry) generations.push_back(generation_of(change));
      if (generations.size() == 1) continue;
      ++transactions;
      EXPECT_EQ(generations, (std::vector<uint64_t>{kBusy, kQuiet}));
    }
  }
  EXPECT_GT(transactions, 5u);
}

TEST_F(LogRewriteTest, ASegmentOfWhichNothingIsNeededShrinksToItsHead) {
  open();
  fill(6);
  rewrite_all([](uint64_t, Lsn) { return false; });
  for (const SegmentInfo& segment : log_->segments()) {
    EXPECT_TRUE(segment.rewrites == 0 || segment.bytes <= 4096u + 64);
  }
  const auto open_segment = log_->segments().back().first_lsn;
  const auto left = read_all(kFirst);
  ASSERT_FALSE(left.empty());
  EXPECT_GE(left.back()->first_lsn(), open_segment);
  ASSERT_NO_FATAL_FAILURE(open(last_checkpoint()));
  expect_same(read_all(log_->segments().back().first_lsn), {left.end() - 1, left.end()});
}

TEST_F(LogRewriteTest, ASegmentOfWhichMuchIsNeededStays) {
  open();
  fill(6);
  const auto before = files();
  rewrite_all(only(kBusy));
  EXPECT_EQ(files(), before);
  EXPECT_EQ(log_->rewrite_statistics().segments, 0u);
}

TEST_F(LogRewriteTest, WhatRecoveryReadsStays) {
  open();
  fill(6);
  const auto segments = log_->segments();
  LogRewriter rewriter(*log_);
  // The checkpoint lies in the fourth.
  rewrite_all(rewriter, needs(only(kQuiet), segments[3].first_lsn));
  for (const SegmentInfo& segment : log_->segments()) {
    EXPECT_EQ(segment.rewrites,
              segment.first_lsn > segments[0].first_lsn && segment.first_lsn < segments[3].first_lsn
                  ? 1u
                  : 0u);
  }
  // As the checkpoint rises, the others too.
  rewrite_all(rewriter, needs(only(kQuiet), segments[5].first_lsn));
  EXPECT_EQ(log_->segments()[4].rewrites, 1u);
  EXPECT_EQ(log_->segments()[5].rewrites, 0u);
}

TEST_F(LogRewriteTest, ASegmentIsLookedAtAgainOnceItsNeedsAreSettled) {
  open();
  fill(6);
  LogRewriter rewriter(*log_);
  const Lsn below = log_->durable_lsn();
  rewrite_all(rewriter, needs([](uint64_t, Lsn) { return true; }, below, kFirst));
  EXPECT_EQ(log_->rewrite_statistics().segments, 0u);
  // What the readers still hold is not read again and again.
  const auto must_not = [](uint64_t, Lsn) {
    ADD_FAILURE() << "looked at before its needs were settled";
    return true;
  };
  rewrite_all(rewriter, needs(must_not, below, kFirst));
  rewrite_all(rewriter, needs(only(kQuiet), below, kAll));
  EXPECT_GE(log_->rewrite_statistics().segments, 4u);
  rewrite_all(rewriter, needs(must_not, below, kAll));
}

TEST_F(LogRewriteTest, ASegmentIsRewrittenAgain) {
  open();
  fill(5);
  const Lsn middle = log_->segments()[2].first_lsn + 3;
  rewrite_all(only(kQuiet));
  const auto once = log_->segments();
  SegmentInfo segment = once[2];
  ASSERT_EQ(segment.rewrites, 1u);
  const auto needed = [middle](uint64_t of, Lsn lsn) { return of == kQuiet && lsn < middle; };
  auto rewrite = SegmentRewrite::begin(*log_, segment.first_lsn, log_->durable_lsn(), needed);
  ASSERT_TRUE(rewrite);
  ASSERT_NE(*rewrite, nullptr);
  while ((*rewrite)->step().value()) {
  }
  // Its file is small: whether it is worth it depends on how much there was.
  if (log_->segments()[2].rewrites == 2) {
    std::vector<Lsn> left;
    for (Lsn lsn : appended(kQuiet)) {
      if (lsn < middle || lsn < segment.first_lsn || lsn > segment.last_lsn) left.push_back(lsn);
    }
    EXPECT_EQ(lsns(read_all(kFirst), kQuiet), left);
  }
}

TEST_F(LogRewriteTest, ACursorAmidTheOldFileGoesOnInTheNewOne) {
  options_.tail_bytes = 1;
  for (int skip = 0; skip < 60; skip += 7) {
    disk_.~SimDisk();
    new (&disk_) sim::SimDisk();
    frames_.clear();
    open();
    fill(6);
    std::vector<FramePtr> read;
    LogCursor cursor(*log_, kFirst);
    for (int i = 0; i < skip; ++i) read.push_back(cursor.next().value());
    rewrite_all(only(kQuiet));
    for (;;) {
      auto frame = cursor.next();
      ASSERT_TRUE(frame) << frame.error().message;
      if (!*frame) break;
      read.push_back(*frame);
    }
    EXPECT_EQ(lsns(read, kQuiet), appended(kQuiet)) << skip;
    bool busy = false;
    for (const LeftOut& left_out : cursor.take_left_out()) {
      EXPECT_NE(left_out.generation, kQuiet);
      busy |= left_out.generation == kBusy;
    }
    EXPECT_TRUE(busy);
    EXPECT_TRUE(cursor.take_left_out().empty());
  }
}

TEST_F(LogRewriteTest, AFrameThatWasMovedIsToldSo) {
  open();
  fill(6);
  rewrite_all(only(kQuiet));
  const auto segments = log_->segments();
  size_t moved = 0;
  for (const FramePtr& frame : frames_) {
    const auto segment = std::find_if(segments.begin(), segments.end(), [&](const auto& s) {
      return s.first_lsn == frame->position().segment;
    });
    auto found = log_->frame_at(frame->position());
    if (segment->rewrites == 0) {
      ASSERT_TRUE(found);
      continue;
    }
    ++moved;
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::kMoved);
  }
  EXPECT_GT(moved, 10u);
  for (const FramePtr& frame : read_all(kFirst)) {
    auto found = log_->frame_at(frame->position());
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ((*found)->bytes(), frame->bytes());
  }
}

TEST_F(LogRewriteTest, AStartFindsTheRewrittenSegmentsAndRemovesWhatTheyReplaced) {
  open();
  fill(6);
  const LogCheckpoint checkpoint = last_checkpoint();
  const Lsn first = log_->segments()[1].first_lsn;
  const std::string old = disk_.content(path_of(first));
  rewrite_all(only(kQuiet));
  const auto segments = log_->segments();
  ASSERT_EQ(segments[1].rewrites, 1u);
  // As if removing the old file had been lost.
  disk_.set_content(path_of(first), old);
  ASSERT_NO_FATAL_FAILURE(open(checkpoint));
  EXPECT_FALSE(disk_.exists(path_of(first)));
  const auto reopened = log_->segments();
  ASSERT_EQ(reopened.size(), segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    EXPECT_EQ(reopened[i].rewrites, segments[i].rewrites);
    EXPECT_EQ(reopened[i].last_lsn, segments[i].last_lsn);
    EXPECT_EQ(reopened[i].last_time_ms, segments[i].last_time_ms);
  }
  EXPECT_EQ(lsns(read_all(kFirst), kQuiet), appended(kQuiet));
}

TEST_F(LogRewriteTest, DamageToARewrittenSegmentIsFound) {
  open();
  fill(5);
  const LogCheckpoint checkpoint = last_checkpoint();
  rewrite_all(only(kQuiet));
  const SegmentInfo segment = log_->segments()[2];
  ASSERT_EQ(segment.rewrites, 1u);
  const std::string path = "log/" + segment_file_name(segment.first_lsn, 1);
  const std::string whole = disk_.content(path);
  log_.reset();
  Random random(random_seed());
  for (int i = 0; i < 300; ++i) {
    std::string content = whole;
    // Between the head and the first frame nothing is said.
    size_t byte = random.below(content.size() - 4096 + 128);
    if (byte >= 128) byte += 4096 - 128;
    content[byte] = static_cast<char>(content[byte] ^ (1 << random.below(8)));
    disk_.set_content(path, content);
    Status found = try_open(checkpoint);
    if (found) {
      LogCursor cursor(*log_, kFirst);
      for (;;) {
        auto frame = cursor.next();
        if (!frame) found = frame.error();
        if (!frame || !*frame) break;
      }
    }
    ASSERT_FALSE(found) << "byte " << byte;
    EXPECT_EQ(found.error().code, ErrorCode::kCorruption) << found.error().message;
    EXPECT_NE(found.error().message.find(path), std::string::npos) << found.error().message;
  }
}

TEST_F(LogRewriteTest, TrimmingTakesRewrittenSegments) {
  open();
  fill(8);
  rewrite_all(only(kQuiet));
  const auto segments = log_->segments();
  ASSERT_TRUE(log_->trim(segments[4].first_lsn));
  EXPECT_EQ(log_->first_retained_lsn(), segments[4].first_lsn);
  for (const std::string& name : files()) {
    const auto segment = segment_of_file_name(name);
    EXPECT_TRUE(!segment || segment->first_lsn >= segments[4].first_lsn) << name;
  }
  ASSERT_NO_FATAL_FAILURE(open(last_checkpoint()));
  EXPECT_EQ(log_->first_retained_lsn(), segments[4].first_lsn);
}

TEST_F(LogRewriteTest, ADiskThatRefusesLeavesTheSegmentAsItWas) {
  open();
  fill(4);
  for (const int fault : {0, 1, 2}) {
    LogRewriter rewriter(*log_);
    if (fault == 0) disk_.fail_next_write();
    if (fault == 1) disk_.fail_next_sync();
    if (fault == 2) disk_.set_capacity(disk_.used_bytes("log").value() + 1000);
    const auto before = files();
    Result<bool> more = true;
    while (more && *more) more = rewriter.step(needs(only(kQuiet), log_->durable_lsn()));
    ASSERT_FALSE(more) << fault;
    EXPECT_EQ(files(), before) << fault;
    EXPECT_EQ(lsns(read_all(kFirst), kQuiet), appended(kQuiet));
    EXPECT_EQ(lsns(read_all(kFirst), kBusy), appended(kBusy));
    disk_.set_capacity(std::nullopt);
    if (fault == 2) {
      rewrite_all(rewriter, needs(only(kQuiet), log_->durable_lsn()));
      EXPECT_EQ(log_->segments()[1].rewrites, 1u) << "it is tried again";
    }
  }
}

}  // namespace
}  // namespace millrace
