#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/connector.h"
#include "core/base/result.h"

namespace millrace::connectors {

struct KafkaOptions {
  std::string brokers;  // as bootstrap.servers
  std::string topic;    // empty: each table's name
  std::string region;   // awsRegion of the records
  std::string account;  // in their eventSourceARN
  /// librdkafka's properties, checked by check_kafka_property.
  std::map<std::string, std::string> properties;
};

/// Whether librdkafka knows a property and takes the value; also refuses properties on which the
/// delivery guarantee rests. kConfig with what is wrong and how to mend it.
Status check_kafka_property(const std::string& name, const std::string& value);

/// One message a change, at least once, in order per item (README.md). Failures are kUnavailable:
/// what Kafka refuses, an operator can mend there.
class KafkaConnector final : public Connector {
 public:
  /// Starts librdkafka, which connects by itself. kConfig if the properties do not go together.
  static Result<std::unique_ptr<KafkaConnector>> open(KafkaOptions options);
  ~KafkaConnector() override;

  Result<size_t> deliver(std::span<const Record> records) override;
  void poll(int wait_ms, Progress& progress) override;
  void flush() override;
  void reset() override;

 private:
  struct Producer;

  explicit KafkaConnector(KafkaOptions options);
  Result<std::unique_ptr<Producer>> make_producer() const;
  Status produce(const Record& record, bool& taken);

  const KafkaOptions options_;
  std::unique_ptr<Producer> producer_;  // none: to be made again
  bool failed_ = false;                 // nothing is taken until reset()
  // Reused from record to record.
  std::string key_;
  std::string value_;
};

}  // namespace millrace::connectors
