#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/net/http_server.h"
#include "core/ops/error_wire.h"
#include "ops_node.h"

namespace millrace {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The operations behind the real server, one request a connection.
class Serve : public testing::Test {
 protected:
  Serve()
      : server_(threads_, options(), [this](const HttpRequest& request, HttpReply reply) {
          serve(node.node(), node.operations(), request, std::move(reply));
          node.commit();
        }) {
    threads_.start();
    EXPECT_TRUE(server_.start());
  }
  ~Serve() override {
    threads_.stop();
    threads_.join();
  }

  std::string exchange(const std::string& method, const std::string& headers,
                       const std::string& body = "") {
    int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    std::string request = method + " / HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n" +
                          headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                          body;
    EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(got));
    ::close(fd);
    return answer;
  }
  std::string post(const std::string& target, const std::string& body,
                   const std::string& more = "Content-Type: application/x-amz-json-1.0\r\n") {
    return exchange("POST", "X-Amz-Target: " + target + "\r\n" + more, body);
  }

  OpsNode node;

 private:
  static HttpServerOptions options() {
    HttpServerOptions options;
    options.port = 0;
    return options;
  }
  IoThreads threads_{1};
  HttpServer server_;
};

TEST_F(Serve, operations_are_found_by_their_target) {
  std::string answer = post("DynamoDB_20120810.ListTables", "{}");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n{\"TableNames\":[]}"));
  EXPECT_THAT(answer, Not(HasSubstr("Access-Control")));
  for (const char* target : {"DynamoDB_20120810.ListTable", "whatever", "DynamoDB_20120810."}) {
    answer = post(target, "{}");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(answer,
                EndsWith("{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}"));
  }
}

TEST_F(Serve, a_body_is_read_before_its_operation_is_looked_for) {
  for (const char* target : {"", "whatever", "DynamoDB_20120810.ListTables"}) {
    EXPECT_THAT(post(target, "hi"),
                EndsWith("{\"__type\":\"com.amazon.coral.service#SerializationException\"}"))
        << target;
  }
  EXPECT_THAT(post("", ""),
              EndsWith("{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}"));
}

TEST_F(Serve, an_answer_is_of_the_type_of_its_request) {
  for (const char* type : {"application/json", "application/x-amz-json-1.0"}) {
    const std::string header = "Content-Type: " + std::string(type);
    for (const char* target : {"DynamoDB_20120810.ListTables", "whatever"}) {
      EXPECT_THAT(post(target, "{}", header + " ; charset=utf-8\r\n"), HasSubstr(header + "\r\n"))
          << target;
    }
  }
}

TEST_F(Serve, only_json_is_served) {
  for (const char* type :
       {"Content-Type: text/plain\r\n", "Content-Type: application/x-amz-json-1.1\r\n", ""}) {
    std::string answer = post("DynamoDB_20120810.ListTables", "{}", type);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 404")) << type;
    EXPECT_THAT(answer, EndsWith("<UnknownOperationException/>\n"));
  }
  EXPECT_THAT(post("DynamoDB_20120810.ListTables", "{}",
                   "Content-Type: application/json; charset=utf-8\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post("DynamoDB_20120810.ListTables", ""),
              EndsWith("{\"__type\":\"com.amazon.coral.service#SerializationException\"}"));
}

TEST_F(Serve, other_methods) {
  EXPECT_THAT(exchange("GET", ""), EndsWith("\r\n\r\nhealthy: dynamodb.us-east-1.amazonaws.com "));
  EXPECT_THAT(exchange("PUT", "", "hi"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(exchange("OPTIONS", ""), StartsWith("HTTP/1.1 404"));
}

TEST_F(Serve, browsers_may_ask_from_any_origin) {
  std::string origin = "Origin: http://localhost:3000\r\n";
  std::string preflight =
      exchange("OPTIONS", origin +
                              "Access-Control-Request-Method: POST\r\n"
                              "Access-Control-Request-Headers: x-amz-target\r\n");
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Headers: x-amz-target\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: POST\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Max-Age: 172800\r\n"));
  std::string type = "Content-Type: application/x-amz-json-1.0\r\n";
  EXPECT_THAT(post("DynamoDB_20120810.ListTables", "{}", type + origin),
              HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(post("DynamoDB_20120810.GetItem", "{}", type + origin),
              HasSubstr("Access-Control-Allow-Origin: *\r\n"));
}

TEST_F(Serve, a_body_over_its_operations_limit) {
  std::string answer =
      post("DynamoDB_20120810.ListTables", "{\"x\":\"" + std::string(2u << 20, 'a') + "\"}");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
}

TEST_F(Serve, an_observer_is_told_of_each_answer) {
  struct Observer final : RequestObserver {
    void on_answer(const Operation& operation, int status, int64_t) override {
      told += operation.name + ":" + std::to_string(status) + " ";
    }
    std::string told;
  } observer;
  node.node().observer = &observer;
  post("DynamoDB_20120810.ListTables", "{}");
  post("DynamoDB_20120810.GetItem", "{}");
  post("DynamoDB_20120810.Nothing", "{}");
  post("", "{}");
  node.node().observer = nullptr;
  EXPECT_EQ(observer.told, "ListTables:200 GetItem:400 unknown:400 unknown:400 ");
}

TEST(ErrorWire, inner_errors_keep_their_text_to_themselves) {
  std::string body;
  render_error(make_error(ErrorCode::kIo, "disk /dev/x burns"), body);
  EXPECT_EQ(body,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\","
            "\"message\":\"Internal server error\"}");
  EXPECT_EQ(http_status(ErrorCode::kCorruption), 500);
  EXPECT_EQ(http_status(ErrorCode::kServiceUnavailable), 503);
  body.clear();
  render_error(validation_error("say \"no\""), body);
  EXPECT_EQ(body,
            "{\"__type\":\"com.amazon.coral.validate#ValidationException\","
            "\"message\":\"say \\\"no\\\"\"}");
}

}  // namespace
}  // namespace millrace
