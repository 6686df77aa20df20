#include "connectors/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <set>

#include "changes.h"
#include "connectors/event_record.h"
#include "connectors/kafka_record.h"

namespace millrace::connectors {
namespace {

constexpr int kProduce = 0;  // Kafka's number of the request
constexpr int kPartitions = 4;

KeySchema title_and_year() {
  KeySchema key;
  key.partition.name = "title";
  key.sort.emplace();
  key.sort->name = "year";
  key.sort->type = ValueType::kNumber;
  return key;
}

/// librdkafka's imitation of a broker, within the process.
class MockCluster {
 public:
  MockCluster() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char reason[256];
    owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    CHECK(owner_ != nullptr);
    cluster_ = rd_kafka_mock_cluster_new(owner_, 1);
    CHECK(cluster_ != nullptr);
    CHECK(rd_kafka_mock_topic_create(cluster_, "films", kPartitions, 1) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void fail_produce(rd_kafka_resp_err_t error, size_t times) {
    std::vector<rd_kafka_resp_err_t> errors(times, error);
    rd_kafka_mock_push_request_errors_array(cluster_, kProduce, times, errors.data());
  }

  struct Message {
    std::string key, value, lsn;
    int32_t partition;
    int64_t timestamp_ms;
  };
  /// The first `count` messages of the topic.
  std::vector<Message> read(size_t count) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char reason[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers().c_str(), reason, sizeof reason);
    rd_kafka_conf_set(conf, "group.id", "test", reason, sizeof reason);
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(kPartitions);
    for (int i = 0; i < kPartitions; ++i)
      rd_kafka_topic_partition_list_add(all, "films", i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
    std::vector<Message> messages;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (messages.size() < count && std::chrono::steady_clock::now() < deadline) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) messages.push_back(take(*message));
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return messages;
  }

 private:
  static Message take(const rd_kafka_message_t& message) {
    Message taken{std::string(static_cast<const char*>(message.key), message.key_len),
                  std::string(static_cast<const char*>(message.payload), message.len), "",
                  message.partition, rd_kafka_message_timestamp(&message, nullptr)};
    rd_kafka_headers_t* headers;
    const void* value;
    size_t size;
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "lsn", &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
      taken.lsn.assign(static_cast<const char*>(value), size);
    return taken;
  }

  rd_kafka_t* owner_;
  rd_kafka_mock_cluster_t* cluster_;
};

std::unique_ptr<KafkaConnector> connect(const std::string& brokers,
                                        std::map<std::string, std::string> properties = {}) {
  properties.emplace("retry.backoff.ms", "1");
  Result<std::unique_ptr<KafkaConnector>> connector =
      KafkaConnector::open({brokers, "", "us-east-1", "000000000000", std::move(properties)});
  CHECK(connector);
  return std::move(connector).value();
}

/// Polls until `done` says so, at most 20 s.
void poll_until(KafkaConnector& connector, Progress& progress, const std::function<bool()>& done) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << progress.trouble;
    connector.poll(20, progress);
  }
}

TEST(KafkaRecord, KeyIsTheItemsKeyAndValueAStreamsRecord) {
  Changes changes(1);
  Record record = changes.records()[0];
  std::string key, value;
  append_kafka_key(record, key);
  append_event_record(record, "us-east-1", "000000000000", value);
  EXPECT_EQ(key, R"({"title":{"S":"Film 0"},"year":{"N":"2013"}})");
  for (const char* part :
       {R"("eventName":"INSERT")", R"("awsRegion":"us-east-1")",
        R"("StreamViewType":"NEW_AND_OLD_IMAGES")",
        R"("eventSourceARN":"arn:aws:dynamodb:us-east-1:000000000000:table/films")",
        R"("NewImage":{"n":{"N":"0"},"title":{"S":"Film 0"},"year":{"N":"2013"}})"})
    EXPECT_NE(value.find(part), std::string::npos) << part << " in " << value;
}

TEST(KafkaRecord, TopicsOfLongNamesAreCutAndStayApart) {
  EXPECT_EQ(kafka_topic_of("films"), "films");
  std::string a(255, 'a');
  std::string b = a;
  b.back() = 'b';
  EXPECT_EQ(kafka_topic_of(std::string(249, 'a')), std::string(249, 'a'));
  EXPECT_EQ(kafka_topic_of(a).size(), 249u);
  EXPECT_NE(kafka_topic_of(a), kafka_topic_of(b));
}

// Known values of org.apache.kafka.common.utils.Utils.murmur2, from Kafka's own tests.
TEST(KafkaPartitioner, IsJavas) {
  const std::pair<std::string, int32_t> known[] = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  for (const auto& [key, hash] : known) {
    for (int32_t partitions : {1, 4, 7, 100}) {
      EXPECT_EQ(rd_kafka_msg_partitioner_murmur2_random(nullptr, key.data(), key.size(), partitions,
                                                        nullptr, nullptr),
                (hash & 0x7fffffff) % partitions)
          << key;
    }
  }
}

