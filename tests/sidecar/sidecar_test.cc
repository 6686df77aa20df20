#include "sidecar/sidecar.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <set>
#include <sstream>
#include <thread>

#include "core/base/random.h"
#include "core/net/admin_client.h"

namespace millrace::sidecar {
namespace {

/// One request of the data port on a connection of its own; the whole answer.
std::string post(uint16_t port, const std::string& operation, const std::string& body) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    std::string request =
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810." +
        operation + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t size; (size = recv(fd, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(size));
  }
  close(fd);
  return answer;
}

class SidecarTest : public testing::Test {
 protected:
  SidecarTest() {
    folder_ = testing::TempDir() + "sidecar-" + std::to_string(random_seed());
    config_.data = folder_ + "/data";
    config_.listen.port = 0;
    config_.admin.port = 0;
    config_.threads = 2;
    config_.cache.bytes = 4 << 20;
  }
  ~SidecarTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Sidecar> start() {
    Result<std::unique_ptr<Sidecar>> started = Sidecar::start(config_, clock_, disk_);
    EXPECT_TRUE(started) << started.error().message;
    return started ? std::move(started).value() : nullptr;
  }
  static AdminClient admin(const Sidecar& sidecar) {
    AdminClientOptions options;
    options.port = sidecar.admin_address().port;
    return AdminClient(options);
  }
  static std::string create_table(const Sidecar& sidecar) {
    return post(sidecar.listen_address().port, "CreateTable",
                R"({"TableName":"films","BillingMode":"PAY_PER_REQUEST",
                    "AttributeDefinitions":[{"AttributeName":"title","AttributeType":"S"}],
                    "KeySchema":[{"AttributeName":"title","KeyType":"HASH"}]})");
  }
  static std::string put(const Sidecar& sidecar, const std::string& title) {
    return post(sidecar.listen_address().port, "PutItem",
                R"({"TableName":"films","Item":{"title":{"S":")" + title + R"("}}})");
  }
  static std::string get(const Sidecar& sidecar, const std::string& title) {
    return post(sidecar.listen_address().port, "GetItem",
                R"({"TableName":"films","Key":{"title":{"S":")" + title + R"("}}})");
  }

  std::string folder_;
  Config config_;
  SystemClock clock_;
  PosixDisk disk_;
};

