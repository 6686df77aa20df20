#include "streams/streams_operations.h"

#include "stream_node.h"

namespace millrace::streams {
namespace {

using Answer = std::pair<int, std::string>;

std::string in_quotes(const std::string& text) { return '"' + text + '"'; }

void expect_error(const Answer& answer, const std::string& type, const std::string& message) {
  EXPECT_EQ(answer.first, 400);
  EXPECT_TRUE(text_of(answer.second, "__type").ends_with("#" + type)) << answer.second;
  std::string found = text_of(answer.second, "message");
  if (found.empty()) found = text_of(answer.second, "Message");
  EXPECT_EQ(found, message);
}

std::vector<std::string> all_texts(const std::string& json, const std::string& name) {
  std::vector<std::string> found;
  std::string key = "\"" + name + "\":";
  for (size_t at = json.find(key); at != std::string::npos; at = json.find(key, at + 1)) {
    found.push_back(text_of(json, name, at));
  }
  return found;
}

class StreamsOperationsTest : public testing::Test {
 protected:
  void SetUp() override {
    node.create_table("films", StreamViewType::kNewAndOldImages,
                      KeyAttribute{"year", ValueType::kNumber});
    arn = node.streams().arn(node.stream_of("films"));
  }
  std::vector<std::string> shard_ids() {
    return all_texts(node.call("DescribeStream", "{\"StreamArn\":" + in_quotes(arn) + "}").second,
                     "ShardId");
  }
  Answer iterator(const std::string& shard, const std::string& type, const std::string& more = "") {
    return node.call("GetShardIterator",
                     "{\"StreamArn\":" + in_quotes(arn) + ",\"ShardId\":" + in_quotes(shard) +
                         ",\"ShardIteratorType\":" + in_quotes(type) + more + "}");
  }

