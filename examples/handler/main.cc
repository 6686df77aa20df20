// A node within a program: a table of orders, some writes, and a handler that keeps a total by
// customer from the table's changes. The node's data is in the folder of its first argument.

#include <leveldb/env.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/base/random.h"
#include "core/ops/operation.h"
#include "core/store/engine.h"
#include "streams/change_handler.h"
#include "streams/handler_runner.h"
#include "streams/subscriptions.h"

using namespace millrace;

namespace {

/// Runs one request of the DynamoDB API; false, with a word on standard error, if it was refused.
bool request(Node& node, const OperationTable& operations, const char* name, std::string body) {
  const size_t size = body.size();
  body.append(HttpRequest::kBodyPadding, '\0');
  bool good = false;
  const Operation* operation = operations.find(std::string("DynamoDB_20120810.").append(name));
  operation->run(node, Request{std::string_view(body).substr(0, size)},
                 Reply([&](int status, std::string_view, std::string_view answer) {
                   good = status == 200;
                   if (!good) std::fprintf(stderr, "%s\n", std::string(answer).c_str());
                 }));
  return good;
}

/// Adds what is written to its customer's total and takes off what it was before. Each change is
/// taken once, by its LSN, though it may come again.
class Totals final : public streams::ChangeHandler {
 public:
  Outcome handle(const streams::ItemChange& change) override {
    if (change.lsn <= last_) return Outcome::kDone;
    last_ = change.lsn;
    add(change.before, -1);
    add(change.after, 1);
    return Outcome::kDone;
  }
  void print() const {
    for (const auto& [customer, total] : totals_) std::printf("%s: %ld\n", customer.c_str(), total);
  }

 private:
  void add(const std::optional<ItemView>& order, long sign) {
    if (!order) return;
    const auto customer = order->get("customer"), price = order->get("price");
    if (!customer || !price) return;
    totals_[std::string(customer->scalar())] += sign * std::stol(price->number().text());
  }

  Lsn last_ = 0;
  std::map<std::string, long> totals_;
};

Status run(const std::string& folder) {
  SystemClock clock;
  PosixDisk disk;
  EngineOptions options;
  options.folder = folder;
  ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                   Engine::open(options, disk, leveldb::Env::Default(), clock));
  Catalog catalog("us-east-1", "000000000000");
  RETURN_IF_ERROR(catalog.load(*engine->view()));
  engine->add_observer(&catalog);
  // One thread does everything here: a command is carried out as soon as it is submitted.
  Node node{*engine, catalog, clock, [&](std::unique_ptr<Command> command) {
              if (!engine->submit(std::move(command))) return;
              while (engine->step()) {
              }
            }};
  OperationTable operations;
  add_dynamodb_operations(operations);

  streams::Subscriptions subscriptions(node, Random(random_seed()));
  RETURN_IF_ERROR(subscriptions.open());
  streams::SubscriptionDefinition definition;
  definition.name = "totals";
  definition.tables = {"orders"};
  definition.shards = 1;  // one handler gets all changes in their order
  Status created;
  subscriptions.create(definition, {}, [&](const Status& status) { created = status; });
  subscriptions.step();
  RETURN_IF_ERROR(created);

  if (catalog.find("orders") == nullptr) {
    request(node, operations, "CreateTable",
            R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST",
                "AttributeDefinitions":[{"AttributeName":"order","AttributeType":"S"}],
                "KeySchema":[{"AttributeName":"order","KeyType":"HASH"}]})");
  }
  for (const auto& [order, customer, price] :
       {std::tuple("1", "Ada", "30"), std::tuple("2", "Bob", "12"), std::tuple("1", "Ada", "35")}) {
    request(node, operations, "PutItem",
            std::string(R"({"TableName":"orders","Item":{"order":{"S":")") + order +
                R"("},"customer":{"S":")" + customer + R"("},"price":{"N":")" + price + "\"}}}");
  }

  Totals totals;
  streams::HandlerRunner runner(subscriptions.find("totals"), totals, clock);
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(more, runner.step());
  }
  totals.print();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: handler_example FOLDER\n");
    return 2;
  }
  const Status status = run(argv[1]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return status ? 0 : 1;
}