TEST_F(SidecarTest, ServesKeepsAndServesAgain) {
  config_.cache.warm_restart = false;
  std::unique_ptr<Sidecar> sidecar = start();
  ASSERT_NE(sidecar, nullptr);
  EXPECT_TRUE(create_table(*sidecar).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(put(*sidecar, "Rush").starts_with("HTTP/1.1 200 "));
  std::string answer = get(*sidecar, "Rush");
  EXPECT_NE(answer.find("x-millrace-cache: hit"), std::string::npos) << answer;
  EXPECT_NE(answer.find(R"({"Item":{"title":{"S":"Rush"}}})"), std::string::npos) << answer;
  EXPECT_TRUE(sidecar->stop());
  sidecar.reset();

  sidecar = start();
  ASSERT_NE(sidecar, nullptr);
  answer = get(*sidecar, "Rush");
  EXPECT_NE(answer.find("x-millrace-cache: miss"), std::string::npos) << answer;
  EXPECT_NE(answer.find(R"({"Item":{"title":{"S":"Rush"}}})"), std::string::npos) << answer;
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, KeepsWhatItAnsweredWithoutAnOrderlyStop) {
  std::unique_ptr<Sidecar> sidecar = start();
  create_table(*sidecar);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(put(*sidecar, "film " + std::to_string(i)).starts_with("HTTP/1.1 200 "));
  sidecar.reset();  // takes no checkpoint
  sidecar = start();
  for (int i = 0; i < 20; ++i)
    EXPECT_NE(get(*sidecar, "film " + std::to_string(i)).find("\"Item\""), std::string::npos) << i;
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, WithoutACacheReadsSaySo) {
  config_.cache.bytes = config_.cache.query_bytes = 0;
  std::unique_ptr<Sidecar> sidecar = start();
  create_table(*sidecar);
  put(*sidecar, "Rush");
  EXPECT_EQ(get(*sidecar, "Rush").find("x-millrace-cache: hit"), std::string::npos);
  EXPECT_EQ(admin(*sidecar).get("/metrics").value().find("millrace_cache_"), std::string::npos);
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, TheAdministrativePortTellsHealthAndMetrics) {
  std::unique_ptr<Sidecar> sidecar = start();
  create_table(*sidecar);
  put(*sidecar, "Rush");
  post(sidecar->listen_address().port, "PutItem", R"({"TableName":"films"})");
  EXPECT_EQ(admin(*sidecar).get("/livez").value(), "alive\n");
  EXPECT_EQ(admin(*sidecar).get("/readyz").value(), "ready\n");
  std::string metrics = admin(*sidecar).get("/metrics").value();
  for (const char* line : {
           "millrace_requests_total{operation=\"PutItem\",status=\"200\"} 1\n",
           "millrace_requests_total{operation=\"PutItem\",status=\"400\"} 1\n",
           "millrace_request_duration_seconds_count{operation=\"PutItem\"} 2\n",
           "millrace_request_duration_seconds_bucket{operation=\"PutItem\",le=\"+Inf\"} 2\n",
           "millrace_cache_entries 1\n",
           "millrace_changes_total ",
           "# TYPE millrace_request_duration_seconds histogram\n",
       })
    EXPECT_NE(metrics.find(line), std::string::npos) << line << "in\n" << metrics;
  // Prometheus takes no page that names a family twice.
  std::set<std::string> families;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(families.insert(line).second) << line;
    }
  }
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, ChangesAreStreamedAsTheyHappen) {
  std::unique_ptr<Sidecar> sidecar = start();
  create_table(*sidecar);
  put(*sidecar, "before");
  std::vector<std::string> lines;
  std::promise<void> first;
  std::thread reader([&] {
    Status status = admin(*sidecar).stream("/v1/changes?table=films&from=trim_horizon",
                                           [&](std::string_view line) {
                                             lines.emplace_back(line);
                                             if (lines.size() == 1) first.set_value();
                                             return lines.size() < 2;
                                           });
    EXPECT_TRUE(status) << status.error().message;
  });
  first.get_future().wait();
  put(*sidecar, "after");
  reader.join();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find(R"("keys":{"title":{"S":"before"}})"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find(R"("keys":{"title":{"S":"after"}})"), std::string::npos) << lines[1];

  auto ignore = [](std::string_view) { return true; };
  Status unknown = admin(*sidecar).stream("/v1/changes?table=flims", ignore);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kResourceNotFound);
  EXPECT_NE(unknown.error().message.find("did you mean 'films'?"), std::string::npos)
      << unknown.error().message;
  Status wrong = admin(*sidecar).stream("/v1/changes?from=yesterday", ignore);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kValidation);
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, ASecondOneOnTheFolderIsToldWhoHoldsIt) {
  std::unique_ptr<Sidecar> sidecar = start();
  Result<std::unique_ptr<Sidecar>> second = Sidecar::start(config_, clock_, disk_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_NE(second.error().message.find("in use by process " + std::to_string(getpid())),
            std::string::npos)
      << second.error().message;
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, AFolderKeepsItsRegionAndAccount) {
  config_.region = "eu-west-3";
  config_.account = "123456789012";
  std::unique_ptr<Sidecar> sidecar = start();
  EXPECT_NE(create_table(*sidecar).find("arn:aws:dynamodb:eu-west-3:123456789012:table/films"),
            std::string::npos);
  EXPECT_TRUE(sidecar->stop());
  sidecar.reset();
  config_.region = config_.account = "";
  sidecar = start();
  EXPECT_EQ(sidecar->folder().region(), "eu-west-3");
  EXPECT_EQ(sidecar->folder().account(), "123456789012");
  EXPECT_TRUE(sidecar->stop());
  sidecar.reset();

  config_.account = "000000000000";
  Result<std::unique_ptr<Sidecar>> refused = Sidecar::start(config_, clock_, disk_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConfig);
  EXPECT_EQ(refused.error().message,
            "the data folder " + config_.data +
                " was created with the account 123456789012 and keeps it, so it cannot have "
                "000000000000; leave --account (in a file: account) out, or name another folder");
}

TEST_F(SidecarTest, WhatIsForTestSuitesSaysHowItIsAllowed) {
  std::unique_ptr<Sidecar> sidecar = start();
  for (const auto& [path, flag] : {std::pair{"/reset", "--allow-reset"},
                                   {"/v1/clock/advance?by=1h", "--allow-stream-control"},
                                   {"/v1/streams/trim?table=films", "--allow-stream-control"}}) {
    const Result<std::string> refused = admin(*sidecar).post(path, "");
    ASSERT_FALSE(refused) << path;
    EXPECT_NE(refused.error().message.find("answered 403: "), std::string::npos)
        << refused.error().message;
    EXPECT_NE(refused.error().message.find(flag), std::string::npos) << refused.error().message;
  }
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, APortThatIsTakenIsSaidSoAndNothingStaysBehind) {
  std::unique_ptr<Sidecar> sidecar = start();
  Config other = config_;
  other.data = folder_ + "/other";
  other.listen.port = sidecar->listen_address().port;
  Result<std::unique_ptr<Sidecar>> second = Sidecar::start(other, clock_, disk_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  const auto taken = [](const std::string& flag, const Address& address) {
    return flag + ": cannot listen on " + address.text() +
           ": Address already in use; another process has this port: stop it, or name another port";
  };
  EXPECT_EQ(second.error().message, taken("--listen", other.listen));
  other.listen.port = 0;
  other.admin.port = sidecar->admin_address().port;
  second = Sidecar::start(other, clock_, disk_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, taken("--admin", other.admin));
  // The folder is free again.
  other.admin.port = 0;
  second = Sidecar::start(other, clock_, disk_);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE((*second)->stop());
  EXPECT_TRUE(sidecar->stop());
}

TEST_F(SidecarTest, AConnectorWhosePeerIsAwayHoldsNothingUp) {
  ConnectorConfig connector;
  connector.name = "away";
  connector.target.emplace<connectors::KafkaOptions>().brokers = "127.0.0.1:1";
  config_.connectors.push_back(connector);
  std::unique_ptr<Sidecar> sidecar = start();
  EXPECT_EQ(admin(*sidecar).get("/readyz").value(), "ready\n");
  create_table(*sidecar);
  EXPECT_TRUE(put(*sidecar, "Rush").starts_with("HTTP/1.1 200 "));
  std::string metrics = admin(*sidecar).get("/metrics").value();
  EXPECT_NE(metrics.find("millrace_connector_delivered_total{connector=\"away\"} 0\n"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("millrace_connector_lag_records{connector=\"away\"} "), std::string::npos);
  EXPECT_NE(metrics.find("millrace_connector_lag_seconds{connector=\"away\"} "), std::string::npos);
}

TEST_F(SidecarTest, ConnectorPropertiesThatDoNotGoTogetherNameTheConnector) {
  ConnectorConfig connector;
  connector.name = "odd";
  connectors::KafkaOptions& options = connector.target.emplace<connectors::KafkaOptions>();
  options.brokers = "127.0.0.1:1";
  options.properties["max.in.flight.requests.per.connection"] = "100";
  config_.connectors.push_back(connector);
  Result<std::unique_ptr<Sidecar>> sidecar = Sidecar::start(config_, clock_, disk_);
  ASSERT_FALSE(sidecar);
  EXPECT_EQ(sidecar.error().code, ErrorCode::kConfig);
  EXPECT_TRUE(sidecar.error().message.starts_with("connector 'odd': ")) << sidecar.error().message;
}

}  // namespace
}  // namespace millrace::sidecar