  StreamNode node;
  std::string arn;
};

TEST_F(StreamsOperationsTest, DescribesAStream) {
  EXPECT_EQ(arn,
            "arn:aws:dynamodb:eu-west-1:000000000000:table/films/stream/2026-11-22T10:00:00.000");
  const Stream stream = node.stream_of("films");
  auto [status, body] = node.call("DescribeStream", "{\"StreamArn\":" + in_quotes(arn) + "}");
  EXPECT_EQ(status, 200);
  std::string shards;
  for (uint32_t i = 0; i < 4; ++i) {
    shards += (i > 0 ? ",{\"ShardId\":\"" : "{\"ShardId\":\"") +
              shard_id(stream.table->generation, stream.definition(),
                       stream.definition().shards[i].name) +
              "\",\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"" +
              sequence_number(stream.definition().enabled_at) + "\"}}";
  }
  EXPECT_EQ(body, "{\"StreamDescription\":{\"StreamArn\":\"" + arn +
                      "\",\"StreamLabel\":\"2026-11-22T10:00:00.000\",\"StreamStatus\":\"ENABLED\","
                      "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\","
                      "\"CreationRequestDateTime\":1790000000.123,\"TableName\":\"films\","
                      "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
                      "{\"AttributeName\":\"year\",\"KeyType\":\"RANGE\"}],\"Shards\":[" +
                      shards + "]}}");
  node.disable("films");
  body = node.call("DescribeStream", "{\"StreamArn\":" + in_quotes(arn) + "}").second;
  EXPECT_EQ(text_of(body, "StreamStatus"), "DISABLED");
  EXPECT_EQ(all_texts(body, "EndingSequenceNumber").size(), 4u);
}

TEST_F(StreamsOperationsTest, PagesThroughShards) {
  auto ids = shard_ids();
  ASSERT_EQ(ids.size(), 4u);
  std::vector<std::string> found;
  std::string start;
  for (int page = 0; page < 2; ++page) {
    auto [status, body] = node.call(
        "DescribeStream",
        "{\"Limit\":3,\"StreamArn\":" + in_quotes(arn) +
            (start.empty() ? "" : ",\"ExclusiveStartShardId\":" + in_quotes(start)) + "}");
    EXPECT_EQ(status, 200);
    for (const std::string& id : all_texts(body, "ShardId")) found.push_back(id);
    start = text_of(body, "LastEvaluatedShardId");
    EXPECT_EQ(start, page == 0 ? ids[2] : "");
  }
  EXPECT_EQ(found, ids);
  auto [status, body] = node.call(
      "DescribeStream",
      "{\"StreamArn\":" + in_quotes(arn) +
          ",\"ShardFilter\":{\"Type\":\"CHILD_SHARDS\",\"ShardId\":" + in_quotes(ids[0]) + "}}");
  EXPECT_EQ(status, 200);
  EXPECT_NE(body.find("\"Shards\":[]"), std::string::npos);
}

TEST_F(StreamsOperationsTest, ListsStreams) {
  node.create_table("books", StreamViewType::kKeysOnly);
  node.create_table("plain", std::nullopt);
  auto [status, body] = node.call("ListStreams", "{}");
  EXPECT_EQ(status, 200);
  EXPECT_EQ(all_texts(body, "TableName"), (std::vector<std::string>{"books", "films"}));
  EXPECT_EQ(node.call("ListStreams", "{\"TableName\":\"films\"}").second,
            "{\"Streams\":[{\"StreamArn\":\"" + arn +
                "\",\"TableName\":\"films\",\"StreamLabel\":\"2026-11-22T10:00:00.000\"}]}");
  EXPECT_EQ(node.call("ListStreams", "{\"TableName\":\"nobody\"}").second, "{\"Streams\":[]}");
  body = node.call("ListStreams", "{\"Limit\":1}").second;
  EXPECT_EQ(all_texts(body, "TableName"), std::vector<std::string>{"books"});
  std::string last = text_of(body, "LastEvaluatedStreamArn");
  body =
      node.call("ListStreams", "{\"Limit\":1,\"ExclusiveStartStreamArn\":" + in_quotes(last) + "}")
          .second;
  EXPECT_EQ(all_texts(body, "TableName"), std::vector<std::string>{"films"});
  EXPECT_EQ(text_of(body, "LastEvaluatedStreamArn"), "");
  // One that is gone is a place in the list, what is none is refused.
  last.back() = last.back() == '0' ? '1' : '0';
  EXPECT_EQ(node.call("ListStreams", "{\"ExclusiveStartStreamArn\":" + in_quotes(last) + "}").first,
            200);
  expect_error(
      node.call("ListStreams",
                "{\"ExclusiveStartStreamArn\":\"no-arn-at-all-but-of-thirty-seven-characters\"}"),
      "ValidationException", "Invalid StreamArn");
}

TEST_F(StreamsOperationsTest, GivesIteratorsAndRecords) {
  node.create_table("t", StreamViewType::kNewImage);
  arn = node.streams().arn(node.stream_of("t"));
  Lsn lsn = node.put("t", "k", "v");
  std::string found;
  for (const std::string& shard : shard_ids()) {
    auto [status, body] = iterator(shard, "TRIM_HORIZON");
    EXPECT_EQ(status, 200);
    std::string token = text_of(body, "ShardIterator");
    body = node.call("GetRecords", "{\"ShardIterator\":" + in_quotes(token) + "}").second;
    EXPECT_FALSE(text_of(body, "NextShardIterator").empty());
    if (body.starts_with("{\"Records\":[],")) continue;
    found += body;
    EXPECT_EQ(iterator(shard, "AT_SEQUENCE_NUMBER",
                       ",\"SequenceNumber\":" + in_quotes(sequence_number(lsn)))
                  .first,
              200);
    EXPECT_EQ(iterator(shard, "AT_TIMESTAMP", ",\"Timestamp\":1790000000.123").first, 200);
  }
  EXPECT_TRUE(found.starts_with("{\"Records\":[{\"eventID\":")) << found;
  EXPECT_EQ(text_of(found, "SequenceNumber"), sequence_number(lsn));
  node.disable("t");
  std::string token = text_of(iterator(shard_ids()[0], "LATEST").second, "ShardIterator");
  EXPECT_EQ(node.call("GetRecords", "{\"ShardIterator\":" + in_quotes(token) + "}").second,
            "{\"Records\":[]}");
}

TEST_F(StreamsOperationsTest, RefusesAsTheServiceDoes) {
  const std::string shard = shard_ids()[0];
  const std::string absent =
      "arn:aws:dynamodb:eu-west-1:000000000000:table/nobody/stream/2026-11-22T10:00:00.000";
  expect_error(node.call("DescribeStream", "{\"StreamArn\":" + in_quotes(absent) + "}"),
               "ResourceNotFoundException",
               "Requested resource not found: Stream: " + absent + " not found");
  expect_error(node.call("DescribeStream", "{}"), "ValidationException",
               "1 validation error detected: Value null at 'streamArn' failed to satisfy "
               "constraint: Member must not be null");
  expect_error(node.call("DescribeStream", "{\"StreamArn\":\"fake\",\"Limit\":0}"),
               "ValidationException",
               "2 validation errors detected: Value 'fake' at 'streamArn' failed to satisfy "
               "constraint: Member must have length greater than or equal to 37; Value '0' at "
               "'limit' failed to satisfy constraint: Member must have value greater than or equal "
               "to 1");
  expect_error(node.call("DescribeStream",
                         "{\"StreamArn\":\"no-arn-at-all-but-of-thirty-seven-characters\"}"),
               "ValidationException", "Invalid StreamArn");
  expect_error(iterator("shardId-00000000000000000000-00000000", "LATEST"),
               "ResourceNotFoundException", "Requested resource not found: Shard does not exist");
  EXPECT_EQ(iterator(shard, "SOMEWHERE").first, 400);
  EXPECT_EQ(iterator(shard, "AT_SEQUENCE_NUMBER").first, 400);
  EXPECT_EQ(iterator(shard, "AT_TIMESTAMP").first, 400);
  EXPECT_EQ(iterator(shard, "AT_TIMESTAMP", ",\"Timestamp\":1e300").first, 400);
  EXPECT_EQ(iterator(shard, "AT_TIMESTAMP", ",\"Timestamp\":\"now\"").first, 400);
  expect_error(
      iterator(shard, "AT_SEQUENCE_NUMBER", ",\"SequenceNumber\":\"200000000000000000001\""),
      "ValidationException", "Invalid SequenceNumber");
  expect_error(node.call("GetRecords", "{\"ShardIterator\":\"nonsense\"}"), "ValidationException",
               "Invalid ShardIterator");
  std::string token = text_of(iterator(shard, "LATEST").second, "ShardIterator");
  expect_error(
      node.call("GetRecords", "{\"ShardIterator\":" + in_quotes(token) + ",\"Limit\":1001}"),
      "ValidationException",
      "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: "
      "Member must have value less than or equal to 1000");
  node.clock.advance(15 * 60 * 1000 + 1);
  expect_error(node.call("GetRecords", "{\"ShardIterator\":" + in_quotes(token) + "}"),
               "ExpiredIteratorException",
               "The provided iterator exceeds the maximum age allowed.");
}

TEST_F(StreamsOperationsTest, BodiesThatAreNoRequestAreRefused) {
  for (const char* name : {"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}) {
    for (const char* body :
         {"", "{", "[]", "null", "17", "{\"Limit\":\"x\"}", "{\"Limit\":{}}",
          "{\"StreamArn\":7,\"TableName\":[],\"ShardIterator\":{}}", "{\"a\":}", "\xff\xfe"}) {
      auto [status, text] = node.call(name, body);
      EXPECT_EQ(status, 400) << name << ' ' << body << ' ' << text;
    }
  }
}

}  // namespace
}  // namespace millrace::streams
