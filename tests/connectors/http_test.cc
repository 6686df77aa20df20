#include "connectors/http.h"

#include <chrono>
#include <condition_variable>

#include "changes.h"
#include "http_receiver.h"
#include "streams/stream_ids.h"

namespace millrace::connectors {
namespace {

HttpOptions options_for(uint16_t port) {
  HttpOptions options;
  options.connector = "to-http";
  options.region = "us-east-1";
  options.account = "000000000000";
  options.url = parse_http_url("http://127.0.0.1:" + std::to_string(port) + "/changes").value();
  options.timeout_ms = 20000;
  return options;
}

/// Polls until `done` says so, at most 20 s.
void poll_until(HttpConnector& connector, Progress& progress, const std::function<bool()>& done) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    connector.poll(20, progress);
  }
}

/// Delivers and gives the failure that follows.
Error failure_of(HttpConnector& connector, const Changes& changes, Progress& progress) {
  EXPECT_GT(connector.deliver(changes.records()).value(), 0u);
  poll_until(connector, progress, [&] { return !progress.failure; });
  if (progress.failure) return {};
  EXPECT_EQ(progress.failure.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(connector.deliver(changes.records()).value(), 0u) << "takes nothing before a reset";
  return progress.failure.error();
}

std::string failure_with_answer(const std::string& answer, int count = 3) {
  HttpReceiver receiver([&](size_t, const std::string&) { return answer; });
  HttpOptions options = options_for(receiver.port());
  options.headers["authorization"] = "Bearer secret";
  HttpConnector connector(options);
  Progress progress;
  std::string message = failure_of(connector, Changes(count), progress).message;
  EXPECT_TRUE(progress.acknowledged.empty());
  const std::string url = options.url.text();
  EXPECT_TRUE(message.starts_with(url)) << message;
  return message.substr(std::min(url.size(), message.size()));
}

TEST(HttpConnector, PostsABatchWithItsHeadersAndTakesTheAnswerAsAcknowledgement) {
  HttpReceiver receiver([](size_t, const std::string&) { return HttpReceiver::answer(200); });
  HttpOptions options = options_for(receiver.port());
  options.headers["authorization"] = "Bearer secret";
  HttpConnector connector(options);
  Changes changes(50);
  ASSERT_EQ(connector.deliver(changes.records(7)).value(), 50u);
  Progress progress;
  poll_until(connector, progress, [&] { return progress.acknowledged.size() == 50; });
  EXPECT_TRUE(progress.failure);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(progress.acknowledged[i], 7 + i);
  ASSERT_EQ(receiver.requests().size(), 1u);
  const std::string request = receiver.requests()[0];
  const std::string head = request.substr(0, request.find("\r\n\r\n") + 4);
  EXPECT_EQ(head,
            "POST /changes HTTP/1.1\r\n"
            "authorization: Bearer secret\r\n"
            "Host: 127.0.0.1:" +
                std::to_string(receiver.port()) +
                "\r\n"
                "User-Agent: millrace\r\n"
                "Content-Type: application/json\r\n"
                "x-millrace-connector: to-http\r\n"
                "x-millrace-first-lsn: 100\r\n"
                "x-millrace-last-lsn: 149\r\n"
                "Content-Length: " +
                std::to_string(request.size() - head.size()) + "\r\n\r\n");
  EXPECT_TRUE(request.substr(head.size()).starts_with("{\"Records\":[{\"eventID\":"));
}

TEST(HttpConnector, GathersTheNextBatchWhileOneIsUnderWay) {
  std::mutex mutex;
  std::condition_variable changed;
  bool answers = false;
  HttpReceiver receiver([&](size_t, const std::string&) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answers; });
    return HttpReceiver::answer(204);
  });
  HttpOptions options = options_for(receiver.port());
  options.batch.records = 10;
  HttpConnector connector(options);
  Changes changes(30);
  std::vector<Record> records = changes.records();
  Progress progress;
  ASSERT_EQ(connector.deliver(std::span(records).first(1)).value(), 1u);
  connector.poll(0, progress);  // sends
  EXPECT_EQ(connector.deliver(std::span(records).subspan(1, 4)).value(), 4u);
  EXPECT_EQ(connector.deliver(std::span(records).subspan(5)).value(), 6u) << "full";
  EXPECT_EQ(connector.deliver(std::span(records).subspan(11)).value(), 0u);
  {
    std::lock_guard lock(mutex);
    answers = true;
  }
  changed.notify_all();
  poll_until(connector, progress, [&] { return progress.acknowledged.size() == 11; });
  ASSERT_EQ(receiver.requests().size(), 2u);
  EXPECT_NE(receiver.requests()[0].find("x-millrace-last-lsn: 100\r\n"), std::string::npos);
  EXPECT_NE(receiver.requests()[1].find("x-millrace-first-lsn: 101\r\n"), std::string::npos);
  EXPECT_NE(receiver.requests()[1].find("x-millrace-last-lsn: 110\r\n"), std::string::npos);
  EXPECT_EQ(receiver.connections(), 1) << "the connection is kept";
}

