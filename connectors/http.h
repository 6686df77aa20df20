#pragma once

#include <map>
#include <memory>
#include <string>

#include "connectors/connector.h"
#include "connectors/http_batch.h"
#include "connectors/http_url.h"
#include "core/base/result.h"

namespace millrace::connectors {

struct HttpOptions {
  std::string connector;  // its name, told in the header x-millrace-connector
  std::string region;     // awsRegion of the records
  std::string account;    // in their eventSourceARN
  HttpUrl url;
  /// Sent with each request, checked by check_http_header. May hold secrets: never logged.
  std::map<std::string, std::string> headers;
  HttpBatch::Limits batch;
  int timeout_ms = 30000;  // of one request, from the connection to the end of the answer
};

/// POSTs batches of changes to a URL, one request at a time, so in the order of the log; gathers
/// the next batch meanwhile (README.md). At least once. Failures are kUnavailable: what a receiver
/// refuses can be mended there.
class HttpConnector final : public Connector {
 public:
  explicit HttpConnector(HttpOptions options);
  ~HttpConnector() override;

  Result<size_t> deliver(std::span<const Record> records) override;
  void poll(int wait_ms, Progress& progress) override;
  void flush() override {}  // what is gathered is sent as soon as the answer before it is there
  void reset() override;

 private:
  class Client;
  struct Answer;

  void send(Progress& progress);
  void take(const Answer& answer, Progress& progress);
  Status judge(const Answer& answer, size_t& acknowledged) const;
  std::string excerpt(const std::string& body) const;

  const HttpOptions options_;
  std::unique_ptr<Client> client_;  // none: to be made
  HttpBatch sent_;                  // under way, unless empty
  HttpBatch gathered_;
  bool failed_ = false;  // nothing is taken until reset()
};

}  // namespace millrace::connectors
