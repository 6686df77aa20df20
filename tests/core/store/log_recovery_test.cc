#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "core/base/random.h"
#include "log_fixture.h"

namespace millrace {
namespace {

// As it was written before frames had tags.
std::string without_tag(const Frame& frame) {
  std::string header(frame.bytes().substr(0, 44));
  header[6] = header[7] = '\0';
  std::string hashed = header;
  put_fixed64(hashed, xxh3_64(frame.bytes().substr(Frame::kHeaderBytes)));
  put_fixed64(hashed, frame.position().segment);
  put_fixed64(hashed, frame.position().offset);
  put_fixed64(header, xxh3_64(hashed));
  return header.append(frame.bytes().substr(Frame::kHeaderBytes));
}

class LogRecoveryTest : public LogTest {
 protected:
  std::vector<FramePtr> without_last() const { return {frames_.begin(), frames_.end() - 1}; }
  static FramePtr forged() {
    return build(kFirst + 1'000'000, 50).finish(kFirst + 999'999, 0, {kFirst, 64});
  }
  // A last frame that holds the image and is torn is cut off, whatever the image says.
  void expect_torn_item_is_cut(std::string_view image) {
    FrameBuilder builder(log_->next_lsn());
    builder.begin_entry(1);
    builder.add_change(ChangeKind::kInsert, "k", image, std::nullopt);
    builder.end_entry();
    auto frame = log_->append(std::move(builder));
    ASSERT_TRUE(frame);
    damage(*frame, 52);
    open();
    expect_same(replayed_, frames_);
  }
};

TEST_F(LogRecoveryTest, CutsALastFrameOfWhichAnyByteIsMissing) {
  open();
  for (int i = 0; i < 3; ++i) append(40);
  const LogPosition last = frames_.back()->position();
  const std::string whole = disk_.content(path_of(last.segment));
  const std::string bytes(frames_.back()->bytes());
  for (size_t kept = 0; kept < bytes.size(); ++kept) {
    // The file ends within it.
    disk_.set_content(path_of(last.segment), whole.substr(0, last.offset + kept));
    open();
    expect_same(replayed_, without_last());
    // What should follow was never written.
    std::string zeros = whole;
    zeros.replace(last.offset + kept, bytes.size() - kept, bytes.size() - kept, '\0');
    if (zeros == whole) continue;
    disk_.set_content(path_of(last.segment), zeros);
    open();
    expect_same(replayed_, without_last());
    EXPECT_EQ(log_->next_lsn(), frames_.back()->first_lsn());
  }
  // The log goes on from there.
  frames_.pop_back();
  append(10);
  append(10);
  open();
  expect_same(replayed_, frames_);
}

TEST_F(LogRecoveryTest, CutsALastFrameWithAnyBitFlipped) {
  open();
  for (int i = 0; i < 3; ++i) append(40);
  const std::string whole = disk_.content(path_of(kFirst));
  for (size_t byte = 0; byte < frames_.back()->size(); ++byte) {
    damage(frames_.back(), byte, static_cast<char>(1 << byte % 8));
    open();
    expect_same(replayed_, without_last());
    disk_.set_content(path_of(kFirst), whole);
  }
}

TEST_F(LogRecoveryTest, RefusesAnEarlierFrameWithAnyBitFlipped) {
  open();
  for (int i = 0; i < 4; ++i) append(40);
  const std::string whole = disk_.content(path_of(kFirst));
  for (const FramePtr& frame : {frames_[0], frames_[1], frames_[2]}) {
    for (size_t byte = 0; byte < frame->size(); ++byte) {
      damage(frame, byte, static_cast<char>(1 << byte % 8));
      expect_damage_at(try_open(), frame->position());
      disk_.set_content(path_of(kFirst), whole);
    }
  }
  open();
  expect_same(replayed_, frames_);
}

TEST_F(LogRecoveryTest, RefusesDamageInAnEarlierSegment) {
  open();
  append_until_segments(4);
  // The last frame of a segment: only the next segment knows of it.
  for (size_t i = 0; i + 1 < frames_.size(); ++i) {
    if (frames_[i]->position().segment == frames_[i + 1]->position().segment) continue;
    const std::string path = path_of(frames_[i]->position().segment);
    const std::string whole = disk_.content(path);
    damage(frames_[i], 60);
    expect_damage_at(try_open(), frames_[i]->position());
    disk_.set_content(path, whole);
  }
}

TEST_F(LogRecoveryTest, RefusesADamagedSegmentHeader) {
  open();
  append_until_segments(3);
  const auto segments = log_->segments();
  const LogCheckpoint checkpoint = checkpoint_at(frames_.back());
  for (const SegmentInfo& segment : segments) {
    const std::string path = path_of(segment.first_lsn);
    const std::string whole = disk_.content(path);
    for (size_t byte = 0; byte < SegmentHeader::kBytes; ++byte) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ 4);
      disk_.set_content(path, flipped);
      expect_damage_at(try_open(), {segment.first_lsn, 0});
    }
    disk_.set_content(path, whole);
  }
  // Of segments before the checkpoint too.
  std::string flipped = disk_.content(path_of(segments[0].first_lsn));
  flipped[9] = 7;
  disk_.set_content(path_of(segments[0].first_lsn), flipped);
  expect_damage_at(try_open(checkpoint), {segments[0].first_lsn, 0});
}

TEST_F(LogRecoveryTest, RefusesANewerFormatByName) {
  open();
  append();
  std::string content = disk_.content(path_of(kFirst));
  content[8] = 3;
  std::string checksum;
  put_fixed64(checksum, xxh3_64(std::string_view(content).substr(0, 56)));
  content.replace(56, 8, checksum);
  disk_.set_content(path_of(kFirst), content);
  const Status status = try_open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConfig);
  EXPECT_EQ(status.error().message, path_of(kFirst) +
                                        " is of log format 3, this release reads up to 2; use a "
                                        "newer release");
}

