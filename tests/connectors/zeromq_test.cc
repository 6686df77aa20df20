#include "connectors/zeromq.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <zmq.hpp>

#include "changes.h"
#include "pump_node.h"

namespace millrace::connectors {
namespace {

using Message = std::vector<std::string>;

/// Bounds each wait: far more than anything here takes.
constexpr int kPatienceMs = 20000;

/// Sockets' files in a folder of the test's.
class ZeroMqTest : public testing::Test {
 protected:
  ZeroMqTest() {
    std::string pattern = testing::TempDir() + "zmq-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    options_.endpoint = "ipc://" + folder_ + "/changes";
    options_.acknowledgements = "ipc://" + folder_ + "/acknowledgements";
    options_.timeout_ms = 1000;
  }
  ~ZeroMqTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Connector> open(ZeroMqOptions::Mode mode) {
    options_.mode = mode;
    Result<std::unique_ptr<Connector>> connector = open_zeromq(options_, clock_);
    CHECK(connector);
    return std::move(connector).value();
  }

  /// Delivers all records as there is room, until `done`.
  void deliver_until(Connector& connector, const std::vector<Record>& records, Progress& progress,
                     const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      delivered_ += connector.deliver(std::span(records).subspan(delivered_)).value();
      connector.poll(5, progress);
    }
  }

  std::string folder_;
  ZeroMqOptions options_;
  ManualClock clock_;
  size_t delivered_ = 0;
};

/// Takes changes by PULL and acknowledges them by PUSH.
class Worker {
 public:
  explicit Worker(const ZeroMqOptions& options)
      : changes_(context_, zmq::socket_type::pull),
        acknowledgements_(context_, zmq::socket_type::push) {
    for (zmq::socket_t* socket : {&changes_, &acknowledgements_}) {
      socket->set(zmq::sockopt::linger, 0);
      socket->set(zmq::sockopt::reconnect_ivl, 10);
    }
    changes_.connect(options.endpoint);
    acknowledgements_.connect(options.acknowledgements);
  }

