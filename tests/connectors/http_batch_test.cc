#include "connectors/http_batch.h"

#include "changes.h"
#include "streams/stream_ids.h"

namespace millrace::connectors {
namespace {

constexpr HttpBatch::Limits kRoomy = {1000, 1u << 20};

std::string body_of(const Changes& changes) {
  HttpBatch batch;
  for (const Record& record : changes.records())
    EXPECT_TRUE(batch.add(record, "us-east-1", "000000000000", kRoomy));
  return batch.take_body();
}

// The bytes on the wire. Receivers depend on them.
TEST(HttpBatch, BodyIsAStreamsEventWithOurOwnMember) {
  EXPECT_EQ(body_of(Changes(1)),
            R"({"Records":[{"eventID":"23259b94f13cf5449a4b8d649b55b7bf","eventName":"INSERT",)"
            R"("eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1",)"
            R"("dynamodb":{"ApproximateCreationDateTime":1790000000,)"
            R"("Keys":{"title":{"S":"Film 0"},"year":{"N":"2013"}},)"
            R"("NewImage":{"n":{"N":"0"},"title":{"S":"Film 0"},"year":{"N":"2013"}},)"
            R"("SequenceNumber":"100000000000000000100","SizeBytes":38,)"
            R"("StreamViewType":"NEW_AND_OLD_IMAGES"},)"
            R"("eventSourceARN":"arn:aws:dynamodb:us-east-1:000000000000:table/films",)"
            R"("millrace":{"lsn":100,"table":"films"}}]})");
}

TEST(HttpBatch, ATransactionsChangesSayTheirPlaceInIt) {
  const std::string body = body_of(Changes(3, 100, "id-1"));
  for (
      const char* part :
      {R"("millrace":{"lsn":100,"table":"films","transaction":{"id":"id-1","position":1,"count":3}}},{)",
       R"("millrace":{"lsn":102,"table":"films","transaction":{"id":"id-1","position":3,"count":3}}}]})"})
    EXPECT_NE(body.find(part), std::string::npos) << part << " in " << body;
}

TEST(HttpBatch, TakesUpToItsLimits) {
  Changes changes(10);
  std::vector<Record> records = changes.records(7);
  HttpBatch by_count;
  for (size_t i = 0; i < 10; ++i)
    EXPECT_EQ(by_count.add(records[i], "r", "a", {4, 1u << 20}), i < 4) << i;
  EXPECT_EQ(by_count.size(), 4u);
  EXPECT_EQ(by_count.ticket(3), 10u);
  EXPECT_EQ(by_count.lsns()[3], 103u);

  HttpBatch by_bytes;
  size_t taken = 0;
  while (by_bytes.add(records[taken], "r", "a", {1000, 1500})) ++taken;
  const std::string body = by_bytes.take_body();
  EXPECT_GT(taken, 1u);
  EXPECT_LE(body.size(), 1500u);
  EXPECT_TRUE(body.ends_with("}]}")) << body;

  HttpBatch alone;
  EXPECT_TRUE(alone.add(records[0], "r", "a", {1000, 10}));
  EXPECT_FALSE(alone.add(records[1], "r", "a", {1000, 10}));
}

TEST(HttpAnswer, AcknowledgesAllButFromTheLowestFailureOn) {
  const std::vector<Lsn> lsns = {100, 101, 105, 106};
  auto failing = [](std::vector<Lsn> failed) {
    std::string body = R"({"batchItemFailures":[)";
    for (size_t i = 0; i < failed.size(); ++i)
      body += std::string(i == 0 ? "" : ",") + R"({"itemIdentifier":")" +
              streams::sequence_number(failed[i]) + "\"}";
    return body + "]}";
  };
  EXPECT_EQ(acknowledged_by(failing({}), lsns).value(), 4u);
  EXPECT_EQ(acknowledged_by(failing({105}), lsns).value(), 2u);
  EXPECT_EQ(acknowledged_by(failing({106, 101}), lsns).value(), 1u);
  EXPECT_EQ(acknowledged_by(failing({100}), lsns).value(), 0u);
  // What was not in the batch.
  EXPECT_EQ(acknowledged_by(failing({103}), lsns).value(), 0u);
  EXPECT_EQ(acknowledged_by(failing({107}), lsns).value(), 0u);
}

TEST(HttpAnswer, OtherBodiesAcknowledgeAll) {
  const std::vector<Lsn> lsns = {100, 101};
  for (const char* body :
       {"", "OK", "null", "[]", "{}", " \r\n{ }\n", R"({"batchItemFailures":null})",
        R"({"message":"thanks"})", "<html></html>"})
    EXPECT_EQ(acknowledged_by(body, lsns).value(), 2u) << body;
}

TEST(HttpAnswer, FailuresThatNameNothingAcknowledgeNothing) {
  const std::vector<Lsn> lsns = {100, 101};
  for (const char* body :
       {R"({"batchItemFailures":[{"itemIdentifier":""}]})",
        R"({"batchItemFailures":[{"itemIdentifier":null}]})",
        R"({"batchItemFailures":[{"itemIdentifier":101}]})",
        R"({"batchItemFailures":[{"MyIdentifier":"x"}]})", R"({"batchItemFailures":["x"]})",
        R"({"batchItemFailures":{}})", R"({"batchItemFailures":1})"})
    EXPECT_EQ(acknowledged_by(body, lsns).value(), 0u) << body;
}

TEST(HttpAnswer, AnObjectThatIsNoJsonIsAFailure) {
  const std::vector<Lsn> lsns = {100};
  for (const char* body : {"{", R"({"batchItemFailures":[)", "{oops}"}) {
    Result<size_t> count = acknowledged_by(body, lsns);
    ASSERT_FALSE(count) << body;
    EXPECT_EQ(count.error().code, ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace millrace::connectors