TEST_F(LogRecoveryTest, RefusesALogWithASegmentMissing) {
  open();
  append_until_segments(5);
  const auto segments = log_->segments();
  const LogCheckpoint at_end = checkpoint_at(frames_.back());
  for (size_t missing = 0; missing + 1 < segments.size(); ++missing) {
    const std::string path = path_of(segments[missing].first_lsn);
    const std::string whole = disk_.content(path);
    ASSERT_TRUE(disk_.remove(path));
    const Status status = try_open();
    ASSERT_FALSE(status) << missing;
    EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
    if (missing > 0) {
      // Also among those that recovery does not read.
      const Status beyond = try_open(at_end);
      ASSERT_FALSE(beyond);
      EXPECT_EQ(beyond.error().code, ErrorCode::kCorruption);
      EXPECT_NE(beyond.error().message.find(segment_file_name(segments[missing].first_lsn)),
                std::string::npos)
          << beyond.error().message;
    }
    disk_.set_content(path, whole);
  }
  // Without its last segment a log is whole, but for the checkpoint.
  ASSERT_TRUE(disk_.remove(path_of(segments.back().first_lsn)));
  ASSERT_FALSE(try_open(at_end));
  open();
}

TEST_F(LogRecoveryTest, RefusesALogThatEndsBelowItsCheckpoint) {
  open();
  append();
  append();
  const std::string two = disk_.content(path_of(kFirst));
  const LogCheckpoint at_two = checkpoint_at(frames_.back());
  append();
  const LogCheckpoint checkpoint = checkpoint_at(frames_.back());
  append();
  open(checkpoint);
  expect_same(replayed_, {frames_.back()});
  disk_.set_content(path_of(kFirst), two);
  Status status = try_open(checkpoint);
  expect_damage_at(status, frames_[2]->position());
  EXPECT_NE(status.error().message.find("the log ends with LSN 1001, but the tables hold changes "
                                        "up to LSN 1002"),
            std::string::npos)
      << status.error().message;
  // The same length, other content.
  open(at_two);
  ASSERT_TRUE(log_->append(build(log_->next_lsn(), 99)));
  EXPECT_FALSE(try_open(checkpoint));
  // Nothing at all.
  ASSERT_TRUE(disk_.remove(path_of(kFirst)));
  status = try_open(checkpoint);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("the change log is missing"), std::string::npos);
}