TEST(HttpConnector, WhatComesBeforeTheLowestFailureIsAcknowledged) {
  HttpReceiver receiver([](size_t number, const std::string&) {
    std::string failed = streams::sequence_number(102);
    return HttpReceiver::answer(
        200, number == 0 ? R"({"batchItemFailures":[{"itemIdentifier":")" + failed + "\"}]}" : "");
  });
  HttpConnector connector(options_for(receiver.port()));
  Progress progress;
  Error error = failure_of(connector, Changes(5), progress);
  EXPECT_EQ(progress.acknowledged, (std::vector<uint64_t>{0, 1}));
  EXPECT_NE(error.message.find("answered 200 and failed the change with LSN 102"),
            std::string::npos)
      << error.message;

  connector.reset();
  progress.clear();
  Changes rest(3, 102);
  ASSERT_EQ(connector.deliver(rest.records(5)).value(), 3u);
  poll_until(connector, progress, [&] { return progress.acknowledged.size() == 3; });
  EXPECT_EQ(progress.acknowledged, (std::vector<uint64_t>{5, 6, 7}));
}

TEST(HttpConnector, ARefusalIsAFailureThatNamesTheChanges) {
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(500, "broken\r\n\x01here")),
            " answered 500 to the 3 changes from LSN 100 on: broken   here");
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(422), 1),
            " answered 422 to the change with LSN 100");
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(413)),
            " answered 413 to the 3 changes from LSN 100 on (lower the connector's batch_bytes)");
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(302, "", "Location: http://h/\r\n")),
            " answered 302 to the 3 changes from LSN 100 on (redirections are not followed: "
            "configure the URL that they lead to)");
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(200, "{\"batch")),
            " answered 200: the body of the answer is not the JSON object that it begins as, so "
            "what it acknowledges is unknown");
}

TEST(HttpConnector, AHeadersValueThatTheReceiverEchoesIsNotShown) {
  EXPECT_EQ(failure_with_answer(HttpReceiver::answer(401, "no such token: Bearer secret")),
            " answered 401 to the 3 changes from LSN 100 on");
}

TEST(HttpConnector, RetryAfterIsHandedOn) {
  for (const auto& [value, expected] :
       std::vector<std::pair<std::string, int64_t>>{{"7", 7000},
                                                    {"0", 0},
                                                    {"Fri, 31 Dec 2027 23:59:59 GMT", 0},
                                                    {"-1", 0},
                                                    {"99999999999", 0}}) {
    HttpReceiver receiver([&value = value](size_t, const std::string&) {
      return HttpReceiver::answer(429, "", "Retry-After: " + value + "\r\n");
    });
    HttpConnector connector(options_for(receiver.port()));
    Progress progress;
    failure_of(connector, Changes(1), progress);
    EXPECT_EQ(progress.retry_after_ms, expected) << value;
  }
}

TEST(HttpConnector, AnAnswerThatIsNoneIsAFailure) {
  EXPECT_TRUE(failure_with_answer("what?\r\n\r\n").starts_with(" broke off its answer: "));
  EXPECT_TRUE(failure_with_answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" +
                                  std::string(1, HttpReceiver::kClose))
                  .starts_with(" broke off its answer: "));
  EXPECT_EQ(failure_with_answer(std::string(1, HttpReceiver::kClose)),
            " gave no answer: it closed the connection");
  EXPECT_EQ(failure_with_answer("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"),
            " broke off its answer: more than 1048576 bytes");
}

TEST(HttpConnector, WithoutAReceiverItIsAFailure) {
  uint16_t port;
  {
    HttpReceiver receiver([](size_t, const std::string&) { return std::string(); });
    port = receiver.port();
  }
  HttpConnector connector(options_for(port));
  Progress progress;
  Error error = failure_of(connector, Changes(1), progress);
  EXPECT_NE(error.message.find("cannot be reached: Connection refused"), std::string::npos)
      << error.message;
}

TEST(HttpConnector, WithoutAnAnswerItGivesUpInTime) {
  HttpReceiver receiver([](size_t, const std::string&) { return std::string(); });
  HttpOptions options = options_for(receiver.port());
  options.timeout_ms = 100;
  HttpConnector connector(options);
  Progress progress;
  Error error = failure_of(connector, Changes(1), progress);
  EXPECT_NE(error.message.find("gave no answer: not within 100 ms"), std::string::npos)
      << error.message;
}

TEST(HttpConnector, AConnectionThatTheReceiverNoLongerKeepsIsOpenedAnew) {
  // It says that it keeps the connection and closes it.
  HttpReceiver receiver(
      [](size_t, const std::string&) { return HttpReceiver::answer(200) + HttpReceiver::kClose; });
  HttpConnector connector(options_for(receiver.port()));
  Progress progress;
  for (uint64_t i = 0; i < 5; ++i) {
    Changes changes(1, 100 + i);
    ASSERT_EQ(connector.deliver(changes.records(i)).value(), 1u);
    poll_until(connector, progress, [&] { return progress.acknowledged.size() == i + 1; });
    ASSERT_TRUE(progress.failure) << progress.failure.error().message;
  }
  EXPECT_EQ(receiver.connections(), 5);
}

TEST(HttpConnector, AResetGivesUpWhatIsUnderWay) {
  HttpReceiver receiver([](size_t number, const std::string&) {
    return number == 0 ? std::string() : HttpReceiver::answer(200);
  });
  HttpConnector connector(options_for(receiver.port()));
  Changes changes(2);
  Progress progress;
  ASSERT_EQ(connector.deliver(changes.records(0)).value(), 2u);
  poll_until(connector, progress, [&] { return receiver.requests().size() == 1; });
  connector.reset();
  ASSERT_EQ(connector.deliver(changes.records(2)).value(), 2u);
  poll_until(connector, progress, [&] { return progress.acknowledged.size() == 2; });
  EXPECT_EQ(progress.acknowledged, (std::vector<uint64_t>{2, 3}));
}

}  // namespace
}  // namespace millrace::connectors