TEST(KafkaConnector, SendsEachRecordWithKeyHeaderTimeAndJavasPartition) {
  MockCluster cluster;
  auto connector = connect(cluster.brokers());
  Changes changes(50);
  ASSERT_EQ(connector->deliver(changes.records()).value(), 50u);
  Progress progress;
  poll_until(*connector, progress, [&] { return progress.acknowledged.size() == 50; });
  EXPECT_TRUE(progress.failure);
  EXPECT_EQ(std::set<uint64_t>(progress.acknowledged.begin(), progress.acknowledged.end()).size(),
            50u);

  std::vector<MockCluster::Message> messages = cluster.read(50);
  ASSERT_EQ(messages.size(), 50u);
  std::map<std::string, Lsn> newest;
  for (const MockCluster::Message& message : messages) {
    EXPECT_EQ(message.partition,
              rd_kafka_msg_partitioner_murmur2_random(
                  nullptr, message.key.data(), message.key.size(), kPartitions, nullptr, nullptr));
    EXPECT_EQ(message.timestamp_ms, 1'790'000'000'123);
    Lsn lsn = std::stoull(message.lsn);
    EXPECT_GT(lsn, newest[message.key]);
    newest[message.key] = lsn;
    EXPECT_NE(message.value.find("\"eventName\":\"INSERT\""), std::string::npos);
  }
  EXPECT_EQ(newest.size(), 10u);
}

TEST(KafkaConnector, WhatTheBrokerMayTakeLaterIsSentAgainByItself) {
  MockCluster cluster;
  cluster.fail_produce(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 3);
  auto connector = connect(cluster.brokers());
  Changes changes(20);
  ASSERT_EQ(connector->deliver(changes.records()).value(), 20u);
  Progress progress;
  poll_until(*connector, progress, [&] { return progress.acknowledged.size() == 20; });
  EXPECT_TRUE(progress.failure) << progress.failure.error().message;
}

TEST(KafkaConnector, ARefusedRecordIsAFailureAndCanBeDeliveredAgain) {
  MockCluster cluster;
  cluster.fail_produce(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
  auto connector = connect(cluster.brokers());
  Changes changes(1);
  ASSERT_EQ(connector->deliver(changes.records(7)).value(), 1u);
  Progress progress;
  poll_until(*connector, progress, [&] { return !progress.failure; });
  EXPECT_EQ(progress.failure.error().code, ErrorCode::kUnavailable);
  const std::string& message = progress.failure.error().message;
  EXPECT_NE(message.find("topic films refuses the record of {\"title\":{\"S\":\"Film 0\"}"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("raise the topic's max.message.bytes"), std::string::npos) << message;
  EXPECT_TRUE(progress.acknowledged.empty());
  EXPECT_EQ(connector->deliver(changes.records(8)).value(), 0u);

  connector->reset();
  progress.clear();
  ASSERT_EQ(connector->deliver(changes.records(8)).value(), 1u);
  poll_until(*connector, progress, [&] { return !progress.acknowledged.empty(); });
  EXPECT_EQ(progress.acknowledged, std::vector<uint64_t>{8});
}

TEST(KafkaConnector, WithoutABrokerRecordsWaitAndTheTroubleIsTold) {
  auto connector = connect("127.0.0.1:1", {{"queue.buffering.max.messages", "10"}});
  Changes changes(30);
  // It takes what its queue holds and leaves the rest.
  EXPECT_EQ(connector->deliver(changes.records()).value(), 10u);
  EXPECT_EQ(connector->deliver(changes.records(10)).value(), 0u);
  Progress progress;
  poll_until(*connector, progress, [&] { return !progress.trouble.empty(); });
  EXPECT_TRUE(progress.failure);
  EXPECT_TRUE(progress.acknowledged.empty());
}

TEST(KafkaConnector, ARecordLargerThanThePropertyAllowsIsAFailure) {
  auto connector = connect("127.0.0.1:1", {{"message.max.bytes", "1000"}});
  ItemTree item;
  item.emplace("title", Value::string("Long"));
  item.emplace("year", Value::number(Number::parse("1").value()));
  item.emplace("text", Value::string(std::string(2000, 'x')));
  std::string image = encode_item(item);
  Table table;
  table.name = "films";
  table.generation = 2000;
  table.key = title_and_year();
  FrameBuilder builder(1);
  builder.begin_entry(1);
  builder.add_change(ChangeKind::kInsert,
                     store_key(table.key, 2000, ItemView(image).attributes(), false).value(), image,
                     std::nullopt);
  builder.end_entry();
  FramePtr frame = std::move(builder).finish(0, 0, {});
  EntryView entry = *frame->begin();
  ChangeView change = *entry.begin();
  Record record{0, &table, &change, &entry};
  Result<size_t> taken = connector->deliver(std::span(&record, 1));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(taken.error().message.find("message.max.bytes"), std::string::npos)
      << taken.error().message;
}

TEST(KafkaConnector, PropertiesThatDoNotGoTogetherAreRefusedAtTheStart) {
  Result<std::unique_ptr<KafkaConnector>> connector =
      KafkaConnector::open({"127.0.0.1:1",
                            "",
                            "us-east-1",
                            "000000000000",
                            {{"max.in.flight.requests.per.connection", "100"}}});
  ASSERT_FALSE(connector);
  EXPECT_EQ(connector.error().code, ErrorCode::kConfig);
  EXPECT_NE(connector.error().message.find("max.in.flight"), std::string::npos)
      << connector.error().message;
}

TEST(KafkaProperties, ThoseThatTheGuaranteeRestsOnAreRefused) {
  for (const char* name : {"acks", "enable.idempotence", "bootstrap.servers", "message.timeout.ms",
                           "transactional.id", "retries"})
    EXPECT_FALSE(check_kafka_property(name, "1")) << name;
  EXPECT_TRUE(check_kafka_property("linger.ms", "20"));
  EXPECT_TRUE(check_kafka_property("compression.type", "zstd"));
  EXPECT_FALSE(check_kafka_property("compression.type", "rar"));
}

}  // namespace
}  // namespace millrace::connectors