TEST_F(LogRecoveryTest, RefusesAStartThatNoCheckpointExplains) {
  open();
  append_until_segments(3);
  ASSERT_TRUE(log_->trim(log_->segments()[1].first_lsn));
  expect_damage_at(try_open(), {log_->segments()[0].first_lsn, 0});
}

TEST_F(LogRecoveryTest, RefusesAFrameThatClaimsMoreThanAFrameMayHold) {
  open();
  append();
  append();
  append();
  std::string content = disk_.content(path_of(kFirst));
  const uint32_t size = Frame::kPayloadBytesMax + 1;
  for (int i = 0; i < 4; ++i) {
    content[frames_[1]->position().offset + 8 + i] = static_cast<char>(size >> (8 * i));
  }
  disk_.set_content(path_of(kFirst), content);
  expect_damage_at(try_open(), frames_[1]->position());
}

TEST_F(LogRecoveryTest, ReportsAReadErrorAndCutsNothing) {
  open();
  append();
  append();
  const std::string before = disk_.content(path_of(kFirst));
  log_.reset();
  disk_.fail_next_read();
  const Status status = try_open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_EQ(disk_.content(path_of(kFirst)), before);
  open();
  expect_same(replayed_, frames_);
}

// A torn, then a shorter A' in its place, then B: what is left of A behind them is nobody's
// successor.
class LogCutFrameTest : public LogTest, public testing::WithParamInterface<bool> {};

TEST_P(LogCutFrameTest, IsNeverTakenForASuccessor) {
  options_.sync = false;
  open();
  append(100);
  ASSERT_TRUE(log_->sync());
  const FramePtr a = append(200);
  const FramePtr b = append(200);
  append(200);
  // The crash loses A but keeps B.
  damage(a, 60);
  frames_.resize(1);
  open();
  expect_same(replayed_, frames_);
  // A' has A's size, so that B lies where its successor would.
  FrameBuilder builder = build(log_->next_lsn(), 200);
  if (GetParam()) {
    builder = FrameBuilder(log_->next_lsn());
    builder.begin_entry(static_cast<int64_t>(log_->next_lsn()) * 10);
    builder.add_change(ChangeKind::kInsert, "key-1001", std::string(200, '?'), std::nullopt);
    builder.end_entry();
  }
  const FramePtr a2 = *log_->append(std::move(builder));
  ASSERT_EQ(a2->bytes() == a->bytes(), !GetParam());
  ASSERT_EQ(a2->end_position(), b->position());
  frames_.push_back(a2);
  open();
  expect_same(replayed_, frames_);
  EXPECT_EQ(log_->next_lsn(), b->first_lsn());
  if (GetParam()) {
    // Even if B had not been voided.
    std::string content = disk_.content(path_of(kFirst));
    content.replace(b->position().offset, b->size(), b->bytes());
    disk_.set_content(path_of(kFirst), content);
    open();
    expect_same(replayed_, frames_);
  }
  append(100);
  append(100);
  open();
  expect_same(replayed_, frames_);
}

INSTANTIATE_TEST_SUITE_P(AgainTheSameOrNot, LogCutFrameTest, testing::Bool());

TEST_F(LogRecoveryTest, GivesSegmentsAfterTheCutBack) {
  options_.sync = false;
  open();
  append(100);
  ASSERT_TRUE(log_->sync());
  const FramePtr lost = append(100);
  append_until_segments(4);
  frames_.resize(1);
  damage(lost, 3);
  open();
  expect_same(replayed_, frames_);
  EXPECT_EQ(log_->segments().size(), 1u);
  append_until_segments(4);
  open();
  expect_same(replayed_, frames_);
}

