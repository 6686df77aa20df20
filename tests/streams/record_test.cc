#include "streams/record.h"

#include <gtest/gtest.h>

namespace millrace::streams {
namespace {

Table table_of(ValueType partition, std::optional<KeyAttribute> sort = std::nullopt) {
  Table table;
  table.name = "films";
  table.generation = 1024;
  table.key = {{"pk", partition}, std::move(sort)};
  return table;
}

std::string item_of(const std::string& pk, const std::string& title) {
  ItemTree item;
  item.emplace("pk", Value::string(pk));
  item.emplace("title", Value::string(title));
  return encode_item(item);
}

// A frame of one entry with one change.
FramePtr frame_of(ChangeKind kind, std::string_view key, std::string_view new_image,
                  std::optional<std::string_view> old_image,
                  std::optional<std::string_view> identity = std::nullopt) {
  FrameBuilder builder(1'800'000'000'000'001);
  builder.begin_entry(1'790'000'000'987);
  if (identity) builder.add_field(EntryField::kIdentity, *identity);
  builder.add_change(kind, key, new_image, old_image);
  builder.end_entry();
  return std::move(builder).finish(0, 0, {});
}

std::string render(const FramePtr& frame, const Table& table, StreamViewType view,
                   RecordForm form = RecordForm::kApi) {
  const EntryView entry = *frame->begin();
  const ChangeView change = *entry.begin();
  std::string out;
  render_record(table, "eu-west-1", view, change, entry, out, form);
  return out;
}

std::string key_of(const Table& table, std::string_view partition, std::string_view sort = "") {
  std::string key;
  append_partition_prefix(table.generation, partition, key);
  return key.append(sort);
}

constexpr const char* kHead =
    "\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"eu-west-1\","
    "\"dynamodb\":{\"ApproximateCreationDateTime\":1790000000,\"Keys\":{\"pk\":{\"S\":\"a\"}}";
constexpr const char* kNew = ",\"NewImage\":{\"pk\":{\"S\":\"a\"},\"title\":{\"S\":\"new\"}}";
constexpr const char* kOld = ",\"OldImage\":{\"pk\":{\"S\":\"a\"},\"title\":{\"S\":\"o\"}}";
constexpr const char* kSequence = ",\"SequenceNumber\":\"100001800000000000001\",\"SizeBytes\":";

std::string tail(int size, const char* view) {
  return kSequence + std::to_string(size) + ",\"StreamViewType\":\"" + view + "\"}}";
}

TEST(Record, HasTheServicesShapeUnderEachViewType) {
  Table table = table_of(ValueType::kString);
  FramePtr frame =
      frame_of(ChangeKind::kModify, key_of(table, "a"), item_of("a", "new"), item_of("a", "o"));
  std::string id;
  id = render(frame, table, StreamViewType::kKeysOnly).substr(12, 32);
  const std::string head = "{\"eventID\":\"" + id + "\",\"eventName\":\"MODIFY\"," + kHead;
  EXPECT_EQ(render(frame, table, StreamViewType::kKeysOnly), head + tail(3, "KEYS_ONLY"));
  EXPECT_EQ(render(frame, table, StreamViewType::kNewImage), head + kNew + tail(14, "NEW_IMAGE"));
  EXPECT_EQ(render(frame, table, StreamViewType::kOldImage), head + kOld + tail(12, "OLD_IMAGE"));
  EXPECT_EQ(render(frame, table, StreamViewType::kNewAndOldImages),
            head + kNew + kOld + tail(23, "NEW_AND_OLD_IMAGES"));
}

TEST(Record, AnInsertHasNoOldImageAndARemovalNoNewOne) {
  Table table = table_of(ValueType::kString);
  std::string inserted =
      render(frame_of(ChangeKind::kInsert, key_of(table, "a"), item_of("a", "new"), std::nullopt),
             table, StreamViewType::kNewAndOldImages);
  EXPECT_NE(inserted.find("\"eventName\":\"INSERT\""), std::string::npos);
  EXPECT_NE(inserted.find(kNew), std::string::npos);
  EXPECT_EQ(inserted.find("OldImage"), std::string::npos);
  std::string removed =
      render(frame_of(ChangeKind::kRemove, key_of(table, "a"), "", item_of("a", "o")), table,
             StreamViewType::kNewAndOldImages);
  EXPECT_NE(removed.find("\"eventName\":\"REMOVE\""), std::string::npos);
  EXPECT_NE(removed.find(kOld), std::string::npos);
  EXPECT_EQ(removed.find("NewImage"), std::string::npos);
}

TEST(Record, NamesTheServiceThatRemovedAnExpiredItem) {
  Table table = table_of(ValueType::kString);
  FramePtr frame = frame_of(ChangeKind::kRemove, key_of(table, "a"), "", item_of("a", "o"),
                            "dynamodb.amazonaws.com");
  EXPECT_TRUE(render(frame, table, StreamViewType::kKeysOnly)
                  .ends_with("},\"userIdentity\":{\"PrincipalId\":\"dynamodb.amazonaws.com\","
                             "\"Type\":\"Service\"}}"));
  EXPECT_TRUE(render(frame, table, StreamViewType::kKeysOnly, RecordForm::kEvent)
                  .ends_with("},\"userIdentity\":{\"principalId\":\"dynamodb.amazonaws.com\","
                             "\"type\":\"Service\"}}"));
}

TEST(Record, KeysComeFromTheStoreKeyWhateverTheirType) {
  Table numbers = table_of(ValueType::kNumber, KeyAttribute{"sk", ValueType::kBinary});
  std::string ordered;
  Number::parse("-12.50")->append_ordered(ordered);
  std::string keys;
  render_keys(numbers, key_of(numbers, ordered, std::string_view("\x00\xff\x10", 3)), keys);
  EXPECT_EQ(keys, "{\"pk\":{\"N\":\"-12.5\"},\"sk\":{\"B\":\"AP8Q\"}}");
  Table binary = table_of(ValueType::kBinary, KeyAttribute{"sk", ValueType::kString});
  keys.clear();
  render_keys(binary, key_of(binary, "xyz", "q\"\n"), keys);
  EXPECT_EQ(keys, "{\"pk\":{\"B\":\"eHl6\"},\"sk\":{\"S\":\"q\\\"\\n\"}}");
}

TEST(Record, AppendsOnly) {
  Table table = table_of(ValueType::kString);
  FramePtr frame =
      frame_of(ChangeKind::kInsert, key_of(table, "a"), item_of("a", "new"), std::nullopt);
  std::string out = "before";
  const EntryView entry = *frame->begin();
  const ChangeView change = *entry.begin();
  render_record(table, "eu-west-1", StreamViewType::kNewImage, change, entry, out);
  EXPECT_EQ(out, "before" + render(frame, table, StreamViewType::kNewImage));
}

}  // namespace
}  // namespace millrace::streams