  /// A change's message if there is one.
  std::optional<Message> take() {
    Message frames;
    zmq::message_t frame;
    do {
      if (!changes_.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
      frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
  }
  void acknowledge(const std::string& text) { acknowledgements_.send(zmq::buffer(text)); }

 private:
  zmq::context_t context_;
  zmq::socket_t changes_, acknowledgements_;
};

// The bytes on the wire. Subscribers and workers depend on them.
const Message kFirst = {"films",
                        R"({"lsn":100,"time":1790000000123,"table":"films","event":"INSERT",)"
                        R"("keys":{"title":{"S":"Film 0"},"year":{"N":"2013"}},)"
                        R"("new":{"n":{"N":"0"},"title":{"S":"Film 0"},"year":{"N":"2013"}}})"};

TEST_F(ZeroMqTest, PublishesTheTablesNameAndTheChange) {
  auto connector = open(ZeroMqOptions::Mode::kPub);
  zmq::context_t context;
  zmq::socket_t subscriber(context, zmq::socket_type::sub);
  subscriber.set(zmq::sockopt::subscribe, "films");
  subscriber.connect(options_.endpoint);
  // What is published before the subscription has arrived there is lost, as PUB has it.
  Changes changes(1);
  Message frames;
  zmq::message_t frame;
  Progress progress;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  subscriber.set(zmq::sockopt::rcvtimeo, 10);
  do {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_EQ(connector->deliver(changes.records()).value(), 1u);
    connector->poll(0, progress);
  } while (!subscriber.recv(frame));
  frames.push_back(frame.to_string());
  while (frame.more()) {
    ASSERT_TRUE(subscriber.recv(frame));
    frames.push_back(frame.to_string());
  }
  EXPECT_EQ(frames, kFirst);
  EXPECT_TRUE(progress.failure);
}

TEST_F(ZeroMqTest, APublishedChangeIsAcknowledgedWhoeverListens) {
  options_.high_water_mark = 10;
  auto connector = open(ZeroMqOptions::Mode::kPub);
  zmq::context_t context;
  zmq::socket_t stuck(context, zmq::socket_type::sub);
  stuck.set(zmq::sockopt::subscribe, "");
  stuck.set(zmq::sockopt::rcvhwm, 1);
  stuck.connect(options_.endpoint);
  Changes changes(5000);
  ASSERT_EQ(connector->deliver(changes.records(7)).value(), 5000u);
  Progress progress;
  connector->poll(0, progress);
  ASSERT_EQ(progress.acknowledged.size(), 5000u);
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_EQ(progress.acknowledged[i], 7 + i);
  progress.clear();
  connector->poll(0, progress);
  EXPECT_TRUE(progress.acknowledged.empty());
}

TEST_F(ZeroMqTest, WorkersTakeChangesAndAcknowledgeThemByLsn) {
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Worker worker(options_);
  Changes changes(50);
  Progress progress;
  std::vector<Message> taken;
  deliver_until(*connector, changes.records(7), progress, [&] {
    while (auto message = worker.take()) {
      worker.acknowledge(std::to_string(100 + taken.size()));
      taken.push_back(std::move(*message));
    }
    return progress.acknowledged.size() == 50;
  });
  ASSERT_EQ(taken.size(), 50u);
  EXPECT_EQ(taken[0], kFirst);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(progress.acknowledged[i], 7 + i);
  EXPECT_TRUE(progress.failure);
}

TEST_F(ZeroMqTest, OneChangeOfAnItemIsUnderWayAtATime) {
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Worker worker(options_);
  Changes changes(30);  // the eleventh is of the first's item
  std::vector<Record> records = changes.records();
  Progress progress;
  std::vector<Message> taken;
  auto take = [&](size_t count) {
    return [&, count] {
      while (auto message = worker.take()) taken.push_back(std::move(*message));
      return taken.size() >= count;
    };
  };
  deliver_until(*connector, records, progress, take(10));
  EXPECT_EQ(delivered_, 10u);
  worker.acknowledge("101");
  deliver_until(*connector, records, progress, [&] { return progress.acknowledged.size() == 1; });
  EXPECT_EQ(connector->deliver(std::span(records).subspan(10)).value(), 0u) << "100 is not done";
  worker.acknowledge("100");
  deliver_until(*connector, records, progress, take(12));
  EXPECT_EQ(delivered_, 12u) << "110 and 111 follow 100 and 101; 112 waits for 102";
}

TEST_F(ZeroMqTest, NoMoreIsUnderWayThanItsBound) {
  options_.in_flight = 3;
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Worker worker(options_);
  Changes changes(10);
  Progress progress;
  const std::vector<Record> records = changes.records();
  size_t taken = 0;
  deliver_until(*connector, records, progress, [&] {
    while (worker.take()) ++taken;
    return taken == 3;
  });
  EXPECT_EQ(delivered_, 3u);
  EXPECT_EQ(connector->deliver(std::span(records).subspan(3)).value(), 0u);
}

TEST_F(ZeroMqTest, WithoutWorkersNothingIsTakenAndThatIsTold) {
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Changes changes(3);
  Progress progress;
  EXPECT_EQ(connector->deliver(changes.records()).value(), 0u);
  connector->poll(0, progress);
  EXPECT_EQ(progress.trouble, "");
  clock_.advance(1000);
  connector->poll(0, progress);
  EXPECT_EQ(progress.trouble, "no worker takes changes at " + options_.endpoint);
  EXPECT_TRUE(progress.failure);
}

TEST_F(ZeroMqTest, AChangeThatIsNotAcknowledgedInTimeIsAFailureAndIsDeliveredAgain) {
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Worker worker(options_);
  Changes changes(3);
  Progress progress;
  size_t taken = 0;
  auto take = [&](size_t count) {
    return [&, count] {
      while (worker.take()) ++taken;
      return taken >= count;
    };
  };
  deliver_until(*connector, changes.records(), progress, take(3));
  worker.acknowledge("101");
  deliver_until(*connector, changes.records(), progress,
                [&] { return progress.acknowledged.size() == 1; });
  clock_.advance(999);
  connector->poll(0, progress);
  ASSERT_TRUE(progress.failure);
  clock_.advance(1);
  connector->poll(0, progress);
  ASSERT_FALSE(progress.failure);
  EXPECT_EQ(progress.failure.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(progress.failure.error().message,
            "no worker has acknowledged the change with LSN 100 within 1000 ms");
  EXPECT_EQ(connector->deliver(changes.records()).value(), 0u);

  connector->reset();
  progress.clear();
  delivered_ = 0;
  deliver_until(*connector, changes.records(3), progress, take(6));
  for (const char* lsn : {"100", "101", "102"}) worker.acknowledge(lsn);
  deliver_until(*connector, changes.records(3), progress,
                [&] { return progress.acknowledged.size() == 3; });
  EXPECT_EQ(progress.acknowledged, (std::vector<uint64_t>{3, 4, 5}));
}

TEST_F(ZeroMqTest, AcknowledgementsOfNothingAreIgnoredAndThoseThatAreNoneAreTold) {
  auto connector = open(ZeroMqOptions::Mode::kPush);
  Worker worker(options_);
  Changes changes(1);
  Progress progress;
  size_t taken = 0;
  deliver_until(*connector, changes.records(), progress, [&] {
    while (worker.take()) ++taken;
    return taken == 1;
  });
  worker.acknowledge("99");
  worker.acknowledge("100x");
  worker.acknowledge("");
  worker.acknowledge("18446744073709551616");
  worker.acknowledge("100");
  worker.acknowledge("100");
  deliver_until(*connector, changes.records(), progress,
                [&] { return progress.acknowledged.size() == 1; });
  EXPECT_EQ(progress.acknowledged, std::vector<uint64_t>{0});
  EXPECT_EQ(progress.trouble, "a worker sends acknowledgements that are no LSN in decimal");
  EXPECT_TRUE(progress.failure);
}

TEST_F(ZeroMqTest, AnAddressThatIsTakenIsSaidSo) {
  zmq::context_t context;
  zmq::socket_t other(context, zmq::socket_type::pub);
  other.bind("tcp://127.0.0.1:*");
  options_.endpoint = other.get(zmq::sockopt::last_endpoint);
  Result<std::unique_ptr<Connector>> connector = open_zeromq(options_, clock_);
  ASSERT_FALSE(connector);
  EXPECT_EQ(connector.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(connector.error().message,
            "cannot bind " + options_.endpoint + ": Address already in use");
}

}  // namespace
}  // namespace millrace::connectors