TEST_F(LogRecoveryTest, LeftoversOfRecycledSegmentsAreNoEvidence) {
  options_.segment_bytes = options_.first_segment_bytes;
  open();
  append_until_segments(6);
  ASSERT_TRUE(log_->trim(log_->segments()[3].first_lsn));
  std::erase_if(frames_,
                [&](const FramePtr& f) { return f->first_lsn() < log_->first_retained_lsn(); });
  const LogCheckpoint checkpoint = checkpoint_at(frames_.front());
  append_until_segments(5);
  damage(frames_.back(), 60);
  open(checkpoint);
  frames_.pop_back();
  expect_same(read_all(log_->first_retained_lsn()), frames_);
}

// An item's bytes are the client's: a copy of a log frame among them, even one that says that
// everything is durable, is no evidence when the frame that holds it is torn.
TEST_F(LogRecoveryTest, FramesWithinItemsAreNoEvidence) {
  options_.segment_bytes = options_.first_segment_bytes = 64 << 10;
  open();
  append(100);
  std::string image;
  while (image.size() < 20'000) image += forged()->bytes();
  expect_torn_item_is_cut(image);
}

// Each would have to be hashed to tell that it is none, over and over the same bytes.
TEST_F(LogRecoveryTest, HeadersWithinItemsThatClaimMuchDoNotStopAStart) {
  options_.segment_bytes = options_.first_segment_bytes = 4 << 20;
  constexpr uint32_t kClaimed = 3u << 20;
  open();
  append(100);
  std::string image;
  for (const int tag : {0, 4711}) {
    std::string header(forged()->bytes().substr(0, Frame::kHeaderBytes));
    for (int i = 0; i < 2; ++i) header[6 + i] = static_cast<char>(tag >> (8 * i));
    for (int i = 0; i < 4; ++i) header[8 + i] = static_cast<char>(kClaimed >> (8 * i));
    for (int i = 0; i < 4000; ++i) image += header;
  }
  expect_torn_item_is_cut(image);
}

TEST_F(LogRecoveryTest, FramesFromBeforeThereWereTagsAreReadAndAreEvidence) {
  open();
  append();
  append();
  append();
  std::string content = disk_.content(path_of(kFirst));
  const std::string untagged = without_tag(*frames_[2]);
  content.replace(frames_[2]->position().offset, untagged.size(), untagged);
  disk_.set_content(path_of(kFirst), content);
  open();
  ASSERT_EQ(replayed_.size(), 3u);
  EXPECT_EQ(replayed_[2]->bytes(), untagged);
  damage(frames_[1], 60);
  expect_damage_at(try_open(), frames_[1]->position());
}

TEST_F(LogRecoveryTest, SyncsAgainWhatMayBeInMemoryOnly) {
  open();
  append(100);
  disk_.fail_next_sync();
  ASSERT_FALSE(log_->append(build(log_->next_lsn(), 3000)));
  ASSERT_FALSE(disk_.power_lost());
  // The process restarts and reads the frame from the page cache, though it never reached the disk.
  open();
  ASSERT_EQ(replayed_.size(), 2u);
  const std::vector<FramePtr> seen = replayed_;
  Random random(1);
  disk_.crash(random);
  open();
  expect_same(replayed_, seen);
}

TEST_F(LogRecoveryTest, ACutIsLasting) {
  open();
  append(40);
  append(40);
  const std::string whole = disk_.content(path_of(kFirst));
  damage(frames_.back(), 70);
  open();
  const LogPosition cut = frames_.back()->position();
  EXPECT_EQ(disk_.content(path_of(kFirst)).substr(cut.offset, Frame::kHeaderBytes),
            std::string(Frame::kHeaderBytes, '\0'));
  Random random(1);
  disk_.crash(random);
  open();
  expect_same(replayed_, without_last());
}

}  // namespace
}  // namespace millrace
