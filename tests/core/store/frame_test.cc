#include "core/store/frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/base/random.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

constexpr LogPosition kPosition{100, 64};

FramePtr sample() {
  FrameBuilder builder(258);
  builder.begin_entry(1'700'000'000'000);
  builder.add_change(ChangeKind::kInsert, "key", "new", std::nullopt);
  builder.end_entry();
  builder.begin_entry(1'700'000'000'001);
  builder.add_field(EntryField::kTransactionId, "tx");
  builder.add_field(EntryField::kIdentity, "me");
  builder.add_change(ChangeKind::kModify, "a", "b", "c");
  builder.add_change(ChangeKind::kRemove, "d", "ignored", "e");
  builder.add_change(ChangeKind::kRemove, "f", "", std::nullopt);
  builder.end_entry();
  return std::move(builder).finish(200, 0x1122334455667788, kPosition);
}

TEST(Frame, HasTheBytesThatTheFormatSays) {
  const FramePtr frame = sample();
  EXPECT_EQ(hex(frame->bytes()),
            "4d4c4631"  // magic
            "0100"
            "2318"              // version, tag
            "36000000"          // payload size
            "02000000"          // entries
            "04000000"          // changes
            "0201000000000000"  // first LSN
            "c800000000000000"  // durable LSN
            "8877665544332211"  // previous frame's checksum
            "4e4488db6f0ba47a"  // checksum
            // An entry: size, time, no fields, one change.
            "12"
            "80d095ffbc31"
            "00"
            "01"
            // An insertion: kind, no fields, key, new image.
            "01"
            "00"
            "036b6579"
            "036e6577"
            // An entry: size, time, two fields, three changes.
            "22"
            "81d095ffbc31"
            "02"
            "01027478"
            "02026d65"
            "03"
            "82"
            "00"
            "0161"
            "0162"
            "0163"
            "83"
            "00"
            "0164"
            "0165"
            "03"
            "00"
            "0166");
}

TEST(Frame, ReadsBackWhatWasBuilt) {
  const FramePtr built = sample();
  auto parsed = Frame::parse(std::string(built->bytes()), kPosition);
  ASSERT_TRUE(parsed) << parsed.error().message;
  for (const FramePtr& frame : {built, *parsed}) {
    EXPECT_EQ(frame->first_lsn(), 258u);
    EXPECT_EQ(frame->last_lsn(), 261u);
    EXPECT_EQ(frame->durable_lsn(), 200u);
    EXPECT_EQ(frame->previous_checksum(), 0x1122334455667788u);
    EXPECT_EQ(frame->checksum(), built->checksum());
    EXPECT_EQ(frame->last_time_ms(), 1'700'000'000'001);
    EXPECT_EQ(frame->position(), kPosition);
    EXPECT_EQ(frame->end_position(), (LogPosition{100, 64 + frame->size()}));

    std::vector<EntryView> entries;
    for (const EntryView& entry : *frame) entries.push_back(entry);
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].first_lsn(), 258u);
    EXPECT_EQ(entries[0].time_ms(), 1'700'000'000'000);
    EXPECT_EQ(entries[0].change_count(), 1u);
    EXPECT_EQ(entries[0].field(EntryField::kTransactionId), std::nullopt);
    EXPECT_EQ(entries[1].first_lsn(), 259u);
    EXPECT_EQ(entries[1].field(EntryField::kTransactionId), "tx");
    EXPECT_EQ(entries[1].field(EntryField::kIdentity), "me");
    EXPECT_EQ(entries[1].field(EntryField::kTraceparent), std::nullopt);

    std::vector<ChangeView> changes;
    for (const EntryView& entry : entries) {
      for (const ChangeView& change : entry) changes.push_back(change);
    }
    ASSERT_EQ(changes.size(), 4u);
    EXPECT_EQ(changes[0].lsn, 258u);
    EXPECT_EQ(changes[0].kind, ChangeKind::kInsert);
    EXPECT_EQ(changes[0].key, "key");
    EXPECT_EQ(changes[0].new_image, "new");
    EXPECT_EQ(changes[0].old_image, std::nullopt);
    EXPECT_EQ(changes[1].lsn, 259u);
    EXPECT_EQ(changes[1].kind, ChangeKind::kModify);
    EXPECT_EQ(changes[1].new_image, "b");
    EXPECT_EQ(changes[1].old_image, "c");
    EXPECT_EQ(changes[2].kind, ChangeKind::kRemove);
    EXPECT_EQ(changes[2].new_image, std::nullopt);
    EXPECT_EQ(changes[2].old_image, "e");
    EXPECT_EQ(changes[3].lsn, 261u);
    EXPECT_EQ(changes[3].key, "f");
    EXPECT_EQ(changes[3].old_image, std::nullopt);
  }
}

// A frame of one change with index changes.
FramePtr indexed(ChangeKind kind, const IndexChanges& index_changes) {
  FrameBuilder builder(1);
  builder.begin_entry(5);
  builder.add_change(kind, "k", "v", std::nullopt, index_changes);
  builder.end_entry();
  return std::move(builder).finish(0, 0, kPosition);
}

TEST(Frame, HasTheBytesThatTheFormatSaysOfIndexChanges) {
  IndexChanges changes;
  changes.put("a", "xy");
  changes.put_item("b");
  changes.remove("c");
  const FramePtr frame = indexed(ChangeKind::kInsert, changes);
  EXPECT_EQ(hex(frame->bytes().substr(Frame::kHeaderBytes)),
            // An entry: size, time, no fields, one change.
            "17"
            "05"
            "00"
            "01"
            // An insertion with one field, the index changes; its key and image.
            "01"
            "01"
            "010c"
            "0101610278790201620301"
            "63"
            "016b"
            "0176");
  auto parsed = Frame::parse(std::string(frame->bytes()), kPosition);
  ASSERT_TRUE(parsed) << parsed.error().message;
  const ChangeView change = *(*(*parsed)->begin()).begin();
  EXPECT_EQ(change.key, "k");
  EXPECT_EQ(change.new_image, "v");
  EXPECT_EQ(change.index_changes.encoded(), changes.view().encoded());
}

