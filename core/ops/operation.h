#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/net/http_server.h"
#include "core/ops/catalog.h"
#include "core/ops/page_cache.h"
#include "core/ops/read_cache.h"
#include "core/store/engine.h"

namespace millrace {

struct Operation;
class HitChecks;

/// The types of bodies that are served, and answered in kind.
inline constexpr std::string_view kAmzJson = "application/x-amz-json-1.0";
inline constexpr std::string_view kPlainJson = "application/json";

/// Told of every answered operation, on the thread that answers: for metrics. Thread-safe and
/// cheap.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  virtual void on_answer(const Operation& operation, int status, int64_t elapsed_ns) = 0;
  /// What a request read is damaged: an alarm, also if the request could be answered without it.
  virtual void on_damage(const Error&) {}
};

/// What operations work on. All outlive every request.
struct Node {
  Engine& engine;
  Catalog& catalog;
  Clock& clock;
  /// Submits a command and sees to it that step() is called; the engine's errors are answered
  /// through done() of the command.
  std::function<void(std::unique_ptr<Command>)> submit;
  ReadCache* cache = nullptr;  // none: off
  PageCache* pages = nullptr;  // none: off
  /// Whether reads that the cache answered show the capacity that they would have consumed.
  bool capacity_of_hits = true;
  HitChecks* hit_checks = nullptr;  // none: hits are not checked
  RequestObserver* observer = nullptr;
};

/// The answer to one operation: any thread, exactly once.
class Reply {
 public:
  explicit Reply(HttpReply http) : http_(std::move(http)) {}
  /// For callers that are not HTTP (the simulator, tests, benchmarks): `receive` gets status, extra
  /// headers and body.
  using Receiver = std::function<void(int status, std::string_view headers, std::string_view body)>;
  explicit Reply(Receiver receive) : receive_(std::move(receive)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;

  /// 200 with a JSON body. `headers`: complete lines or empty.
  void ok(std::string_view body, std::string_view headers = {},
          std::optional<uint32_t> crc32 = std::nullopt);
  /// Tells the observer if `error` is of damage: for an answer that is none in spite of it.
  void note_damage(const Error& error) {
    if (error.code == ErrorCode::kCorruption && observer_ != nullptr) observer_->on_damage(error);
  }
  /// DynamoDB's error body and status for `error`; internal errors become InternalServerError.
  void error(const Error& error);

  /// The answer may be read by a browser's page of any origin; serve() calls it for requests of
  /// such.
  void allow_any_origin() { any_origin_ = true; }

  /// The answer is `application/json`, not of AWS's own type; serve() calls it for requests of
  /// such.
  void use_plain_json() { plain_json_ = true; }

  /// The W3C trace context that the request came with, for the change that it makes; empty: none.
  void set_traceparent(std::string_view traceparent) { traceparent_ = traceparent; }
  std::string_view traceparent() const { return traceparent_; }

  /// From now on `node`'s observer, if any, is told of the answer to `operation`; serve() calls it.
  void observe(const Node& node, const Operation& operation) {
    if (node.observer == nullptr) return;
    observer_ = node.observer;
    clock_ = &node.clock;
    operation_ = &operation;
    start_ns_ = clock_->monotonic_ns();
  }

 private:
  /// Before the answer is on its way: whoever has it finds it counted.
  void answered(int status) {
    if (observer_ != nullptr)
      observer_->on_answer(*operation_, status, clock_->monotonic_ns() - start_ns_);
  }

  void send(int status, std::string_view body, std::string_view headers,
            std::optional<uint32_t> crc32);

  HttpReply http_;
  Receiver receive_;
  bool any_origin_ = false;
  bool plain_json_ = false;
  std::string traceparent_;
  RequestObserver* observer_ = nullptr;
  const Clock* clock_ = nullptr;
  const Operation* operation_ = nullptr;
  int64_t start_ns_ = 0;
};

struct Request {
  /// JSON, with HttpRequest::kBodyPadding readable bytes behind it; valid until the handler
  /// returns.
  std::string_view body;
  /// The HTTP request that it came in; null for callers that are not HTTP.
  const HttpRequest* http = nullptr;

  /// The client wants its answer from the store.
  bool no_cache() const { return http != nullptr && http->no_cache; }
};

/// A row of the table of operations: what the middleware (authentication, metrics, throttling,
/// cache) reads instead of knowing names.
struct Operation {
  std::string target;  // "DynamoDB_20120810.PutItem"
  std::string name;    // "PutItem", for metrics and logs
  size_t index = 0;    // its place in the table: set by OperationTable::add
  bool writes = false;
  size_t body_bytes_max = 1u << 20;
  std::function<void(Node&, const Request&, Reply)> run;
};

class OperationTable {
 public:
  OperationTable();
  void add(Operation operation);
  /// Null if there is none.
  const Operation* find(std::string_view target) const;
  /// The row of all targets that have none: answers UnknownOperationException.
  const Operation& unknown() const { return *rows_.front(); }
  const std::vector<std::unique_ptr<Operation>>& all() const { return rows_; }

 private:
  std::vector<std::unique_ptr<Operation>> rows_;
};

/// Adds DynamoDB_20120810.*: tables, items, batches, transactions, Query and Scan.
void add_dynamodb_operations(OperationTable& operations);

/// Answers one HTTP request of the data port by the table: content type, target, body size, then
/// the row's handler. `GET /` answers "healthy: <host>" as DynamoDB's endpoint does.
void serve(Node& node, const OperationTable& operations, const HttpRequest& request,
           HttpReply reply);

}  // namespace millrace
