#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "core/base/disk.h"
#include "core/net/http_server.h"
#include "core/ops/long_work.h"
#include "core/ops/operation.h"
#include "core/store/engine.h"

namespace millrace {

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ms_ + wall_moved_ms_; }
  int64_t monotonic_ns() const override { return now_ms_ * 1'000'000; }
  void advance(int64_t ms) { now_ms_ += ms; }
  /// Somebody sets the wall clock.
  void move_wall(int64_t ms) { wall_moved_ms_ += ms; }

 private:
  std::atomic<int64_t> now_ms_{1'700'000'000'000};
  std::atomic<int64_t> wall_moved_ms_{0};
};

/// A real engine in a folder of its own, called as a client would, without HTTP. Text of requests
/// is JSON with ' for ", which no request here needs otherwise.
class OpsNode {
 public:
  struct Answer {
    int status = 0;
    std::string headers;
    std::string body;
  };

  OpsNode() {
    static std::atomic<int> count;
    folder_ =
        testing::TempDir() + "ops-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
    std::filesystem::remove_all(folder_);
    options_.folder = folder_;
    options_.log.segment_bytes = 1u << 20;
    options_.log.first_segment_bytes = 256u << 10;
    options_.log.sync = false;
    // Small, so that reads meet LevelDB and the tables above it.
    options_.memory_table_bytes = 64u << 10;
    options_.checkpoint_bytes = 256u << 10;
    add_dynamodb_operations(operations_);
    open();
  }
  ~OpsNode() {
    close();
    std::filesystem::remove_all(folder_);
  }

  void restart() {
    close();
    open();
  }

  Answer call(const std::string& operation, std::string request) {
    std::replace(request.begin(), request.end(), '\'', '"');
    return call_raw(operation, request);
  }

  Answer call_raw(const std::string& operation, const std::string& request) {
    const Operation* row = operations_.find("DynamoDB_20120810." + operation);
    if (row == nullptr) {
      ADD_FAILURE() << "no operation " << operation;
      return {};
    }
    std::string padded = request + std::string(HttpRequest::kBodyPadding, ' ');
    Answer answer;
    int answers = 0;
    Reply reply([&](int status, std::string_view headers, std::string_view body) {
      answer = {status, std::string(headers), std::string(body)};
      ++answers;
    });
    reply.observe(*node_, *row);
    row->run(*node_, Request{std::string_view(padded).substr(0, request.size())}, std::move(reply));
    for (int step = 0; answers == 0 && step < 1000; ++step) commit();
    EXPECT_EQ(answers, 1) << operation << " " << request.substr(0, 200);
    return answer;
  }

  /// The body of a request that must succeed.
  std::string ok(const std::string& operation, std::string request) {
    Answer answer = call(operation, std::move(request));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }

  /// `type: message` of a request that must be refused.
  std::string refused(const std::string& operation, std::string request) {
    return error_of(call(operation, std::move(request)));
  }

  static std::string error_of(const Answer& answer) {
    if (answer.status == 200) return "not refused: " + answer.body;
    std::string type = member(answer.body, "__type");
    std::string message = member(answer.body, "message");
    if (message.empty()) message = member(answer.body, "Message");
    return type.substr(type.find('#') + 1) + ": " + message;
  }

  /// The text of a string member, unescaped of \".
  static std::string member(const std::string& body, const std::string& name) {
    std::string start = "\"" + name + "\":\"";
    size_t at = body.find(start);
    if (at == std::string::npos) return "";
    std::string text;
    for (at += start.size(); at < body.size() && body[at] != '"'; ++at) {
      if (body[at] == '\\') ++at;
      text += body[at];
    }
    return text;
  }

  /// A table with a string partition key `pk` and, if `sort_type` is given, a sort key `sk` of it.
  void create_table(const std::string& name, const std::string& sort_type = "",
                    const std::string& more = "") {
    std::string keys = "{'AttributeName':'pk','KeyType':'HASH'}";
    std::string attributes = "{'AttributeName':'pk','AttributeType':'S'}";
    if (!sort_type.empty()) {
      keys += ",{'AttributeName':'sk','KeyType':'RANGE'}";
      attributes += ",{'AttributeName':'sk','AttributeType':'" + sort_type + "'}";
    }
    ok("CreateTable", "{'TableName':'" + name + "','KeySchema':[" + keys +
                          "],'AttributeDefinitions':[" + attributes +
                          "],'BillingMode':'PAY_PER_REQUEST'" + more + "}");
  }

  void submit(std::unique_ptr<Command> command) {
    Status status = engine_->submit(std::move(command));
    if (!status) command->done(status);
  }
  void commit() {
    while (engine_->step()) {
    }
  }

  /// Lets the long work do all that there is to do at this time.
  void work() {
    for (int step = 0; step < 10'000; ++step) {
      woken_ = false;
      Status status = long_work_->step();
      ASSERT_TRUE(status) << status.error().message;
      commit();
      if (!woken_) return;
    }
    ADD_FAILURE() << "the long work does not end";
  }

  /// From now on what is in the tables' files cannot be read.
  void damage_tables() {
    ASSERT_TRUE(engine_->checkpoint());
    for (const auto& file : std::filesystem::directory_iterator(folder_ + "/tables")) {
      if (file.path().extension() != ".ldb") continue;
      std::fstream content(file.path(), std::ios::in | std::ios::out | std::ios::binary);
      content << std::string(file.file_size() / 2, '\0');
    }
  }

  LongWork& long_work() { return *long_work_; }
  Engine& engine() { return *engine_; }
  Catalog& catalog() { return *catalog_; }
  Node& node() { return *node_; }
  OperationTable& operations() { return operations_; }
  ManualClock clock;

 private:
  void open() {
    auto opened = Engine::open(options_, disk_, leveldb::Env::Default(), clock);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
    catalog_ = std::make_unique<Catalog>("us-east-1", "000000000000");
    ASSERT_TRUE(catalog_->load(*engine_->view()));
    engine_->add_observer(catalog_.get());
    node_ = std::make_unique<Node>(
        Node{*engine_, *catalog_, clock, [this](auto command) { submit(std::move(command)); }});
    long_work_ = std::make_unique<LongWork>(*node_, [this] { woken_ = true; });
    engine_->add_observer(long_work_.get());
  }
  void close() {
    long_work_.reset();
    node_.reset();
    engine_.reset();
    catalog_.reset();
  }

  std::string folder_;
  PosixDisk disk_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<LongWork> long_work_;
  std::atomic<bool> woken_{false};
  OperationTable operations_;
};

}  // namespace millrace