TEST(Frame, ARemovalHasNoImageThatAnIndexCouldShare) {
  IndexChanges changes;
  changes.put_item("b");
  const FramePtr frame = indexed(ChangeKind::kRemove, changes);
  EXPECT_FALSE(Frame::parse(std::string(frame->bytes()), kPosition));
}

TEST(FrameBuilder, DropsAnEntryWithoutChanges) {
  FrameBuilder builder(1);
  builder.begin_entry(5);
  builder.add_field(EntryField::kIdentity, "me");
  builder.end_entry();
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.payload_bytes(), 0u);
  builder.begin_entry(6);
  EXPECT_EQ(builder.add_change(ChangeKind::kInsert, "k", "v", std::nullopt), 1u);
  builder.end_entry();
  builder.begin_entry(7);
  builder.end_entry();
  const FramePtr frame = std::move(builder).finish(0, 0, kPosition);
  EXPECT_EQ(frame->last_time_ms(), 6);
  EXPECT_EQ((*frame->begin()).field(EntryField::kIdentity), std::nullopt);
  EXPECT_TRUE(Frame::parse(std::string(frame->bytes()), kPosition));
}

TEST(FrameBuilder, WhatWasReservedInVainIsGivenBack) {
  FrameBuilder builder(1);
  builder.reserve(1 << 20);
  builder.begin_entry(1);
  builder.add_change(ChangeKind::kInsert, "key", "new", std::nullopt);
  builder.end_entry();
  EXPECT_LT(std::move(builder).finish(0, 0, kPosition)->memory_bytes(), 1000u);
}

TEST(Frame, OfAnotherPlaceIsNone) {
  const std::string bytes(sample()->bytes());
  EXPECT_TRUE(Frame::parse(bytes, kPosition));
  EXPECT_FALSE(Frame::parse(bytes, {kPosition.segment, kPosition.offset + 1}));
  EXPECT_FALSE(Frame::parse(bytes, {kPosition.segment + 1, kPosition.offset}));
}

TEST(Frame, WithAnyBitFlippedIsNone) {
  const std::string bytes(sample()->bytes());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(Frame::parse(flipped, kPosition)) << "bit " << bit;
  }
}

TEST(Frame, CutShortOrTooLongIsNone) {
  const std::string bytes(sample()->bytes());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Frame::parse(bytes.substr(0, size), kPosition)) << size;
    EXPECT_EQ(Frame::size_of(std::string_view(bytes).substr(0, size)).has_value(),
              size >= Frame::kHeaderBytes);
  }
  EXPECT_FALSE(Frame::parse(bytes + '\0', kPosition));
  EXPECT_EQ(*Frame::size_of(bytes), bytes.size());
}

TEST(Frame, OverTheSizeLimitIsRefusedUnread) {
  std::string bytes(sample()->bytes());
  const uint32_t size = Frame::kPayloadBytesMax + 1;
  for (int i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(size >> (8 * i));
  EXPECT_FALSE(Frame::size_of(bytes));
}

// Gives mutated bytes the checksum that belongs to them, so that only the check of the entries'
// shape stands between them and the iterators.
std::string with_checksum(std::string bytes, LogPosition position) {
  auto set64 = [](std::string& out, uint64_t value) {
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  };
  std::string hashed = bytes.substr(0, 44);
  set64(hashed, xxh3_64(std::string_view(bytes).substr(Frame::kHeaderBytes)));
  set64(hashed, position.segment);
  set64(hashed, position.offset);
  std::string checksum;
  set64(checksum, xxh3_64(hashed));
  bytes.replace(44, 8, checksum);
  return bytes;
}

TEST(Frame, ThatParsesCanBeWalkedWhateverItsPayloadIs) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  IndexChanges index_changes;
  index_changes.put("index", "projected");
  index_changes.put_item("other");
  index_changes.remove("gone");
  const std::string frames[] = {std::string(sample()->bytes()),
                                std::string(indexed(ChangeKind::kModify, index_changes)->bytes())};
  for (const std::string& bytes : frames) ASSERT_EQ(with_checksum(bytes, kPosition), bytes);
  int parsed = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string mutated = frames[round % 2];
    for (uint64_t n = random.below(3) + 1; n > 0; --n) {
      const size_t at = 12 + random.below(mutated.size() - 12);
      mutated[at] = static_cast<char>(random.one_in(3) ? random.below(256)
                                                       : mutated[at] + random.below(5) - 2);
    }
    auto frame = Frame::parse(with_checksum(mutated, kPosition), kPosition);
    if (!frame) continue;
    ++parsed;
    uint64_t changes = 0;
    for (const EntryView& entry : **frame) {
      for (int tag = 0; tag < 8; ++tag) (void)entry.field(static_cast<EntryField>(tag));
      for (const ChangeView& change : entry) {
        changes += 1;
        EXPECT_LE(change.key.size(), mutated.size());
        for (const IndexChange& index_change : change.index_changes) {
          EXPECT_LE(index_change.key.size() + index_change.image.size(), mutated.size());
          EXPECT_TRUE(index_change.kind != IndexChangeKind::kPutItem || change.new_image);
        }
      }
    }
    EXPECT_EQ(changes, (*frame)->last_lsn() - (*frame)->first_lsn() + 1);
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace millrace
