#include "core/net/http_server.h"

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "core/net/content_coding.h"
#include "http_client.h"

namespace millrace {
namespace {

/// Keeps the io thread from all else for as long as it lives: what clients send meanwhile is ready
/// together.
class HeldThread {
 public:
  explicit HeldThread(IoThreads& threads) {
    threads.post(0, [this, go = go_.get_future().share()] {
      held_.set_value();
      go.wait();
    });
    held_.get_future().wait();
  }
  ~HeldThread() { go_.set_value(); }

 private:
  std::promise<void> held_, go_;
};

TEST_F(HttpServerTest, AnswersWithDynamoDbsHeaders) {
  serve_echo();
  Client client(port());
  client.send(post("hello"));
  const Answered first = client.read();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "POST hello");
  EXPECT_EQ(first.header("x-amzn-RequestId").size(), 52u);
  EXPECT_EQ(first.header("X-Amz-Crc32"), std::to_string(crc32("POST hello")));
  EXPECT_EQ(first.header("Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(first.header("Date").size(), 29u);
  client.send(post("again"));
  const Answered second = client.read();
  EXPECT_EQ(second.body, "POST again");
  EXPECT_NE(second.header("x-amzn-RequestId"), first.header("x-amzn-RequestId"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  serve_echo();
  Client client(port());
  std::string all;
  for (int i = 0; i < 5000; ++i) all += post(std::to_string(i));
  std::thread sender([&] { client.send(all); });
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(client.read().body, "POST " + std::to_string(i));
  sender.join();
}

TEST_F(HttpServerTest, RequestsMayComeByteByByte) {
  serve_echo();
  Client client(port());
  for (char c : post("slow") + post("slower")) client.send({&c, 1});
  EXPECT_EQ(client.read().body, "POST slow");
  EXPECT_EQ(client.read().body, "POST slower");
}

TEST_F(HttpServerTest, TakesChunkedBodies) {
  serve_echo();
  Client client(port());
  client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
      post("next"));
  EXPECT_EQ(client.read().body, "POST abcde");
  EXPECT_EQ(client.read().body, "POST next");
}

TEST_F(HttpServerTest, TakesAndGivesGzip) {
  serve_echo();
  Client client(port());
  const std::string plain(5000, 'z');
  std::string packed;
  encode(ContentCoding::kGzip, plain, packed);
  client.send(post(packed, "Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.header("Content-Encoding"), "gzip");
  EXPECT_EQ(answer.header("X-Amz-Crc32"), std::to_string(crc32(answer.body)));
  std::string back;
  ASSERT_EQ(gunzip(answer.body, 10000, back), GunzipOutcome::kDone);
  EXPECT_EQ(back, "POST " + plain);
  client.send(post(plain, "Accept-Encoding: deflate\r\n"));
  EXPECT_EQ(client.read().header("Content-Encoding"), "deflate");
  // With "POST " before it.
  client.send(post(std::string(4090, 'z'), "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read().header("Content-Encoding"), "");
  client.send(post(std::string(4091, 'z'), "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read().header("Content-Encoding"), "gzip");
}

TEST_F(HttpServerTest, RefusesGzipBombsAndDamageButStaysUsable) {
  options_.body_bytes_max = 100000;
  serve_echo();
  Client client(port());
  std::string bomb;
  encode(ContentCoding::kGzip, std::string(1 << 20, '\0'), bomb);
  client.send(post(bomb, "Content-Encoding: gzip\r\n"));
  const Answered refused = client.read();
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.body.find("RequestEntityTooLargeException"), std::string::npos);
  client.send(post("no gzip at all, but long enough", "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read().status, 400);
  client.send(post("fine"));
  EXPECT_EQ(client.read().body, "POST fine");
}

TEST_F(HttpServerTest, TellsAClientThatAsksToGoOn) {
  serve_echo();
  Client client(port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  client.send("abc");
  EXPECT_EQ(client.read().body, "POST abc");
}

TEST_F(HttpServerTest, RefusesABodyThatIsTooLargeWhileItIsBeingSent) {
  options_.body_bytes_max = 1000;
  serve_echo();
  const std::string large(4 << 20, 'x');
  Client client(port());
  std::thread sender([&] { client.send(post(large)); });
  const Answered refused = client.read();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("Connection"), "close");
  sender.join();
  Client chunked(port());
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n");
  EXPECT_EQ(chunked.read().status, 413);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttpAndCloses) {
  serve_echo();
  for (std::string_view bad :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Client client(port());
    client.send(bad);
    client.send(post("smuggled"));
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(answer.header("x-amzn-RequestId").size(), 52u);
    client.half_close();
    EXPECT_TRUE(client.closed()) << bad;
  }
  Client client(port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100000, 'a'));
  EXPECT_EQ(client.read().status, 431);
}

TEST_F(HttpServerTest, HeadHasLengthButNoBody) {
  serve_echo();
  Client client(port());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + post("next"));
  const Answered head = client.read(true);
  EXPECT_EQ(head.header("Content-Length"), "5");
  EXPECT_EQ(client.read().body, "POST next");
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  serve_echo();
  Client client(port());
  client.send(post("bye", "Connection: close\r\n"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.closed());
  Client old(port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read().body, "GET ");
  EXPECT_TRUE(old.closed());
}

TEST_F(HttpServerTest, AHalfClosedClientStillGetsItsAnswer) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  Client client(port());
  client.send(post("x"));
  client.half_close();
  HttpReply reply = given.get_future().get();
  answer_with(reply, "late");
  EXPECT_EQ(client.read().body, "late");
  EXPECT_TRUE(client.closed());
  stop();
}

TEST_F(HttpServerTest, ADroppedReplyIsAnInternalError) {
  serve([](const HttpRequest&, HttpReply) {});
  Client client(port());
  client.send(post("x"));
  const Answered answer = client.read();
  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("InternalServerError"), std::string::npos);
}

TEST_F(HttpServerTest, ARepliesLifeMayBeLongerThanItsConnections) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  auto client = std::make_unique<Client>(port());
  client->send(post("x"));
  HttpReply reply = given.get_future().get();
  EXPECT_EQ(reply.request_id().size(), 52u);
  client.reset();
  server_.reset();
  answer_with(reply, "to nobody");
  stop();
}

TEST_F(HttpServerTest, ALargeAnswerWaitsForASlowReader) {
  const std::string large(20 << 20, 'L');
  serve([&](const HttpRequest&, HttpReply reply) { answer_with(reply, large); });
  Client client(port());
  client.send(post("x") + post("y"));
  EXPECT_EQ(client.read().body.size(), large.size());
  EXPECT_EQ(client.read().body.size(), large.size());
  stop();
}

TEST_F(HttpServerTest, BoundsWhatClientsHaveNotReadByThrottlingTheNext) {
  options_.answer_bytes_max = 1 << 20;
  const std::string large(20 << 20, 'L');
  serve([&](const HttpRequest& request, HttpReply reply) {
    answer_with(reply, request.body == "large" ? large : "small");
  });
  Client slow(port()), other(port());
  slow.send(post("large"));
  Answered throttled;
  for (int i = 0; i < 100000 && throttled.status != 400; ++i) {
    other.send(post("small"));
    throttled = other.read();
  }
  EXPECT_EQ(throttled.status, 400);
  EXPECT_NE(throttled.body.find("#ThrottlingException"), std::string::npos);
  // The oldest is served, and then all are again, on the same connections.
  EXPECT_EQ(slow.read().body.size(), large.size());
  slow.send(post("small"));
  EXPECT_EQ(slow.read().body, "small");
  other.send(post("small"));
  EXPECT_EQ(other.read().body, "small");
  stop();
}

TEST_F(HttpServerTest, BoundsLargeAnswersToRequestsThatAreReadyTogether) {
  options_.answer_bytes_max = 1 << 20;
  const std::string large(20 << 20, 'L');
  serve([&](const HttpRequest& request, HttpReply reply) {
    answer_with(reply, request.body == "large" ? large : "small");
  });
  auto clients = accepted_clients();
  {
    const HeldThread held(*threads_);
    for (auto& client : clients) client->send(post("large"));
  }
  // The first one's answer, which is not read, leaves no room for the others'.
  for (size_t i = 1; i < clients.size(); ++i) EXPECT_EQ(clients[i]->read().status, 400);
  EXPECT_EQ(clients[0]->read().body.size(), large.size());
  stop();
}

TEST_F(HttpServerTest, PostedWorkRunsBehindAllThatIsReady) {
  // Requests that have arrived together are all there when work posted by the first of them runs.
  std::vector<HttpReply> waiting;
  serve([&](const HttpRequest& request, HttpReply reply) {
    if (request.body == "small") return answer_with(reply, "small");
    waiting.push_back(std::move(reply));
    if (waiting.size() > 1) return;
    threads_->post_here([&] {
      const std::string count = std::to_string(waiting.size());
      for (HttpReply& one : waiting) answer_with(one, count);
      waiting.clear();
    });
  });
  auto clients = accepted_clients();
  {
    const HeldThread held(*threads_);
    for (auto& client : clients) client->send(post("x"));
  }
  for (auto& client : clients) EXPECT_EQ(client->read().body, "8");
  stop();
}

TEST_F(HttpServerTest, BoundsItsConnections) {
  options_.connections_max = 2;
  serve_echo();
  Client one(port()), two(port());
  one.send(post("1"));
  EXPECT_EQ(one.read().body, "POST 1");
  two.send(post("2"));
  EXPECT_EQ(two.read().body, "POST 2");
  Client three(port());
  EXPECT_TRUE(three.closed());
}

TEST_F(HttpServerTest, BoundsWhatIsBeingReceivedByAll) {
  options_.receiving_bytes_max = 250000;
  serve_echo();
  const std::string large(200000, 'x');
  const std::string request = post(large);
  Client one(port()), two(port());
  one.send(std::string_view(request).substr(0, 150000));
  // Until the server has read the first one's head, another may still be taken: that one leaves.
  Answered refused;
  for (int i = 0; i < 1000 && refused.status != 400; ++i) {
    Client other(port());
    other.send(std::string_view(request).substr(0, 100));
    other.half_close();
    refused = other.read();
  }
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("#ThrottlingException"), std::string::npos);
  one.send(std::string_view(request).substr(150000));
  EXPECT_EQ(one.read().body.size(), large.size() + 5);
  two.send(request);
  EXPECT_EQ(two.read().status, 200);
}

TEST_F(HttpServerTest, TimesOutARequestBegunAndAnIdleConnection) {
  options_.header_timeout_seconds = 1;
  options_.idle_timeout_seconds = 1;
  serve_echo();
  Client begun(port()), idle(port());
  begun.send("POST / HT");
  EXPECT_TRUE(begun.closed());
  EXPECT_TRUE(idle.closed());
}

TEST_F(HttpServerTest, DrainsRequestsUnderWay) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); }, 2);
  Client idle(port()), busy(port());
  busy.send(post("x"));
  HttpReply reply = given.get_future().get();
  std::promise<void> done;
  server_->drain(20000, [&] { done.set_value(); });
  EXPECT_TRUE(idle.closed());
  std::future<void> finished = done.get_future();
  EXPECT_EQ(finished.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  answer_with(reply, "last");
  const Answered answer = busy.read();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.header("Connection"), "close");
  finished.wait();
  stop();
}

TEST_F(HttpServerTest, DrainingEndsAtItsTimeout) {
  std::promise<HttpReply> given;
  serve([&](const HttpRequest&, HttpReply reply) { given.set_value(std::move(reply)); });
  Client busy(port());
  busy.send(post("x"));
  HttpReply reply = given.get_future().get();
  std::promise<void> done;
  server_->drain(10, [&] { done.set_value(); });
  done.get_future().wait();
  stop();
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  serve_echo();
  IoThreads threads(1);
  HttpServerOptions options;
  options.port = port();
  HttpServer second(threads, options, [](const HttpRequest&, HttpReply) {});
  const Status status = second.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find(std::to_string(port())), std::string::npos);
}

}  // namespace
}  // namespace millrace
